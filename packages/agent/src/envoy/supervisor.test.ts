import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setLogSink } from '@lateen/base'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { eventually } from '../../testdata/agent-harness.ts'
import { EnvoySupervisor } from './supervisor.ts'

let folder = ''
let lines: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'supervisor-'))
  lines = []
  setLogSink((line) => lines.push(line))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Node stands in for Envoy: what is under test is the keeping of a process. */
const supervise = (script: string, config = join(folder, 'config.json')) =>
  new EnvoySupervisor({
    binary: process.execPath,
    args: ['-e', script, '--', '-c', config],
    env: { PATH: process.env.PATH },
    cwd: folder,
    pidFile: join(folder, 'pid'),
    onLine: (line) => lines.push(line),
    restart: { firstMs: 1, maxMs: 2, limit: 3, stableMs: 60_000 },
  })
const FOREVER = 'console.error("up"); setInterval(() => {}, 1000)'

test('passes on every line, and gives up with the process own exit code when restarts do not help', async () => {
  const supervisor = supervise('console.error("cannot bind\\nport taken"); process.exit(7)')
  supervisor.start()
  expect(await supervisor.ended).toBe(7)
  expect(supervisor.restarts).toBe(3)
  expect(lines.filter((line) => line === 'port taken')).toHaveLength(4)
  expect(lines.at(-1)).toContain('Envoy exited with code 7; 3 restarts did not help, giving up')
})

test('a binary that is not there is reported and given up', async () => {
  const supervisor = new EnvoySupervisor({
    binary: join(folder, 'none'),
    args: [],
    env: {},
    cwd: folder,
    pidFile: join(folder, 'pid'),
    onLine: () => undefined,
    restart: { firstMs: 1, maxMs: 1, limit: 1, stableMs: 1000 },
  })
  supervisor.start()
  expect(await supervisor.ended).not.toBe(0)
  expect(lines.join('')).toContain('cannot start')
})

test('stopping ends the process, and 0 is the outcome', async () => {
  const supervisor = supervise(FOREVER)
  supervisor.start()
  await eventually(() => expect(lines).toContain('up'))
  expect(readFileSync(join(folder, 'pid'), 'utf8')).toBe(`${supervisor.pid}\n`)
  await supervisor.stop()
  expect(await supervisor.ended).toBe(0)
  expect(existsSync(join(folder, 'pid'))).toBe(false)
})

test('a process that a killed agent left behind is ended, but no other process that happens to have its number', async () => {
  const config = join(folder, 'config.json')
  const leftBehind = spawn(process.execPath, ['-e', FOREVER, '--', '-c', config], { stdio: 'ignore' })
  const stranger = spawn(process.execPath, ['-e', FOREVER, '--', '-c', '/another/config.json'], { stdio: 'ignore' })
  const gone = once(leftBehind, 'exit')
  writeFileSync(join(folder, 'pid'), `${stranger.pid}\n`)
  const first = supervise(FOREVER)
  first.start()
  await first.stop()
  expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
  stranger.kill('SIGKILL')

  writeFileSync(join(folder, 'pid'), `${leftBehind.pid}\n`)
  const second = supervise(FOREVER)
  second.start()
  expect(await gone).toEqual([null, 'SIGKILL'])
  await second.stop()
})
