import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { end, gone, isAlive, recordOf } from './process-record.ts'

async function sleeper(script = 'exec sleep 60'): Promise<ChildProcess & { pid: number }> {
  const child = spawn('sh', ['-c', script], { stdio: 'ignore' })
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error('no process')
  return Object.assign(child, { pid })
}

test('a process is alive until it ends, also while nobody has looked at its exit', async () => {
  const child = await sleeper()
  const record = recordOf(child.pid)
  expect(isAlive(record)).toBe(true)
  child.kill('SIGKILL')
  expect(await gone(record, 5000)).toBe(true)
  expect(isAlive(record)).toBe(false)
})

test('another process with the same id is not taken for the one recorded', () => {
  expect(isAlive({ ...recordOf(process.pid), started: '1' })).toBe(false)
  expect(isAlive(recordOf(2 ** 22 + 1))).toBe(false)
})

test('a process that does not end when asked is ended', async () => {
  const child = await sleeper("trap '' TERM; while :; do sleep 1; done")
  const record = recordOf(child.pid)
  expect(await end(record, 300)).toBe(true)
  expect(isAlive(record)).toBe(false)
})
