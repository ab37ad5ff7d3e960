import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { AddressPool, contains, nthAddress } from './address-pool.ts'

const directory = mkdtempSync(join(tmpdir(), 'lateen-addresses-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('an owner keeps its address over a restart, and nobody else gets it', () => {
  const file = join(directory, 'kept.json')
  const first = new AddressPool('10.244.0.0/16', file)
  expect([first.assign('a'), first.assign('b'), first.assign('a')]).toEqual(['10.244.0.2', '10.244.0.3', '10.244.0.2'])
  const second = new AddressPool('10.244.0.0/16', file)
  expect(second.get('b')).toBe('10.244.0.3')
  expect(second.assign('c')).toBe('10.244.0.4')
})

test('a released address is given again last, and a full range says so', () => {
  const pool = new AddressPool('10.0.0.0/29', join(directory, 'small.json'))
  const given = ['a', 'b', 'c', 'd', 'e'].map((owner) => pool.assign(owner))
  expect(new Set(given).size).toBe(5)
  expect(() => pool.assign('f')).toThrow('all 5 pod addresses are in use')
  pool.release('b')
  expect(pool.assign('f')).toBe(given[1])
})

test('a file that was cut short is as good as none', () => {
  const file = join(directory, 'broken.json')
  writeFileSync(file, '{"addresses":{"a":"not an addr')
  expect(new AddressPool('10.244.0.0/16', file).owners()).toEqual([])
  writeFileSync(file, '{"addresses":{"a":"nonsense","b":"192.0.2.1","c":"10.244.7.7"}}')
  expect(new AddressPool('10.244.0.0/16', file).owners()).toEqual(['c'])
})

test('ranges are counted from their first address', () => {
  expect(nthAddress('10.96.0.0/12', 1)).toBe('10.96.0.1')
  expect(contains('10.96.0.0/12', '10.111.255.255')).toBe(true)
  expect(contains('10.96.0.0/12', '10.112.0.0')).toBe(false)
})
