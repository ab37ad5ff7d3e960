import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Home, homeAt, makeHome } from './home.ts'
import { withHomeLock } from './home-lock.ts'

let home: Home
beforeEach(() => {
  home = homeAt(mkdtempSync(join(tmpdir(), 'lateen-home-lock-')))
  makeHome(home)
})
afterEach(() => rmSync(home.root, { recursive: true }))

test('two at once run one after the other', async () => {
  let inside = 0
  const work = async () => {
    expect(++inside).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    inside--
  }
  await Promise.all([withHomeLock(home, work), withHomeLock(home, work)])
  expect(existsSync(join(home.root, 'run/up.lock'))).toBe(false)
})

test('a holder that has died does not keep others out', async () => {
  writeFileSync(join(home.root, 'run/up.lock'), JSON.stringify({ pid: process.pid, started: '1' }))
  expect(await withHomeLock(home, async () => 'in')).toBe('in')
})
