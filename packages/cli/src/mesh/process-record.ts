/** Processes remembered across restarts: an id alone would name a stranger after a while, an id with a start time does not. */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface ProcessRecord {
  readonly pid: number
  /** Clock ticks after boot, from /proc. */
  readonly started: string
}

export function recordOf(pid: number): ProcessRecord {
  return { pid, started: startOf(pid) ?? '' }
}

export function isAlive({ pid, started }: ProcessRecord): boolean {
  return started !== '' && startOf(pid) === started
}

export function isProcessRecord(value: unknown): value is ProcessRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    Number.isInteger(value.pid) &&
    'started' in value &&
    typeof value.started === 'string'
  )
}

/** Sends a signal if the process is still the one recorded; answers whether it was. */
export function signal(record: ProcessRecord, name: NodeJS.Signals): boolean {
  if (!isAlive(record)) return false
  try {
    process.kill(record.pid, name)
    return true
  } catch {
    return false
  }
}

/** Asks a process to end, then ends it. Resolves to whether it is gone. */
export async function end(record: ProcessRecord, graceMs: number): Promise<boolean> {
  if (!signal(record, 'SIGTERM')) return true
  if (await gone(record, graceMs)) return true
  signal(record, 'SIGKILL')
  return gone(record, 5_000)
}

/** Ids of the processes that a process has started and that still run. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

/** Waits for a process that is not a child of ours: the kernel tells nobody but its parent. */
export async function gone(record: ProcessRecord, limitMs: number): Promise<boolean> {
  const end = Date.now() + limitMs
  while (isAlive(record)) {
    if (Date.now() > end) return false
    await delay(50)
  }
  return true
}

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie has ended; only its parent has not looked yet.
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
