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
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  server.on('stream', (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) =>
    serve(stream, String(headers[':path'] ?? ''), store),
  )
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve))
  await chmod(socketPath, 0o660)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const session of sessions) session.destroy()
      }),
  }
}

function serve(stream: http2.ServerHttp2Stream, path: string, store: SecretStore): void {
  stream.on('error', () => stream.destroy())
  switch (path) {
    case `${SERVICE}StreamSecrets`:
      return serveStream(stream, store, false)
    case `${SERVICE}DeltaSecrets`:
      return serveStream(stream, store, true)
    default:
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': STATUS.unimplemented }, { endStream: true })
  }
}

function serveStream(stream: http2.ServerHttp2Stream, store: SecretStore, delta: boolean): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': STATUS.ok }))
  const reader = new FrameReader(MAX_REQUEST)
  const wanted = new Set<string>()
  /** Version last sent, by name: Envoy is sent a secret again only when it is another. */
  const sent = new Map<string, string>()
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
    stream.write(frame(delta ? deltaResponse(secrets, String(nonce)) : response(secrets, String(nonce))))
  }
  const take = (request: SecretRequest) => {
    if (request.refusal !== undefined) log.warn(`Envoy refuses the secret ${[...wanted].join(', ')}: ${request.refusal}`)
    // State of the world names everything wanted in each request; an empty list in an ACK never happens for secrets.
    if (!delta) for (const name of wanted) if (!request.names.includes(name)) forget(name)
    for (const name of request.unsubscribed) forget(name)
    for (const name of request.names) if (wanted.size < MAX_NAMES) wanted.add(name)
    push()
  }
  const forget = (name: string) => {
    wanted.delete(name)
    sent.delete(name)
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
  stream.on('close', stop)
}
