import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Outside } from './outside.ts'

const folder = mkdtempSync(join(tmpdir(), 'lateen-outside-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A program that is called like slirp4netns: 3 is where it says that it is ready, 4 closes when it is to end. */
function program(name: string, lines: string): string {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o700 })
  return path
}

const outside = (path: string) => new Outside(path, process.pid, { PATH: process.env['PATH'] })

/** Waits until a program has made a file. */
async function made(name: string): Promise<void> {
  const watcher = watch(folder)
  while (!existsSync(join(folder, name))) await once(watcher, 'change')
  watcher.close()
}

test('is open once the device is there, and ends the program when it is closed', async () => {
  const opened = outside(program('ready', `trap 'touch ${folder}/ended; exit 0' TERM; printf 1 >&3; while read -r line <&4; do :; done`))
  await opened.open()
  opened.close()
  await made('ended')
})

test('says what the program said when there is no way out', async () => {
  const failing = outside(program('failing', 'echo "cannot find the tap device" >&2; exit 1'))
  await expect(failing.open()).rejects.toThrow('slirp4netns gives pods no way out: cannot find the tap device')
  await expect(outside(join(folder, 'missing')).open()).rejects.toThrow(/no way out: .*ENOENT/)
})

test('is not left running when it is closed before it is ready', async () => {
  const slow = outside(
    program('slow', `trap 'touch ${folder}/slow-ended; exit 0' TERM; touch ${folder}/started; while read -r line <&4; do :; done`),
  )
  const opening = slow.open()
  const refused = expect(opening).rejects.toThrow('it ended at once')
  await made('started')
  slow.close()
  await refused
  await made('slow-ended')
})
