/**
 * The node: one set of namespaces (network, mounts, processes; for an ordinary user also a user namespace) in which the cluster process
 * and all pods live. Nothing of it shows outside.
 *
 * A tiny first process holds the namespaces, so that pods live on while the cluster process is restarted; when it ends, the kernel ends
 * everything inside. It outlives the supervisor too: the next one finds it by its file.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { childrenOf, identify, isRunning, type ProcessId, signal } from './node/process-table.ts'
import { runCommand } from './node/run-command.ts'

/** `root`: all ids exist. `range`: a range of ids is mapped, so that a pod's user 1337 exists. `single`: only the user's own id. */
export type UidMapping = 'root' | 'range' | 'single'

export interface NodeNamespaces {
  readonly uidMapping: UidMapping
  /** Whether the namespaces were there already, perhaps with running pods. */
  readonly adopted: boolean
  /** First process inside, as seen from outside. */
  readonly pid: number
  /** Starts a program inside. Add `ipc` to `stdio` as usual. Ask it to end over IPC: a signal reaches only the entering program. */
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess
  /** Ends everything inside at once. */
  destroy(): Promise<void>
}

export interface EnterNodeOptions {
  readonly stateDir: string
}

export class NodeError extends Error {
  override readonly name = 'NodeError'
  readonly code = 'NODE'
}

interface Holder {
  readonly outer: ProcessId
  readonly inner: ProcessId
  readonly uidMapping: UidMapping
}

const HOLD = 'trap "exit 0" TERM; echo held; while :; do sleep 86400 & wait $!; done'
const READY_MS = 10_000

/**
 * Finds or makes the node's namespaces.
 *
 * @throws NodeError saying what this machine does not allow and how to change it
 */
export async function enterNode(options: EnterNodeOptions): Promise<NodeNamespaces> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 })
  const file = join(options.stateDir, 'node.json')
  const known = loadHolder(file)
  if (known && isRunning(known.inner)) return namespaces(known, file, true)
  const made = await makeHolder()
  writeFileSync(file, JSON.stringify(made), { mode: 0o600 })
  return namespaces(made, file, false)
}

/** Ends the node of a state directory, if there is one; for `down` after a crash. */
export async function destroyNode(stateDir: string): Promise<boolean> {
  const file = join(stateDir, 'node.json')
  const known = loadHolder(file)
  if (!known || !isRunning(known.inner)) {
    rmSync(file, { force: true })
    return false
  }
  await namespaces(known, file, true).destroy()
  return true
}

function namespaces(holder: Holder, file: string, adopted: boolean): NodeNamespaces {
  return {
    uidMapping: holder.uidMapping,
    adopted,
    pid: holder.inner.pid,
    spawn: (command, args, options) => {
      const user = holder.uidMapping === 'root' ? [] : ['--user', '--preserve-credentials']
      return spawn('nsenter', ['-t', String(holder.inner.pid), ...user, '--net', '--mount', '--pid', '--', command, ...args], options)
    },
    destroy: async () => {
      signal(holder.inner.pid, 'SIGKILL')
      for (let waited = 0; isRunning(holder.inner) && waited < 5_000; waited += 20) await new Promise((resolve) => setTimeout(resolve, 20))
      if (isRunning(holder.outer)) signal(holder.outer.pid, 'SIGKILL')
      rmSync(file, { force: true })
    },
  }
}

async function makeHolder(): Promise<Holder> {
  if (process.getuid?.() === 0) return hold('root')
  if (idRanges()) {
    try {
      return await hold('range')
    } catch (error) {
      // A range in /etc/subuid that newuidmap refuses still leaves the user's own id.
      if (!(error instanceof NodeError)) throw error
    }
  }
  return hold('single')
}

async function hold(uidMapping: UidMapping): Promise<Holder> {
  const isolate = [
    '--net',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child=SIGKILL',
    '--mount-proc',
    '--propagation',
    'private',
    'sh',
    '-c',
    HOLD,
  ]
  // The user namespace comes first and waits until its ids are mapped; only a mapped root keeps its rights.
  const words =
    uidMapping === 'root' ? isolate : ['--user', 'sh', '-c', `read -r mapped && exec unshare ${isolate.slice(0, -1).join(' ')} "$0"`, HOLD]
  const child = spawn('unshare', words, {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
  })
  const problem = collect(child)
  try {
    if (uidMapping !== 'root') await mapIds(child, uidMapping)
    await lineOf(child, 'held')
  } catch (error) {
    child.kill('SIGKILL')
    throw new NodeError(`${explain(uidMapping)}: ${problem().trim() || (error instanceof Error ? error.message : String(error))}`)
  }
  const outer = identify(child.pid ?? 0)
  const inner = identify(childrenOf(child.pid ?? 0)[0] ?? 0)
  if (!outer || !inner) throw new NodeError('the first process of the node ended at once')
  child.unref()
  for (const stream of child.stdio) if (stream && 'destroy' in stream) stream.destroy()
  return { outer, inner, uidMapping }
}

/** Ids of this process; the name too, where the user has an entry in /etc/passwd (in containers it often has none). */
function whoAmI(): { readonly uid: number; readonly gid: number; readonly username: string | undefined } {
  const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  try {
    return { ...ids, username: userInfo().username }
  } catch {
    return { ...ids, username: undefined }
  }
}

async function mapIds(child: ChildProcess, mapping: UidMapping): Promise<void> {
  const pid = child.pid ?? 0
  const { uid, gid } = whoAmI()
  await inNewUserNamespace(pid)
  const ranges = mapping === 'range' ? idRanges() : undefined
  if (ranges) {
    await runCommand('newuidmap', [String(pid), '0', String(uid), '1', '1', String(ranges.uid.start), String(ranges.uid.count)])
    await runCommand('newgidmap', [String(pid), '0', String(gid), '1', '1', String(ranges.gid.start), String(ranges.gid.count)])
  } else {
    writeFileSync(`/proc/${pid}/setgroups`, 'deny')
    writeFileSync(`/proc/${pid}/uid_map`, `0 ${uid} 1`)
    writeFileSync(`/proc/${pid}/gid_map`, `0 ${gid} 1`)
  }
  child.stdin?.on('error', () => undefined)
  child.stdin?.end('mapped\n')
}

/** Waits until the child has made its user namespace: before, the map that would be written is that of the host. */
async function inNewUserNamespace(pid: number): Promise<void> {
  const own = readlinkSync('/proc/self/ns/user')
  for (let waited = 0; waited < READY_MS; waited += 5) {
    try {
      if (readlinkSync(`/proc/${pid}/ns/user`) !== own) return
    } catch {
      throw new Error('user namespaces are not allowed')
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  throw new Error('no user namespace came into being')
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    if (text.length < 4096) text += chunk.toString()
  })
  return () => text
}

function lineOf(child: ChildProcess, wanted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`no answer within ${READY_MS / 1000} s`)), READY_MS)
    const settle = (done: () => void) => {
      clearTimeout(deadline)
      done()
    }
    child.stdout?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes(wanted)) settle(resolve)
    })
    child.on('error', (error) => settle(() => reject(error)))
    child.on('exit', (code) => setImmediate(() => settle(() => reject(new Error(`unshare ended with exit code ${code}`)))))
  })
}

function explain(mapping: UidMapping): string {
  if (mapping === 'root')
    return 'the namespaces of the node could not be made (root needs CAP_SYS_ADMIN; inside a container run it privileged)'
  return 'this user may not make namespaces; run as root, or allow it with "sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"'
}

interface IdRange {
  readonly start: number
  readonly count: number
}

/** The user's ranges in /etc/subuid and /etc/subgid, when the tools to map them are there. */
export function idRanges(): { readonly uid: IdRange; readonly gid: IdRange } | undefined {
  if (
    !['newuidmap', 'newgidmap'].every((tool) =>
      ['/usr/bin', '/bin', '/usr/local/bin'].some((directory) => existsSync(join(directory, tool))),
    )
  )
    return undefined
  const uid = rangeIn('/etc/subuid')
  const gid = rangeIn('/etc/subgid')
  return uid && gid ? { uid, gid } : undefined
}

/** Pods use ids up to 65534, so a smaller range would not do for all of them; 1337 must at least be in it. */
function rangeIn(file: string): IdRange | undefined {
  const { username, uid } = whoAmI()
  try {
    for (const row of readFileSync(file, 'utf8').split('\n')) {
      const [owner, start, count] = row.split(':')
      if ((owner === username || owner === String(uid)) && Number(count) > 1337)
        return { start: Number(start), count: Math.min(Number(count), 65_536) }
    }
  } catch {
    return undefined
  }
  return undefined
}

function loadHolder(file: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null || !('outer' in value) || !('inner' in value) || !('uidMapping' in value))
      return undefined
    const { outer, inner, uidMapping } = value
    if (!isProcessId(outer) || !isProcessId(inner)) return undefined
    return uidMapping === 'root' || uidMapping === 'range' || uidMapping === 'single' ? { outer, inner, uidMapping } : undefined
  } catch {
    return undefined
  }
}

function isProcessId(value: unknown): value is ProcessId {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startTime' in value &&
    typeof value.startTime === 'string'
  )
}
