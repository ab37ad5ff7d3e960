/** One preparation of a checkout at a time: a lock file that holds the owner's process id and dies with it. */
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_MS = 200
const LONGEST_MS = 20 * 60 * 1000

/**
 * Runs `work` while holding the checkout's lock; waits for another holder, and takes over from one that has died.
 *
 * @throws Error when another process holds the lock for longer than 20 minutes
 */
export async function withLock(root, work) {
  const path = join(root, '.bootstrap.lock')
  await acquire(path)
  try {
    return await work()
  } finally {
    if (owner(path) === me) unlinkSync(path)
  }
}

const me = `${process.pid} ${startTime(process.pid)}`

async function acquire(path) {
  const started = Date.now()
  let told = false
  while (!create(path)) {
    const holder = owner(path)
    if (holder !== undefined && !alive(holder)) {
      release(path, holder)
      continue
    }
    if (!told && Date.now() - started > 1000) {
      process.stderr.write(`lateen: waiting for process ${holder?.split(' ')[0] ?? '?'}, which is preparing this checkout\n`)
      told = true
    }
    if (Date.now() - started > LONGEST_MS)
      throw new Error(`${path} has been held for 20 minutes; remove it if nothing is preparing this checkout`)
    await delay(POLL_MS)
  }
}

function create(path) {
  try {
    writeFileSync(path, me, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    if (error.code === 'EACCES' || error.code === 'EROFS')
      throw new Error(
        `this checkout is not prepared, and this user may not write to it; let its owner run "npm run build" there (${error.message})`,
      )
    throw error
  }
}

function owner(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Two waiters may both see a dead holder: only the one whose reading is still true removes the file. */
function release(path, holder) {
  try {
    if (owner(path) === holder) unlinkSync(path)
  } catch {}
}

function alive(holder) {
  const [pid, started] = holder.split(' ')
  // A holder that has made the file but not yet written into it.
  if (!pid) return true
  return startTime(Number(pid)) === started
}

/** Clock ticks after boot at which the process started: tells a process from a later one with the same id. */
function startTime(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return 'gone'
  }
}
