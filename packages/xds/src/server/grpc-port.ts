/**
 * A port of a gRPC server, with our own listener before it: connections are counted, timed and ended before gRPC sees them, and until a
 * caller has shown who it is, one call at a time is read on its connection.
 *
 * Enters: connections. Leaves: connections given to the gRPC server, already through their TLS handshake.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { ServerHttp2Stream } from 'node:http2'
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net'
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls'
import { Server, ServerCredentials, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js'
import { logger } from '@lateen/base'
import { ConnectionGuard, type ConnectionLimits, type GuardedConnection, peerOf } from '@lateen/base/connections'
import type { CallerProofs } from './caller-proofs.ts'
import { CONNECTION_LIMITS } from './limits.ts'
import type { CertificateStore } from './tls.ts'

const log = logger('grpc')

export interface GrpcPortOptions {
  /** No host means every address, of both families. */
  readonly address: { readonly host?: string | undefined; readonly port: number } | { readonly path: string }
  readonly tls?: {
    readonly certificates: CertificateStore
    readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
    readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
    readonly ciphers?: readonly string[]
    /** Groups of the key exchange. */
    readonly groups?: readonly string[]
  }
  /** Of `@grpc/grpc-js`. */
  readonly serverOptions: Readonly<Record<string, number>>
  readonly limits?: Partial<ConnectionLimits>
  /** Adds services; `proofs` is told what their callers have proven. */
  readonly register: (server: Server, proofs: CallerProofs) => void
}

export interface GrpcPort {
  /** 0 for a path. */
  readonly port: number
  /** Lets calls end within the time given, then cuts them. */
  close(graceMs: number): Promise<void>
}

/** @throws Error of the listening socket */
export async function openGrpcPort(options: GrpcPortOptions): Promise<GrpcPort> {
  const limits = { ...CONNECTION_LIMITS, ...options.limits }
  const callers = new Callers(limits)
  const server = new Server({ ...options.serverOptions, interceptors: [oneCallAtATime(callers)] })
  options.register(server, callers)
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const tls =
    options.tls &&
    startTls(options.tls, limits, (socket) => {
      callers.of(peerOf(socket))?.step()
      injector.injectConnection(socket)
    })
  const listener = createNetServer((socket) => {
    socket.on('error', () => socket.destroy())
    // A Unix socket has no peer to tell it by: who may open the file is trusted.
    if ('port' in options.address && !callers.enter(socket)) return
    if (tls) tls.server.emit('connection', socket)
    else injector.injectConnection(socket)
  })
  const port = await listen(listener, options.address).catch((error: unknown) => {
    tls?.stop()
    server.forceShutdown()
    throw error
  })
  portsByNumber.set(port, callers)
  return {
    port,
    close: async (graceMs) => {
      portsByNumber.delete(port)
      listener.close()
      const timer = setTimeout(() => server.forceShutdown(), graceMs)
      await new Promise<void>((resolve) => server.tryShutdown(() => resolve()))
      clearTimeout(timer)
      tls?.stop()
      callers.close()
    },
  }
}

async function listen(listener: NetServer, address: GrpcPortOptions['address']): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(
      'path' in address ? { path: address.path } : { port: address.port, ...(address.host ? { host: address.host } : {}) },
      () => {
        listener.off('error', reject)
        resolve()
      },
    )
  })
  listener.on('error', (error) => log.error(`a connection could not be accepted: ${error.message}`))
  const bound = listener.address()
  return typeof bound === 'object' && bound !== null ? bound.port : 0
}

/** Takes connections as the event `connection`, and gives away those whose handshake is done. */
function startTls(
  { certificates, minVersion = 'TLSv1.2', maxVersion = 'TLSv1.3', ciphers = [], groups = [] }: NonNullable<GrpcPortOptions['tls']>,
  { proofMs }: ConnectionLimits,
  onSecure: (socket: TLSSocket) => void,
): { readonly server: TlsServer; stop(): void } {
  const context = (): TlsOptions => ({
    cert: certificates.current.certificateChain,
    key: certificates.current.privateKey,
    ca: certificates.current.clientRoots,
    ...(certificates.current.clientLists ? { crl: certificates.current.clientLists } : {}),
    minVersion,
    maxVersion,
    ...(ciphers.length > 0 ? { ciphers: ciphers.join(':') } : {}),
    ...(groups.length > 0 ? { ecdhCurve: groups.join(':') } : {}),
  })
  // A certificate is asked for but not needed: those who have none can still show a token.
  const server = createTlsServer({
    ...context(),
    ALPNProtocols: ['h2'],
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: proofMs,
  })
  server.on('secureConnection', (socket) => {
    socket.on('error', () => socket.destroy())
    onSecure(socket)
  })
  server.on('tlsClientError', (error, socket) => {
    log.debug('a TLS handshake failed', { address: socket.remoteAddress, error })
    socket.destroy()
  })
  const stop = certificates.watch(() => server.setSecureContext(context()))
  return { server, stop }
}

/** Who calls at one port. */
class Callers implements CallerProofs {
  readonly #guard: ConnectionGuard
  readonly #turns = new WeakMap<GuardedConnection, Turns>()

  constructor(limits: ConnectionLimits) {
    this.#guard = new ConnectionGuard(limits, (why, address) => log.debug('ended a connection that had proven nothing', { address, why }))
  }

  of(peer: string): GuardedConnection | undefined {
    return this.#guard.of(peer)
  }

  /** @returns whether it may stay */
  enter(socket: Socket): boolean {
    const connection = this.#guard.enter(socket)
    if (connection) this.#turns.set(connection, new Turns())
    return connection !== undefined
  }

  examine(peer: string): () => void {
    return this.of(peer)?.examine() ?? (() => undefined)
  }

  prove(peer: string): void {
    const connection = this.of(peer)
    if (!connection) return
    connection.prove()
    this.#turns.get(connection)?.all()
  }

  /** Calls `start` when it is the call's turn to be read; the result ends its turn. */
  admit(peer: string, start: () => void): () => void {
    const connection = this.of(peer)
    const turns = connection && !connection.isProven ? this.#turns.get(connection) : undefined
    if (turns) return turns.take(start)
    start()
    return () => undefined
  }

  close(): void {
    this.#guard.close()
  }
}

/** One after the other, until all may. */
class Turns {
  readonly #waiting = new Set<() => void>()
  #taken = false

  /** Calls `start` when it is its turn; the result ends the turn, or the wait for it. */
  take(start: () => void): () => void {
    if (this.#taken) this.#waiting.add(start)
    else this.#begin(start)
    let ended = false
    return () => {
      if (ended || this.#waiting.delete(start)) return
      ended = true
      this.#taken = false
      const [next] = this.#waiting
      if (next) this.#begin(next)
    }
  }

  all(): void {
    for (const start of this.#waiting) {
      this.#waiting.delete(start)
      start()
    }
  }

  #begin(start: () => void): void {
    this.#waiting.delete(start)
    this.#taken = true
    start()
  }
}

/** A call is read once its handler has its metadata: until the one before it has proven something or has ended, the next gets none. */
function oneCallAtATime(callers: Callers): ServerInterceptor {
  return (_, call) => {
    const turn: { end: () => void } = { end: () => undefined }
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            turn.end = callers.admit(call.getPeer(), () => pass(metadata))
          },
          onCancel: () => turn.end(),
        }),
      sendStatus: (status, next) => {
        next(status)
        turn.end()
      },
    })
  }
}

const portsByNumber = new Map<number, Callers>()

/** What gRPC answers by itself, such as a call of a method that is not there, comes by no interceptor. */
subscribe('http2.server.stream.created', (message) => {
  // The channel's documented shape.
  const { stream } = message as { readonly stream: ServerHttp2Stream }
  const socket = stream.session?.socket
  if (socket?.localPort !== undefined) portsByNumber.get(socket.localPort)?.of(peerOf(socket))?.call()
})
