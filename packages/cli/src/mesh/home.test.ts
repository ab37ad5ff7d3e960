import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { homeAt, makeHome, readJson, whyNotWritable, writeJson } from './home.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lateen-home-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('a home is for its owner alone', () => {
  const home = homeAt(join(folder, 'mesh'))
  makeHome(home)
  expect(statSync(home.root).mode & 0o777).toBe(0o700)
})

test('a file in the way is named', () => {
  writeFileSync(join(folder, 'file'), '')
  expect(() => makeHome(homeAt(join(folder, 'file/mesh')))).toThrow(/file\/mesh: a file is in the way.*--home DIR/)
})

test('a full disk is called that', () => {
  expect(whyNotWritable('/mesh', Object.assign(new Error('x'), { code: 'ENOSPC' }))).toBe(
    '/mesh: the disk is full. Free some space there, or name another folder with --home DIR',
  )
})

test('a damaged or missing file reads as nothing', () => {
  mkdirSync(join(folder, 'run'))
  writeJson(join(folder, 'run/x.json'), { a: 1 })
  expect(readJson(join(folder, 'run/x.json'))).toEqual({ a: 1 })
  writeFileSync(join(folder, 'run/x.json'), '{"a":')
  expect(readJson(join(folder, 'run/x.json'))).toBeUndefined()
  expect(readJson(join(folder, 'run/y.json'))).toBeUndefined()
})
