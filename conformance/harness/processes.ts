/** The processes of a mesh as the host sees them, for tests that kill them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mesh } from './mesh.ts'

export interface Sought {
  /** Must match the command line. */
  readonly command: RegExp
  /** Must be in the environment, as `NAME=value`. */
  readonly env?: string
}

/** The process id that the home has written down. */
export function recorded(mesh: Mesh, part: 'supervisor' | 'cluster' | 'node'): number {
  const state: unknown = JSON.parse(readFileSync(join(mesh.home, 'run/state.json'), 'utf8'))
  const record: unknown = typeof state === 'object' && state !== null ? Object.entries(state).find(([key]) => key === part)?.[1] : undefined
  if (typeof record !== 'object' || record === null || !('pid' in record) || typeof record.pid !== 'number') {
    throw new Error(`no ${part} in run/state.json`)
  }
  return record.pid
}

/** Ids of this mesh's processes that match; never those of another mesh. */
export function processesOf(mesh: Mesh, { command, env }: Sought): number[] {
  const parents = new Map(processIds().map((pid) => [pid, parentOf(pid)]))
  const roots = new Set([recorded(mesh, 'supervisor'), recorded(mesh, 'node')])
  const isOurs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) if (roots.has(at)) return true
    return false
  }
  return [...parents.keys()].filter(
    (pid) => command.test(read(pid, 'cmdline').join(' ')) && (!env || read(pid, 'environ').includes(env)) && isOurs(pid),
  )
}

/** Kills with signal 9. @throws Error when nothing matches */
export function kill(mesh: Mesh, sought: Sought): void {
  const found = processesOf(mesh, sought)
  if (found.length === 0) throw new Error(`no process of the mesh matches ${sought.command} ${sought.env ?? ''}`)
  for (const pid of found) process.kill(pid, 'SIGKILL')
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

function read(pid: number, file: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0')
  } catch {
    return []
  }
}
