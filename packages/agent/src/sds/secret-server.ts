/**
 * The secret discovery service on a unix socket: gRPC over HTTP/2 without TLS, protected by the socket's mode and the pod's own
 * file system.
 */
import { chmod, mkdir, rm } from 'node:fs/promises'
import http2 from 'node:http2'
import { dirname } from 'node:path'
import { logger } from '@lateen/base'
import { FrameReader, frame } from '../grpc/frames.ts'
import { STATUS } from '../grpc/unary-call.ts'
import { deltaResponse, readDeltaRequest, readRequest, response, type SecretRequest } from './discovery-messages.ts'
import type { EncodedSecret } from './secret.ts'
import type { SecretStore } from './secret-store.ts'

const log = logger('sds')

const SERVICE = '/envoy.service.secret.v3.SecretDiscoveryService/'
/** A request holds names and, the first one, the node with its metadata. */
const MAX_REQUEST = 1 << 20
const MAX_NAMES = 1000

export interface SecretServer {
  /**
   * Fulfilled once every stream that asked for a secret has taken its present version; at once where none has.
   *
   * @throws Error with Envoy's words when it refuses it
   */
  settled(name: string): Promise<void>
  /** Ends all streams and removes the socket. */
  close(): Promise<void>
}

/**
 * Starts serving the store's secrets.
 *
 * @throws Error when the socket cannot be made
 */
export async function startSecretServer(socketPath: string, store: SecretStore): Promise<SecretServer> {
  await mkdir(dirname(socketPath), { recursive: true })
  await rm(socketPath, { force: true })
  const server = http2.createServer()
  const sessions = new Set<http2.ServerHttp2Session>()
  const streams = new Set<StreamState>()
  const waits = new Set<() => void>()
  const answered = () => {
    for (const check of [...waits]) check()
  }
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) =>
    serve(stream, String(headers[':path'] ?? ''), { store, streams, answered }),
  )
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  await chmod(socketPath, 0o660)
  return {
    settled: (name) => settled(name, store, streams, waits),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const session of sessions) session.destroy()
      }),
  }
}

interface StreamState {
  readonly wanted: ReadonlySet<string>
  /** Version last taken, by name. */
  readonly taken: ReadonlyMap<string, string>
  /** Why the last answer was refused; empty when it was not. */
  refusal: string
}

interface ServerState {
  readonly store: SecretStore
  readonly streams: Set<StreamState>
  readonly answered: () => void
}

function settled(name: string, store: SecretStore, streams: ReadonlySet<StreamState>, waits: Set<() => void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const check = () => {
      const version = store.get(name)?.version
      const behind = [...streams].filter(({ wanted, taken }) => version !== undefined && wanted.has(name) && taken.get(name) !== version)
      const refusal = behind.find((stream) => stream.refusal !== '')?.refusal
      if (behind.length > 0 && !refusal) return
      waits.delete(check)
      if (refusal) reject(new Error(`Envoy refuses the secret ${name}: ${refusal}`))
      else resolve()
    }
    waits.add(check)
    check()
  })
}

function serve(stream: http2.ServerHttp2Stream, path: string, state: ServerState): void {
  stream.on('error', () => stream.destroy())
  switch (path) {
    case `${SERVICE}StreamSecrets`:
      return serveStream(stream, state, false)
    case `${SERVICE}DeltaSecrets`:
      return serveStream(stream, state, true)
    default:
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': STATUS.unimplemented }, { endStream: true })
  }
}

function serveStream(stream: http2.ServerHttp2Stream, { store, streams, answered }: ServerState, delta: boolean): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': STATUS.ok }))
  const reader = new FrameReader(MAX_REQUEST)
  const wanted = new Set<string>()
  /** Version last sent, by name: Envoy is sent a secret again only when it is another. */
  const sent = new Map<string, string>()
  /** What each answer held that Envoy has not spoken of yet, by nonce. */
  const pending = new Map<string, readonly EncodedSecret[]>()
  const taken = new Map<string, string>()
  const state: StreamState = { wanted, taken, refusal: '' }
  streams.add(state)
  let nonce = 0

  const push = () => {
    const changed: EncodedSecret[] = []
    for (const name of wanted) {
      const secret = store.get(name)
      if (secret && sent.get(name) !== secret.version) changed.push(secret)
    }
    if (changed.length === 0 || stream.destroyed) return
    for (const secret of changed) sent.set(secret.name, secret.version)
    // State of the world knows no partial answers: what was sent before is sent with it.
    const secrets = delta ? changed : [...wanted].flatMap((name) => store.get(name) ?? [])
    nonce++
    pending.set(String(nonce), secrets)
    stream.write(frame(delta ? deltaResponse(secrets, String(nonce)) : response(secrets, String(nonce))))
  }
  const take = (request: SecretRequest) => {
    const spokenOf = pending.get(request.nonce)
    pending.delete(request.nonce)
    if (spokenOf) state.refusal = request.refusal ?? ''
    if (request.refusal === undefined) for (const { name, version } of spokenOf ?? []) taken.set(name, version)
    if (request.refusal !== undefined) log.warn(`Envoy refuses the secret ${[...wanted].join(', ')}: ${request.refusal}`)
    // State of the world names everything wanted in each request; an empty list in an ACK never happens for secrets.
    if (!delta) for (const name of wanted) if (!request.names.includes(name)) forget(name)
    for (const name of request.unsubscribed) forget(name)
    for (const name of request.names) if (wanted.size < MAX_NAMES) wanted.add(name)
    push()
    if (spokenOf) answered()
  }
  const forget = (name: string) => {
    wanted.delete(name)
    sent.delete(name)
    taken.delete(name)
  }
  const stop = store.subscribe(push)
  stream.on('data', (chunk: Buffer) => {
    try {
      for (const message of reader.push(chunk)) take(delta ? readDeltaRequest(message) : readRequest(message))
    } catch (error) {
      log.warn(`a client of the secret service is cut off: ${error instanceof Error ? error.message : String(error)}`)
      stream.destroy()
    }
  })
  stream.on('end', () => stream.end())
  stream.on('close', () => {
    stop()
    streams.delete(state)
    answered()
  })
}
