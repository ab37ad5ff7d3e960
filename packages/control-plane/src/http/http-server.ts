/** A small HTTP(S) server with bounds on everything that a caller can make large or long. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import { logger, type TlsProtocolVersion } from '@lateen/base'
import { ConnectionGuard, countsOnly, peerOf } from '@lateen/base/connections'
import { type Address, formatAddress } from '../options/discovery-options.ts'

export interface HttpRequest {
  readonly method: string
  readonly url: URL
  readonly headers: IncomingMessage['headers']
  readonly remoteAddress: string
  /** The whole body. @throws BodyTooLarge */
  body(): Promise<string>
}

export interface HttpReply {
  readonly status: number
  readonly body: string
  /** `text/plain` unless given. */
  readonly contentType?: string
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpReply> | HttpReply

export interface HttpServerOptions {
  /** For messages: `webhooks`. */
  readonly name: string
  /** The flag that sets the address. */
  readonly flag: string
  readonly address: Address
  readonly handler: HttpHandler
  readonly maxBodyBytes?: number
  /** Times (milliseconds), sizes (bytes) and counts that are others than usual. */
  readonly limits?: Partial<typeof LIMITS>
  readonly tls?: {
    readonly cert: string
    readonly key: string
    readonly minVersion: TlsProtocolVersion
    readonly maxVersion: TlsProtocolVersion
    readonly ciphers: readonly string[]
    readonly groups: readonly string[]
  }
}

export interface RunningHttpServer {
  readonly port: number
  /** Replaces the certificate for new connections. */
  replaceCertificate(cert: string, key: string): void
  close(): Promise<void>
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'
  readonly code = 'BODY_TOO_LARGE'
}

/** A port that cannot be listened on; the message says which flag chooses another. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code = 'LISTEN'
}

const log = logger('http')
const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  // Node looks for connections whose time is over only as often as this.
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 60_000,
  maxHeaderSize: 32 << 10,
  handshakeTimeout: 10_000,
  maxConnections: 1_000,
}
const DEFAULT_MAX_BODY = 1 << 20
/** Requests under way at the end: a page or a review takes milliseconds. */
const CLOSE_MS = 500

/** @throws ListenError */
export async function startHttpServer(options: HttpServerOptions): Promise<RunningHttpServer> {
  const { tls } = options
  const { handshakeTimeout, maxConnections, ...limits } = { ...LIMITS, ...options.limits }
  const listener = (request: IncomingMessage, response: ServerResponse) => void answer(options, request, response)
  const server = tls
    ? https.createServer(
        {
          ...limits,
          ...secureContext(tls),
          handshakeTimeout,
        },
        listener,
      )
    : http.createServer(limits, listener)
  const guard = new ConnectionGuard(countsOnly(maxConnections))
  server.prependListener('connection', (socket: Socket) => void guard.enter(socket))
  server.on('request', ({ socket }: IncomingMessage) => guard.of(peerOf(socket))?.step())
  server.on('clientError', (_: Error, socket: Duplex) => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(options.name, options.flag, options.address, error)))
    server.listen({ port: options.address.port, ...(options.address.host ? { host: options.address.host } : {}) }, resolve)
  })
  server.removeAllListeners('error')
  server.on('error', (error) => log.error(`${options.name}: ${error.message}`))
  const bound = server.address()
  return {
    port: isAddressInfo(bound) ? bound.port : options.address.port,
    replaceCertificate: (cert, key) => {
      if (tls && server instanceof https.Server) server.setSecureContext(secureContext({ ...tls, cert, key }))
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), CLOSE_MS).unref()
      }),
  }
}

function secureContext({
  cert,
  key,
  minVersion,
  maxVersion,
  ciphers,
  groups,
}: NonNullable<HttpServerOptions['tls']>): SecureContextOptions {
  return {
    cert,
    key,
    minVersion,
    maxVersion,
    ...(ciphers.length > 0 ? { ciphers: ciphers.join(':') } : {}),
    ...(groups.length > 0 ? { ecdhCurve: groups.join(':') } : {}),
  }
}

const isAddressInfo = (address: string | AddressInfo | null): address is AddressInfo => typeof address === 'object' && address !== null

/** Words why a port cannot be used, and what to do. */
export function listenError(name: string, flag: string, address: Address, cause: unknown): ListenError {
  const text = cause instanceof Error ? cause.message : String(cause)
  const where = formatAddress(address)
  if (text.includes('EADDRINUSE')) {
    return new ListenError(`cannot listen on ${where} (${name}): the port is in use; stop what uses it, or choose another with --${flag}`, {
      cause,
    })
  }
  if (text.includes('EACCES'))
    return new ListenError(`cannot listen on ${where} (${name}): ports under 1024 need more rights; choose another with --${flag}`, {
      cause,
    })
  return new ListenError(`cannot listen on ${where} (${name}): ${text}; choose another address with --${flag}`, { cause })
}

async function answer(options: HttpServerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let reply: HttpReply
  try {
    reply = await options.handler({
      method: request.method ?? 'GET',
      url: new URL(request.url ?? '/', 'http://localhost'),
      headers: request.headers,
      remoteAddress: request.socket.remoteAddress ?? '',
      body: () => readBody(request, options.maxBodyBytes ?? DEFAULT_MAX_BODY),
    })
  } catch (error) {
    reply = replyOf(error)
  }
  const body = Buffer.from(reply.body)
  response.writeHead(reply.status, {
    'content-type': reply.contentType ?? 'text/plain; charset=utf-8',
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  })
  response.end(body)
}

function replyOf(error: unknown): HttpReply {
  if (error instanceof BodyTooLarge) return { status: 413, body: `${error.message}\n` }
  if (error instanceof TypeError && 'code' in error && error.code === 'ERR_INVALID_URL')
    return { status: 400, body: 'the request target is no path\n' }
  // The caller has gone: whoever may call may do so as often as they like.
  if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return { status: 400, body: 'the request was cut off\n' }
  log.error('a request failed', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  return { status: 500, body: 'the request failed; see the log of the control plane\n' }
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    size += chunk.length
    if (size > maxBytes) throw new BodyTooLarge(`the body is larger than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

/** Pretty-printed JSON. */
export function jsonReply(value: unknown, status = 200): HttpReply {
  return { status, body: `${JSON.stringify(value, null, 2)}\n`, contentType: 'application/json' }
}
