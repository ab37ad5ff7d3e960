/** Ports on the loopback address: whether one is free, and who has it when it is not. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'

export interface PortOwner {
  readonly pid: number
  readonly name: string
  /** The home of the mesh that has it; `undefined` for a process that is not Lateen's. */
  readonly home: string | undefined
}

/** Whether 127.0.0.1:`port` can be listened on; `denied` for a port that needs privileges. */
export function probePort(port: number): Promise<'free' | 'taken' | 'denied'> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES' ? 'denied' : 'taken'))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve('free')))
  })
}

/** Who listens on a port; `undefined` when that cannot be seen (another user's process). */
export function ownerOf(port: number): PortOwner | undefined {
  const inodes = listeningInodes(port)
  if (inodes.size === 0) return undefined
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || !holds(entry, inodes)) continue
    return { pid: Number(entry), name: commandOf(entry), home: homeOf(entry) }
  }
  return undefined
}

const LISTEN = '0A'

function listeningInodes(port: number): Set<string> {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0')
  const found = new Set<string>()
  for (const path of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(path).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      if (fields[1]?.endsWith(`:${wanted}`) && fields[3] === LISTEN && fields[9]) found.add(`socket:[${fields[9]}]`)
    }
  }
  return found
}

function holds(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return inodes.has(readlinkSync(`/proc/${pid}/fd/${fd}`))
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}

function commandOf(pid: string): string {
  return read(`/proc/${pid}/comm`).trim() || 'unknown'
}

/** The supervisor names its home on its command line. */
function homeOf(pid: string): string | undefined {
  const words = read(`/proc/${pid}/cmdline`).split('\0')
  const at = words.findIndex((word) => word === 'supervise' || word === 'cluster')
  const home = words.indexOf('--home', at)
  return at >= 0 && home > at ? words[home + 1] : undefined
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
