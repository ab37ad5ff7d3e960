/** What /proc tells of processes. A process is named by its id and start time, because ids are used again. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export interface ProcessId {
  readonly pid: number
  /** Clock ticks since boot, field 22 of /proc/PID/stat. */
  readonly startTime: string
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** The fields of /proc/PID/stat after the command name, which may hold spaces and parentheses itself. */
function statFields(pid: number): string[] | undefined {
  const stat = read(`/proc/${pid}/stat`)
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

export function identify(pid: number): ProcessId | undefined {
  const startTime = statFields(pid)?.[19]
  return startTime === undefined ? undefined : { pid, startTime }
}

/** Whether the very process still runs; a zombie does not. */
export function isRunning(id: ProcessId): boolean {
  const fields = statFields(id.pid)
  return fields !== undefined && fields[19] === id.startTime && fields[0] !== 'Z' && fields[0] !== 'X'
}

export function childrenOf(pid: number): number[] {
  const text = read(`/proc/${pid}/task/${pid}/children`)
  return (text ?? '').split(' ').filter(Boolean).map(Number)
}

/** All descendants, parents first. */
export function descendantsOf(pid: number): number[] {
  const found: number[] = []
  const open = [pid]
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const children = childrenOf(next)
    found.push(...children)
    open.push(...children)
  }
  return found
}

/** Whether a signal (1-based) would have its default effect in the process: neither caught nor ignored. */
export function hasDefaultAction(pid: number, signal: number): boolean {
  const status = read(`/proc/${pid}/status`) ?? ''
  const mask = (name: string) => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`)
  const bit = 1n << BigInt(signal - 1)
  return ((mask('SigCgt') | mask('SigIgn')) & bit) === 0n
}

/** Sends a signal; false when the process is gone. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name)
    return true
  } catch {
    return false
  }
}

/** The id and command name of the process that holds a socket with this inode, as far as this user may see. */
export function holderOfSocket(inode: string): { readonly pid: number; readonly command: string } | undefined {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      for (const fd of readdirSync(`/proc/${entry}/fd`)) {
        if (readlinkSync(`/proc/${entry}/fd/${fd}`) === `socket:[${inode}]`)
          return { pid: Number(entry), command: (read(`/proc/${entry}/comm`) ?? '').trim() }
      }
    } catch {
      // Processes of others cannot be looked into, and processes end while being looked at.
    }
  }
  return undefined
}
