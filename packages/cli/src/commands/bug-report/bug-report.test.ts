import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { PodObject } from '../../cluster/pods.ts'
import { writeArchive } from './archive.ts'
import { errorsOf, within } from './logs.ts'
import { chosenContainers, fitsGlob, isChosen, parseChoice } from './selection.ts'

const folder = mkdtempSync(join(tmpdir(), 'bug-report-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const pod = (name: string, namespace: string, labels: Record<string, string> = {}, owner?: string): PodObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    namespace,
    labels: owner ? { ...labels, 'pod-template-hash': 'abc' } : labels,
    ...(owner
      ? {
          generateName: `${owner}-abc-`,
          ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${owner}-abc`, uid: '1', controller: true }],
        }
      : {}),
  },
  spec: { containers: [{ name: 'app' }] },
})

describe('which pods', () => {
  const cart = pod('cart-abc-1', 'shop', { app: 'cart', version: 'v2' }, 'cart')

  test.each([
    ['shop', true],
    ['sh*', true],
    ['other', false],
    ['shop/cart', true],
    ['shop/car', false],
    ['*/cart/cart-*-1', true],
    ['shop///app=cart,version=v*', true],
    ['shop///app=web', false],
    ['////key=value', false],
  ])('%s', (text, isIn) => {
    expect(isChosen(cart, [parseChoice(text)], [])).toBe(isIn)
  })

  test('all but the excluded when nothing is included', () => {
    const exclude = [parseChoice('kube-system,kube-public')]
    expect(isChosen(cart, [], exclude)).toBe(true)
    expect(isChosen(pod('dns', 'kube-system'), [], exclude)).toBe(false)
  })

  test('containers by name', () => {
    expect(chosenContainers(['istio-proxy', 'app'], [parseChoice('shop/////istio-*')])).toEqual(['istio-proxy'])
    expect(chosenContainers(['istio-proxy', 'app'], [])).toEqual(['istio-proxy', 'app'])
    expect(() => parseChoice('a/b/c/d/e/f/g')).toThrow('at most')
  })
})

test.each([
  ['*', 'anything', true],
  ['a*c', 'abc', true],
  ['a*c', 'ac', true],
  ['a*b*c', 'a-c-b', false],
  ['*a*', 'bab', true],
  ['aa*aa', 'aaa', false],
])('the pattern %s on %s', (pattern, text, fits) => {
  expect(fitsGlob(pattern, text)).toBe(fits)
})

test('lines of a log after the end are left out, times of the API server as well', () => {
  const log = '2030-01-01T10:00:00.1Z one\n2030-01-01T11:00:00Z two\n  more of two\n2030-01-01T12:00:01Z three\n'
  expect(within(log, new Date('2030-01-01T12:00:00Z'))).toBe('one\ntwo\n  more of two\n')
  expect(within(log, undefined)).toContain('three')
})

test('errors of a log are counted, the critical ones told', () => {
  const log = 'info all is well\nerror lost the way\nerror known and harmless\nwarn certificate has expired today\n'
  expect(errorsOf(log, ['certificate * expired'], ['known'])).toEqual({ critical: ['warn certificate has expired today'], others: 1 })
})

test('tar reads the archive, with long names and empty files', async () => {
  const target = join(folder, 'report.tar.gz')
  const long = `${'folder-with-a-name/'.repeat(6)}${'f'.repeat(80)}`
  async function* files() {
    yield { path: 'report/a.txt', content: Buffer.from('first\n') }
    yield { path: 'report/empty', content: Buffer.alloc(0) }
    yield { path: `report/${long}`, content: Buffer.alloc(2_000, 'x') }
  }
  await writeArchive(target, files(), new Date('2030-01-01T00:00:00Z'))
  execFileSync('tar', ['xzf', target, '-C', folder])
  expect(readFileSync(join(folder, 'report/a.txt'), 'utf8')).toBe('first\n')
  expect(readFileSync(join(folder, 'report/empty'), 'utf8')).toBe('')
  expect(readFileSync(join(folder, 'report', long), 'utf8')).toHaveLength(2_000)
})
