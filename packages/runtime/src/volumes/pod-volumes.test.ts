import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { containerMounts } from './pod-volumes.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-volumes-'))
const volume = join(folder, 'volume')
const outside = join(folder, 'outside')
for (const path of [join(volume, 'data'), outside]) mkdirSync(path, { recursive: true })
writeFileSync(join(outside, 'secret'), 'of somebody else')
symlinkSync(outside, join(volume, 'way-out'))
symlinkSync('../outside', join(volume, 'relative-way-out'))
symlinkSync(join(outside, 'not-there-yet'), join(volume, 'dangling'))
symlinkSync('data', join(volume, 'way-in'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const sourceOf = (subPath: string): string | undefined => {
  const container = { name: 'a', image: 'a', volumeMounts: [{ name: 'files', mountPath: '/files', subPath }] }
  return containerMounts(container, { sources: new Map([['files', volume]]) }, {})[0]?.source
}

describe('the subPath of a mount', () => {
  test.each([
    ['data', 'data'],
    ['way-in', 'data'],
    ['made/when/missing', 'made/when/missing'],
  ])('%s is within its volume', (subPath, at) => {
    expect(sourceOf(subPath)).toBe(join(volume, at))
    expect(existsSync(join(volume, at))).toBe(true)
  })

  test.each(['way-out', 'way-out/secret', 'relative-way-out', 'dangling', 'data/../../outside', '/etc'])(
    '%s leads nowhere else, whatever was written into the volume',
    (subPath) => {
      expect(() => sourceOf(subPath)).toThrow(/leads out of the volume|must be relative/)
      expect(existsSync(join(outside, 'not-there-yet'))).toBe(false)
    },
  )
})
