/**
 * Bounds on the connections of a port, most of all on those whose other end has yet to show who it is.
 *
 * Enters: sockets as they are accepted. Leaves: sockets ended that are too many, too slow or have sent too much. At a bound the newcomer
 * is let in and the one that has gone longest without coming further gives way: whoever is really there comes further within
 * milliseconds, and a flood of connections that do nothing ends itself.
 */
import { addressBlock } from './address-block.ts'

export interface ConnectionLimits {
  /** Open connections. */
  readonly total: number
  /** Of those, such as are not proven. */
  readonly unproven: number
  /** Of those, from one IPv4 address or one IPv6 network of 64 bits. Proven ones are not counted by address. */
  readonly unprovenPerAddress: number
  /** How long a connection may take to be proven, in milliseconds; the time in which a proof is examined does not count. */
  readonly proofMs: number
  /** Bytes that a connection may have sent before it is proven, and all unproven ones together. */
  readonly unprovenBytes: number
  readonly unprovenBytesTogether: number
  /** Calls that may be opened on a connection before it is proven. */
  readonly unprovenCalls: number
}

/** For ports on which nobody proves anything: the number of connections alone; times and sizes of requests are the server's. */
export function countsOnly(total: number): ConnectionLimits {
  const none = Number.POSITIVE_INFINITY
  return {
    total,
    unproven: total,
    // What is left is for others than the one who takes all that there is.
    unprovenPerAddress: Math.ceil(total / 2),
    proofMs: none,
    unprovenBytes: none,
    unprovenBytesTogether: none,
    unprovenCalls: none,
  }
}

/** As much of a socket as is needed. */
export interface GuardedSocket {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly bytesRead: number
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

/** Why a connection was ended. */
export type Ending = 'too many' | 'too slow' | 'too much'

const LONGEST_SWEEP_MS = 500

export class ConnectionGuard {
  readonly #limits: ConnectionLimits
  readonly #onEnd: (why: Ending, address: string) => void
  readonly #all = new Set<GuardedConnection>()
  readonly #byPeer = new Map<string, GuardedConnection>()
  /** In the order of their last step; those whose proof is being examined are counted, but do not give way. */
  readonly #waiting = new Queues()
  #sweeping: NodeJS.Timeout | undefined

  constructor(limits: ConnectionLimits, onEnd: (why: Ending, address: string) => void = () => undefined) {
    this.#limits = limits
    this.#onEnd = onEnd
  }

  /** Open connections, and how many of them are not proven. */
  get count(): { readonly total: number; readonly unproven: number } {
    return { total: this.#all.size, unproven: this.#waiting.size }
  }

  /** The connection of a peer, as {@link peerOf} calls it. */
  of(peer: string): GuardedConnection | undefined {
    return this.#byPeer.get(peer)
  }

  /** Counts a connection until it closes; undefined when there is no room, and then the socket has been ended. */
  enter(socket: GuardedSocket): GuardedConnection | undefined {
    const block = addressBlock(socket.remoteAddress ?? '')
    const { total, unproven, unprovenPerAddress } = this.#limits
    const hasRoom =
      (this.#waiting.sizeOf(block) < unprovenPerAddress || this.#giveWay(block)) &&
      ((this.#waiting.size < unproven && this.#all.size < total) || this.#giveWay(undefined))
    if (!hasRoom) {
      socket.destroy()
      this.#onEnd('too many', socket.remoteAddress ?? '')
      return undefined
    }
    const connection = new GuardedConnection(socket, block, this.#limits, {
      step: () => this.#all.has(connection) && this.#waiting.last(connection),
      proven: () => this.#waiting.delete(connection),
      tooMuch: () => this.#end(connection, 'too much'),
    })
    this.#all.add(connection)
    this.#byPeer.set(connection.peer, connection)
    this.#waiting.last(connection)
    socket.once('close', () => this.#forget(connection))
    this.#sweeping ??= setInterval(() => this.#sweep(), Math.min(LONGEST_SWEEP_MS, this.#limits.proofMs / 4))
    this.#sweeping.unref?.()
    return connection
  }

  /** Ends all connections. */
  close(): void {
    for (const { socket } of this.#all) socket.destroy()
    for (const connection of [...this.#all]) this.#forget(connection)
  }

  #giveWay(block: string | undefined): boolean {
    const longest = this.#waiting.longest(block)
    if (longest) this.#end(longest, 'too many')
    return longest !== undefined
  }

  #end(connection: GuardedConnection, why: Ending): void {
    if (!this.#all.has(connection)) return
    this.#forget(connection)
    connection.socket.destroy()
    this.#onEnd(why, connection.socket.remoteAddress ?? connection.block)
  }

  #forget(connection: GuardedConnection): void {
    this.#all.delete(connection)
    this.#waiting.delete(connection)
    if (this.#byPeer.get(connection.peer) === connection) this.#byPeer.delete(connection.peer)
    if (this.#all.size > 0) return
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
  }

  #sweep(): void {
    const { proofMs, unprovenBytes, unprovenBytesTogether } = this.#limits
    const late = performance.now() - proofMs
    let together = 0
    for (const connection of this.#waiting.all()) {
      if (connection.countsFrom < late) this.#end(connection, 'too slow')
      else if (connection.socket.bytesRead > unprovenBytes) this.#end(connection, 'too much')
      else together += connection.socket.bytesRead
    }
    if (together <= unprovenBytesTogether) return
    const bySize = [...this.#waiting.all()].sort((a, b) => b.socket.bytesRead - a.socket.bytesRead)
    for (const connection of bySize) {
      if (together <= unprovenBytesTogether) return
      together -= connection.socket.bytesRead
      this.#end(connection, 'too much')
    }
  }
}

/** `10.0.0.1:4711`, `fd00::1:4711`: how gRPC calls the other end of a connection; the same for a TLS socket and the one below it. */
export const peerOf = (socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined }): string =>
  `${socket.remoteAddress}:${socket.remotePort}`

interface Steps {
  readonly step: () => unknown
  readonly proven: () => void
  readonly tooMuch: () => void
}

/** A connection that was let in. */
export class GuardedConnection {
  readonly socket: GuardedSocket
  readonly peer: string
  /** What it is counted under. */
  readonly block: string
  readonly #limits: ConnectionLimits
  readonly #steps: Steps
  #since = performance.now()
  #examined = 0
  #calls = 0
  #proven = false

  constructor(socket: GuardedSocket, block: string, limits: ConnectionLimits, steps: Steps) {
    this.socket = socket
    this.peer = peerOf(socket)
    this.block = block
    this.#limits = limits
    this.#steps = steps
  }

  get isProven(): boolean {
    return this.#proven
  }

  /** Whether it must not give way to others. */
  get isExamined(): boolean {
    return this.#examined > 0
  }

  /** When its time began, on the clock of `performance.now()`. */
  get countsFrom(): number {
    return this.isExamined ? Number.POSITIVE_INFINITY : this.#since
  }

  /** It has come further: others give way before it. */
  step(): void {
    if (!this.#proven) this.#steps.step()
  }

  /** Another call was opened on it. */
  call(): void {
    if (this.#proven) return
    this.#calls += 1
    if (this.#calls > this.#limits.unprovenCalls) this.#steps.tooMuch()
    else if (this.#calls === 1) this.#steps.step()
  }

  /** A proof is being examined, until the result is called. */
  examine(): () => void {
    if (this.#proven) return () => undefined
    const began = performance.now()
    this.#examined += 1
    this.#steps.step()
    let ended = false
    return () => {
      if (ended) return
      ended = true
      this.#examined -= 1
      if (this.#examined === 0) this.#since += performance.now() - began
      this.step()
    }
  }

  /** Its other end has proven who it is. */
  prove(): void {
    this.#proven = true
    this.#steps.proven()
  }
}

/** Connections in the order of their last step, of all addresses and of each. */
class Queues {
  readonly #everyone = new Set<GuardedConnection>()
  readonly #byBlock = new Map<string, Set<GuardedConnection>>()

  get size(): number {
    return this.#everyone.size
  }

  sizeOf(block: string): number {
    return this.#byBlock.get(block)?.size ?? 0
  }

  all(): Iterable<GuardedConnection> {
    return this.#everyone
  }

  /** Puts it at the end, whether or not it was there. */
  last(connection: GuardedConnection): void {
    const ofBlock = this.#byBlock.get(connection.block) ?? new Set()
    this.#byBlock.set(connection.block, ofBlock)
    for (const queue of [this.#everyone, ofBlock]) {
      queue.delete(connection)
      queue.add(connection)
    }
  }

  delete(connection: GuardedConnection): void {
    this.#everyone.delete(connection)
    const ofBlock = this.#byBlock.get(connection.block)
    ofBlock?.delete(connection)
    if (ofBlock?.size === 0) this.#byBlock.delete(connection.block)
  }

  /** The one that has gone longest without a step and may give way. */
  longest(block: string | undefined): GuardedConnection | undefined {
    const queue = block === undefined ? this.#everyone : (this.#byBlock.get(block) ?? [])
    for (const connection of queue) if (!connection.isExamined) return connection
    return undefined
  }
}
