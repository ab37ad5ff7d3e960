/**
 * Whether the application beside the proxy still runs, as far as its connections tell: the pod's network is shared, its processes are
 * not to be seen. A socket that is neither the agent's nor Envoy's is the application's.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'

/** States of a TCP socket in the kernel's table that a process is behind: established, and listening. */
const OF_A_PROCESS = ['01', '0A']
const STATE = 3
const INODE = 9

/**
 * Sockets in the text of `/proc/net/tcp` that a process holds and that are not among `own`.
 *
 * @param own inodes of the proxy's own sockets
 */
export function foreignSockets(table: string, own: ReadonlySet<string>): number {
  let count = 0
  for (const line of table.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/)
    const inode = columns[INODE] ?? '0'
    if (OF_A_PROCESS.includes(columns[STATE] ?? '') && inode !== '0' && !own.has(inode)) count++
  }
  return count
}

/**
 * Whether anybody but these processes listens or is connected in this network namespace. `false` where that cannot be told.
 *
 * @param pids the agent and Envoy
 */
export async function applicationHasSockets(pids: readonly number[]): Promise<boolean> {
  try {
    const own = new Set((await Promise.all(pids.map(socketsOf))).flat())
    // Sockets opened between the two looks belong to processes that a second look by the caller counts rightly.
    const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readFile(`/proc/self/net/${name}`, 'utf8').catch(() => '')))
    return tables.some((table) => foreignSockets(table, own) > 0)
  } catch {
    return false
  }
}

async function socketsOf(pid: number): Promise<string[]> {
  const folder = `/proc/${pid}/fd`
  const links = await Promise.all((await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => '')))
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? [])
}
