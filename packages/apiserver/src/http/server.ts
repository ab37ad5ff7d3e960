/**
 * HTTP/1.1 and HTTP/2 over TLS: from connections to {@link ApiRequest}s, and back.
 *
 * Enters: connections of listening sockets. Leaves: answers. Bounded: header size and time, body size, the number of
 * connections, and of requests that are not authenticated.
 */
import { createServer as createHttp1, type Server as Http1Server, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  createServer as createHttp2,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
} from 'node:http2'
import type { Server as NetServer, Socket } from 'node:net'
import { createServer as createNet } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTls, type TLSSocket, type Server as TlsServer } from 'node:tls'
import { logger } from '@lateen/base'
import { ConnectionGuard, type ConnectionLimits, peerOf } from '@lateen/base/connections'
import { ANONYMOUS, type User } from '../auth/user.ts'
import { StatusError, tooLarge } from '../errors.ts'
import { isObj, str } from '../values.ts'
import { MAX_BODY } from './body.ts'
import type { ApiAnswer, ApiRequest } from './request.ts'

const log = logger('apiserver')

type HttpRequest = IncomingMessage | Http2ServerRequest
type HttpResponse = ServerResponse | Http2ServerResponse

export interface HttpHandlers {
  /** @throws StatusError 401 */
  authenticate(authorization: string | undefined): User
  handle(request: ApiRequest): Promise<ApiAnswer>
  upgrade(request: ApiRequest, message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void>
}

const MAX_BACKLOG = 16 * 1024 * 1024
const HEADERS_TIMEOUT = 10_000
const BODY_TIMEOUT = 60_000
const IDLE_TIMEOUT = 120_000

/** A token proves who is there; without one, readiness and version are all that there is to ask. */
const CONNECTION_LIMITS: ConnectionLimits = {
  total: 4_000,
  unproven: 1_000,
  unprovenPerAddress: 500,
  proofMs: 30_000,
  unprovenBytes: 4 << 20,
  unprovenBytesTogether: 64 << 20,
  unprovenCalls: 1_000,
}

export class HttpFront {
  readonly #tls: TlsServer
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #handlers: HttpHandlers
  readonly #sockets = new Set<Socket>()
  readonly #guard = new ConnectionGuard(CONNECTION_LIMITS, (why, address) =>
    log.debug('ended a connection that had proven nothing', { address, why }),
  )
  readonly #sessions = new Set<Http2Session>()
  readonly #listeners: NetServer[] = []
  readonly #waiting = new RequestDeadlines()
  #closing = false

  constructor(tls: { key: string; cert: string }, handlers: HttpHandlers) {
    this.#handlers = handlers
    this.#http1 = createHttp1({
      maxHeaderSize: 32 * 1024,
      keepAliveTimeout: IDLE_TIMEOUT,
      requestTimeout: 0,
      headersTimeout: HEADERS_TIMEOUT,
    })
    this.#http1.on('request', (request, response) => {
      this.#waiting.clear(request.socket)
      response.on('close', () => this.#waiting.start(request.socket, IDLE_TIMEOUT))
      void this.#serve(request, response)
    })
    this.#http1.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#waiting.clear(request.socket)
      void this.#upgrade(request, socket, head)
    })
    this.#http2 = createHttp2({
      maxSessionMemory: 64,
      settings: { maxConcurrentStreams: 250, maxHeaderListSize: 32 * 1024, initialWindowSize: 256 * 1024 },
    })
    this.#http2.on('session', (session) => {
      this.#sessions.add(session)
      session.on('close', () => this.#sessions.delete(session))
      session.on('error', (error) => log.debug('http2 session', { error }))
      const silent = setTimeout(() => session.destroy(), HEADERS_TIMEOUT)
      session.once('stream', () => clearTimeout(silent))
      session.once('close', () => clearTimeout(silent))
    })
    this.#http2.on('request', (request, response) => void this.#serve(request, response))
    this.#tls = createTls({ ...tls, ALPNProtocols: ['h2', 'http/1.1'], handshakeTimeout: HEADERS_TIMEOUT, minVersion: 'TLSv1.2' })
    this.#tls.on('secureConnection', (socket: TLSSocket) => {
      socket.setNoDelay(true)
      this.#guard.of(peerOf(socket))?.step()
      if (socket.alpnProtocol === 'h2') this.#http2.emit('connection', socket)
      else {
        this.#waiting.start(socket, HEADERS_TIMEOUT)
        this.#http1.emit('connection', socket)
      }
    })
    this.#tls.on('tlsClientError', (error) => log.debug('TLS handshake', { error }))
  }

  /** Serves the connections that a listening socket accepts. */
  add(server: NetServer): void {
    this.#listeners.push(server)
    server.on('connection', (socket: Socket) => this.#accept(socket))
  }

  #accept(socket: Socket): void {
    if (this.#closing) {
      socket.destroy()
      return
    }
    // Who may open a Unix socket's file is trusted.
    if (socket.remoteAddress !== undefined && !this.#guard.enter(socket)) return
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 30_000)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    this.#tls.emit('connection', socket)
  }

  /** @throws Error when the address cannot be listened on */
  async listen(
    listen: { host: string; port: number } | { fd: number } | { path: string },
  ): Promise<{ host: string; port: number } | string> {
    const server = createNet({ pauseOnConnect: false })
    this.add(server)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen('host' in listen ? { host: listen.host, port: listen.port } : listen, () => {
        server.off('error', reject)
        resolve()
      })
    })
    const address = server.address()
    if (address === null || typeof address === 'string') return address ?? ''
    return { host: address.address, port: address.port }
  }

  async #serve(request: HttpRequest, response: HttpResponse): Promise<void> {
    const abort = new AbortController()
    response.on('close', () => abort.abort())
    response.on('error', () => abort.abort())
    try {
      const authorization = request.headers.authorization
      const user = this.#authenticate(request.socket, typeof authorization === 'string' ? authorization : undefined)
      const api = await this.#apiRequest(request, user, abort.signal)
      send(request, response, await this.#handlers.handle(api), abort.signal)
    } catch (error) {
      sendError(request, response, error)
    }
  }

  /** @throws StatusError 401 */
  #authenticate(socket: Socket | undefined, authorization: string | undefined): User {
    const connection = socket && this.#guard.of(peerOf(socket))
    connection?.call()
    const user = this.#handlers.authenticate(authorization)
    if (user !== ANONYMOUS) connection?.prove()
    return user
  }

  async #apiRequest(request: HttpRequest, user: User, signal: AbortSignal): Promise<ApiRequest> {
    const target = request.url ?? '/'
    const question = target.indexOf('?')
    const method = request.method ?? 'GET'
    return {
      method,
      path: question < 0 ? target : target.slice(0, question),
      query: new URLSearchParams(question < 0 ? '' : target.slice(question + 1)),
      header: (name) => {
        const value = request.headers[name]
        return Array.isArray(value) ? value.join(',') : value
      },
      body: method === 'GET' || method === 'HEAD' ? undefined : await readBody(request),
      user,
      signal,
    }
  }

  async #upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const abort = new AbortController()
    socket.on('close', () => abort.abort())
    socket.on('error', () => abort.abort())
    try {
      const user = this.#authenticate(message.socket, message.headers.authorization ?? protocolToken(message))
      const target = message.url ?? '/'
      const question = target.indexOf('?')
      const api: ApiRequest = {
        method: message.method ?? 'GET',
        path: question < 0 ? target : target.slice(0, question),
        query: new URLSearchParams(question < 0 ? '' : target.slice(question + 1)),
        header: (name) => {
          const value = message.headers[name]
          return Array.isArray(value) ? value.join(',') : value
        },
        body: undefined,
        user,
        signal: abort.signal,
      }
      await this.#handlers.upgrade(api, message, socket, head)
    } catch (error) {
      const status = asStatus(error)
      const text = JSON.stringify(status.toStatus())
      socket.end(
        `HTTP/1.1 ${status.code} ${status.reason || 'Error'}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
      )
    }
  }

  /** Stops listening and ends every connection. */
  async close(): Promise<void> {
    this.#closing = true
    const closed = this.#listeners.map(
      (server) => new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve())),
    )
    for (const session of this.#sessions) session.destroy()
    this.#http1.closeAllConnections()
    this.#http1.close()
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }
}

/** Ends connections whose next request does not come whole in time; the server's own check works only on its own listener. */
class RequestDeadlines {
  readonly #timers = new WeakMap<Socket, NodeJS.Timeout>()

  start(socket: Socket, milliseconds: number): void {
    this.clear(socket)
    if (socket.destroyed) return
    const timer = setTimeout(() => socket.destroy(), milliseconds)
    timer.unref()
    this.#timers.set(socket, timer)
  }

  clear(socket: Socket): void {
    clearTimeout(this.#timers.get(socket))
    this.#timers.delete(socket)
  }
}

/** A browser cannot set headers: its token may come as a subprotocol. */
function protocolToken(message: IncomingMessage): string | undefined {
  const prefix = 'base64url.bearer.authorization.k8s.io.'
  const found = (message.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((p) => p.trim())
    .find((p) => p.startsWith(prefix))
  return found === undefined ? undefined : `Bearer ${Buffer.from(found.slice(prefix.length), 'base64url').toString()}`
}

function readBody(request: HttpRequest): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const slow = setTimeout(() => fail(new StatusError(408, 'Timeout', 'the body of the request did not arrive in time')), BODY_TIMEOUT)
    const fail = (error: Error) => {
      clearTimeout(slow)
      request.removeAllListeners('data')
      request.resume()
      reject(error)
    }
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY) {
      fail(tooLarge(`Request entity too large: limit is ${MAX_BODY}`))
      return
    }
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_BODY) fail(tooLarge(`Request entity too large: limit is ${MAX_BODY}`))
      else chunks.push(chunk)
    })
    request.on('end', () => {
      clearTimeout(slow)
      resolve(Buffer.concat(chunks))
    })
    request.on('error', fail)
    request.on('aborted', () => fail(new StatusError(400, 'BadRequest', 'the request was cut off')))
  })
}

function asStatus(error: unknown): StatusError {
  if (error instanceof StatusError) return error
  log.error('a request went wrong', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
  return new StatusError(500, 'InternalError', `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`)
}

function sendError(request: HttpRequest, response: HttpResponse, error: unknown): void {
  const status = asStatus(error)
  if (response.headersSent) {
    response.end()
    return
  }
  const retry = status.details?.retryAfterSeconds
  if (retry !== undefined) response.setHeader('retry-after', String(retry))
  if (status.code === 401) response.setHeader('www-authenticate', 'Bearer')
  send(request, response, { status: status.code, object: status.toStatus() }, AbortSignal.abort())
}

const quoted = (text: string) => text.replace(/[\\"]/g, '\\$&').replace(/[^\x20-\x7e]/g, '?')

type PlainResponse = Pick<ServerResponse, 'setHeader' | 'writeHead' | 'write' | 'end' | 'headersSent' | 'writableLength'>

function plain(response: HttpResponse): PlainResponse {
  // The two kinds of response differ in overloads only, which a union cannot be called through.
  return response as PlainResponse
}

function send(request: HttpRequest, answer: HttpResponse, result: ApiAnswer, signal: AbortSignal): void {
  const response = plain(answer)
  response.setHeader('cache-control', 'no-cache, private')
  response.setHeader('audit-id', crypto.randomUUID())
  if (result.warnings)
    response.setHeader(
      'warning',
      result.warnings.map((w) => `299 - "${quoted(w)}"`),
    )
  if ('start' in result) {
    response.setHeader('content-type', result.contentType)
    response.writeHead(result.status)
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    if ('flushHeaders' in answer) answer.flushHeaders()
    let queued = 0
    const sink = {
      write: (data: string | Uint8Array) => {
        const size = data.length
        queued += size
        response.write(data, () => {
          queued -= size
        })
        return queued < MAX_BACKLOG
      },
      end: () => response.end(),
    }
    void result.start(sink, signal)
    return
  }
  const body = 'data' in result ? result.data : Buffer.from('object' in result ? `${JSON.stringify(result.object)}\n` : result.text)
  response.setHeader('content-type', 'object' in result ? (result.contentType ?? 'application/json') : result.contentType)
  if ('headers' in result && result.headers) for (const [name, value] of Object.entries(result.headers)) response.setHeader(name, value)
  response.setHeader('content-length', body.length)
  response.writeHead(result.status)
  if (request.method === 'HEAD') response.end()
  else response.end(body)
}

/** Whether an error is a listening socket's. */
export function isListenError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && isObj({ code: error.code }) && str(error.code) !== ''
}
