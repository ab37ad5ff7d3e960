/**
 * Ports of the cluster on this machine's 127.0.0.1.
 *
 * The supervisor, in the host's network, holds the listening sockets and hands each accepted connection to the cluster process over the
 * child's IPC channel; the cluster process connects it to the Service or pod. So the ports stay open while the cluster process restarts.
 */
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server, Socket } from 'node:net'
import { logger } from '@lateen/base'
import { holderOfSocket } from '../node/process-table.ts'

const log = logger('network')

/** One port that the cluster wants on the host; `owner` is how messages name who wants it. */
export interface HostPortWish {
  readonly key: string
  readonly port: number
  readonly owner: string
}

export interface HostPortState {
  readonly key: string
  readonly port: number
  /** Why the port could not be had, and what to do. */
  readonly error?: string
}

type FromCluster =
  | { readonly lateen: 'host-ports'; readonly wishes: readonly HostPortWish[]; readonly more: boolean }
  | { readonly lateen: 'host-connection-taken'; readonly id: number }
type FromSupervisor =
  | { readonly lateen: 'host-ports-state'; readonly states: readonly HostPortState[] }
  | { readonly lateen: 'host-connection'; readonly key: string; readonly id: number }

const LISTEN_ADDRESS = '127.0.0.1'
const MOST_PORTS = 256
/** Connections that wait for a cluster process that is just being restarted. */
const MOST_HELD = 128
const HELD_MS = 10_000

interface Open {
  readonly server: Server
  readonly port: number
  readonly owner: string
}

/** The supervisor's half. Give it each new cluster process with `attach`. */
export class HostPorts {
  readonly #open = new Map<string, Open>()
  readonly #failed = new Map<string, HostPortState>()
  readonly #held: { readonly key: string; readonly socket: Socket; readonly timer: NodeJS.Timeout }[] = []
  /** Handed over, but not taken yet: a cluster process that is killed just then has not seen them. */
  readonly #handed = new Map<number, { readonly key: string; readonly socket: Socket }>()
  #nextId = 0
  #child: ChildProcess | undefined
  /** What the present child takes connections for. */
  #taking = new Set<string>()
  #work: Promise<void> = Promise.resolve()

  attach(child: ChildProcess): void {
    child.on('message', (message: unknown) => {
      if (!isFromCluster(message)) return
      if (message.lateen === 'host-ports') this.#work = this.#work.then(() => this.#apply(message, child))
      else this.#taken(message.id)
    })
    child.on('exit', () => {
      if (this.#child === child) {
        this.#child = undefined
        this.#taking.clear()
      }
      const lost = [...this.#handed.values()]
      this.#handed.clear()
      for (const { key, socket } of lost) this.#hand(key, socket)
    })
  }

  /** Every port now listened on, and those that could not be had. */
  states(): HostPortState[] {
    return [...[...this.#open].map(([key, { port }]) => ({ key, port })), ...this.#failed.values()]
  }

  close(): void {
    for (const { server } of this.#open.values()) server.close()
    this.#open.clear()
    for (const { socket, timer } of this.#held.splice(0)) {
      clearTimeout(timer)
      socket.destroy()
    }
    for (const id of this.#handed.keys()) this.#taken(id)
  }

  /** This process's copy of the socket is not needed any more; the connection itself goes on in the other process. */
  #taken(id: number): void {
    this.#handed.get(id)?.socket.destroy()
    this.#handed.delete(id)
  }

  async #apply({ wishes, more }: { readonly wishes: readonly HostPortWish[]; readonly more: boolean }, child: ChildProcess): Promise<void> {
    const wanted = new Map(wishes.slice(0, MOST_PORTS).map((wish) => [wish.key, wish]))
    for (const [key, { server, port }] of this.#open) {
      if (wanted.get(key)?.port === port || (more && !wanted.has(key))) continue
      server.close()
      this.#open.delete(key)
    }
    this.#failed.clear()
    for (const wish of wanted.values()) if (!this.#open.has(wish.key)) await this.#listen(wish)
    this.#child = child
    this.#taking = new Set(wanted.keys())
    send(child, { lateen: 'host-ports-state', states: this.states() })
    for (const { key, socket, timer } of this.#held.splice(0)) {
      clearTimeout(timer)
      this.#hand(key, socket)
    }
  }

  async #listen(wish: HostPortWish): Promise<void> {
    const { key, port, owner } = wish
    const same = [...this.#open.values()].find((open) => open.port === port)
    if (same) {
      this.#failed.set(key, { key, port, error: `127.0.0.1:${port} already belongs to ${same.owner}` })
      return
    }
    try {
      this.#open.set(key, { server: await listenOn(port, (socket) => this.#hand(key, socket)), port, owner })
    } catch (error) {
      const message = portProblem(port, error)
      log.warn(`${owner}: ${message}`)
      this.#failed.set(key, { key, port, error: message })
    }
  }

  #hand(key: string, socket: Socket): void {
    socket.on('error', () => socket.destroy())
    if (this.#child?.connected && this.#taking.has(key)) {
      const id = this.#nextId++
      this.#handed.set(id, { key, socket })
      this.#child.send({ lateen: 'host-connection', key, id } satisfies FromSupervisor, socket, { keepOpen: true }, (error) => {
        // The channel closed in this moment; `exit` comes next and hands it to the next process.
        if (error) log.debug(`a connection could not be handed over: ${error.message}`)
      })
      return
    }
    if (this.#held.length >= MOST_HELD) {
      socket.destroy()
      return
    }
    const timer = setTimeout(() => socket.destroy(), HELD_MS)
    timer.unref()
    this.#held.push({ key, socket, timer })
  }
}

function listenOn(port: number, accept: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ pauseOnConnect: true }, accept)
    server.once('error', reject)
    server.listen(port, LISTEN_ADDRESS, () => {
      server.removeListener('error', reject)
      server.on('error', (error) => log.warn(`port ${port}: ${error.message}`))
      resolve(server)
    })
  })
}

/** What a failed listen means to the user. */
export function portProblem(port: number, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') {
    const holder = holderOfPort(port)
    const who = holder ? `process ${holder.pid} (${holder.command})` : 'another process'
    return `cannot listen on 127.0.0.1:${port}: the port is in use by ${who}; stop it or choose another port`
  }
  if (code === 'EACCES') return `cannot listen on 127.0.0.1:${port}: ports below 1024 need root; choose a port from 1024`
  return `cannot listen on 127.0.0.1:${port}: ${error instanceof Error ? error.message : String(error)}`
}

/** The process that listens on a TCP port of this network namespace, as far as this user may see. */
export function holderOfPort(port: number): { readonly pid: number; readonly command: string } | undefined {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of readTable(table)) {
      const fields = row.trim().split(/\s+/)
      // State 0A is LISTEN; the tenth field is the socket's inode.
      if (fields[1]?.endsWith(wanted) && fields[3] === '0A') return holderOfSocket(fields[9] ?? '')
    }
  }
  return undefined
}

function readTable(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(1)
  } catch {
    return []
  }
}

/** Where the connections of a host port go. */
export interface HostPortTarget {
  readonly host: string
  readonly port: number
}

export interface HostPortClaim extends HostPortWish {
  readonly target: HostPortTarget
}

/** What the cluster process asks of whoever holds its ports on the host. */
export interface HostPortHolder {
  /** Says which ports are wanted from now on; `onState` hears what became of them. */
  claim(claims: readonly HostPortClaim[]): void
  /** Like {@link claim} before all is known: ports that a process before this one had stay open, and their connections wait. */
  claimFirst(claims: readonly HostPortClaim[]): void
  onState(listener: (states: readonly HostPortState[]) => void): void
  close(): void
}

const CONNECT_MS = 5_000

/** The cluster process's half, over its own IPC channel (`process`). */
export class HostPortClient implements HostPortHolder {
  readonly #channel: NodeJS.Process
  #targets = new Map<string, HostPortTarget>()
  #listener: (states: readonly HostPortState[]) => void = () => undefined
  readonly #onMessage = (message: unknown, handle: unknown) => this.#receive(message, handle)
  #asked = ''

  /** @throws Error when this process was not started with an IPC channel */
  constructor(channel: NodeJS.Process = process) {
    if (!channel.send) throw new Error('host ports need the IPC channel of a supervisor; start this process with stdio "ipc"')
    this.#channel = channel
    channel.on('message', this.#onMessage)
  }

  onState(listener: (states: readonly HostPortState[]) => void): void {
    this.#listener = listener
  }

  claim(claims: readonly HostPortClaim[]): void {
    this.#ask(claims, { more: false })
  }

  claimFirst(claims: readonly HostPortClaim[]): void {
    this.#ask(claims, { more: true })
  }

  #ask(claims: readonly HostPortClaim[], { more }: { readonly more: boolean }): void {
    this.#targets = new Map(claims.map(({ key, target }) => [key, target]))
    const wishes = claims.map(({ key, port, owner }) => ({ key, port, owner }))
    const text = JSON.stringify({ wishes, more })
    if (text === this.#asked) return
    this.#asked = text
    this.#channel.send?.({ lateen: 'host-ports', wishes, more } satisfies FromCluster)
  }

  close(): void {
    this.#channel.removeListener('message', this.#onMessage)
  }

  #receive(message: unknown, handle: unknown): void {
    if (!isFromSupervisor(message)) return
    if (message.lateen === 'host-ports-state') this.#listener(message.states)
    else if (handle instanceof Socket) {
      this.#channel.send?.({ lateen: 'host-connection-taken', id: message.id } satisfies FromCluster)
      this.#connect(message.key, handle)
    }
  }

  #connect(key: string, client: Socket): void {
    const target = this.#targets.get(key)
    client.on('error', () => client.destroy())
    if (!target) {
      client.destroy()
      return
    }
    const server = connect({ host: target.host, port: target.port, noDelay: true, allowHalfOpen: true })
    client.setNoDelay(true)
    // Half-closed connections are legal; each direction ends by itself.
    client.allowHalfOpen = true
    const deadline = setTimeout(() => server.destroy(new Error('no answer')), CONNECT_MS)
    server.on('connect', () => {
      clearTimeout(deadline)
      server.pipe(client)
      client.pipe(server)
    })
    server.on('error', () => client.destroy())
    server.on('close', () => clearTimeout(deadline))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroySoon())
  }
}

function send(child: ChildProcess, message: FromSupervisor): void {
  if (child.connected) child.send(message, () => undefined)
}

/** Both ends are this program; the checks only tell its messages from others on the same channel. */
function isFromCluster(message: unknown): message is FromCluster {
  if (typeof message !== 'object' || message === null || !('lateen' in message)) return false
  return (
    (message.lateen === 'host-ports' && 'wishes' in message && Array.isArray(message.wishes) && 'more' in message) ||
    (message.lateen === 'host-connection-taken' && 'id' in message)
  )
}

function isFromSupervisor(message: unknown): message is FromSupervisor {
  return (
    typeof message === 'object' &&
    message !== null &&
    'lateen' in message &&
    (message.lateen === 'host-ports-state' || message.lateen === 'host-connection')
  )
}
