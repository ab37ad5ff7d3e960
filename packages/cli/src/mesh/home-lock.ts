/** One `up` of a home at a time: the second waits, and then finds the mesh running. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CommandError } from '../shell/exit-codes.ts'
import type { Home } from './home.ts'
import { isAlive, isProcessRecord, recordOf } from './process-record.ts'

const POLL_MS = 100
const LONGEST_MS = 60_000

/** @throws CommandError when another process holds the lock for a minute */
export async function withHomeLock<T>(home: Home, work: () => Promise<T>): Promise<T> {
  const path = join(home.root, 'run', 'up.lock')
  const end = Date.now() + LONGEST_MS
  while (!create(path)) {
    const holder = holderOf(path)
    // A holder that has died leaves its file; one that has not yet written into it is given the time to.
    if (holder && !isAlive(holder)) rmSync(path, { force: true })
    else if (Date.now() > end)
      throw new CommandError(
        `another lateen up (process ${holder?.pid ?? 'unknown'}) is starting the mesh in ${home.root}; wait for it, or remove ${path}`,
      )
    else await delay(POLL_MS)
  }
  try {
    return await work()
  } finally {
    rmSync(path, { force: true })
  }
}

function create(path: string): boolean {
  try {
    writeFileSync(path, JSON.stringify(recordOf(process.pid)), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

function holderOf(path: string) {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return isProcessRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
