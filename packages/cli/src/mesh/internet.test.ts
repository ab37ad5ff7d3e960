import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { homeAt, makeHome } from './home.ts'
import { chooseInternet } from './internet.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lateen-internet-'))
  writeFileSync(join(folder, 'slirp4netns'), '', { mode: 0o755 })
})
afterEach(() => rmSync(folder, { recursive: true }))

test('the user decides, and what was decided stays', () => {
  const home = homeAt(join(folder, 'mesh'))
  makeHome(home)
  const choose = (given?: string) => chooseInternet(home, given, { PATH: folder })
  expect([choose(), choose('off'), choose(), choose(''), choose('on'), choose()]).toEqual(['on', 'off', 'off', 'off', 'on', 'on'])
})

test('a word that means nothing opens no way out', () => {
  const home = homeAt(join(folder, 'mesh'))
  expect(() => chooseInternet(home, 'no', { PATH: folder })).toThrow('LATEEN_INTERNET: "no" is not one of on, off')
})
