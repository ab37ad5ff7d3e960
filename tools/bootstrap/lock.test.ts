import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from './lock.mjs'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lateen-lock-'))
})
afterEach(() => rmSync(root, { recursive: true }))

test('two at once run one after the other', async () => {
  const order: string[] = []
  const work = (name: string) => async () => {
    order.push(`${name} begins`)
    await new Promise((resolve) => setImmediate(resolve))
    order.push(`${name} ends`)
  }
  await Promise.all([withLock(root, work('a')), withLock(root, work('b'))])
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
})

test('a lock whose holder has died is taken over', async () => {
  const child = spawn('true')
  await once(child, 'exit')
  writeFileSync(join(root, '.bootstrap.lock'), `${child.pid} 12345`)
  expect(await withLock(root, async () => 'done')).toBe('done')
})

test('the lock is gone afterwards, also when the work fails', async () => {
  await expect(withLock(root, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(existsSync(join(root, '.bootstrap.lock'))).toBe(false)
})
