/**
 * HTTP/1.1 to one API server: keep-alive for requests, a connection of its own for each watch, so that a slow watch never holds
 * up a request.
 */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { createAgent } from './agent.ts'
import type { Connection } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { ApiError, CLOSED, ConnectionError, connectionError, KubeConfigError, oneLine } from './errors.ts'
import type { StatusCause } from './types.ts'

export interface TransportOptions {
  /** From sending to the first byte of the answer, and between two parts of it. Default 30 s. */
  readonly timeoutMs?: number
  /** From asking to the last byte of an answer that is no stream; without it, an answer may come as slowly as it likes. */
  readonly answerMs?: number
  /** The largest answer that is read into memory. Default 256 MiB. */
  readonly maxResponseBytes?: number
  /** `User-Agent`. */
  readonly userAgent?: string
}

export interface HttpRequest {
  readonly method: string
  /** Path below the server's URL, with query. */
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
}

export interface Transport {
  /** The text of a successful answer. */
  text(request: HttpRequest): Promise<string>
  /** The body of a successful answer as it comes; ends by `signal` only, or by the server. */
  stream(request: HttpRequest): Promise<IncomingMessage>
  close(): void
}

const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_RESPONSE = 256 << 20
const MAX_ERROR_BYTES = 1 << 20
const MAX_REQUEST_SOCKETS = 16

/** @throws ApiError for an answer that is no success; ConnectionError when there is none */
export function createTransport(connection: Connection, options: TransportOptions = {}): Transport {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const maxBytes = options.maxResponseBytes ?? DEFAULT_MAX_RESPONSE
  const server = connection.server.href.replace(/\/$/, '')
  const agents = createAgents(connection)
  let isClosed = false
  const failure = (cause: unknown): Error => {
    if (isClosed) return new ConnectionError(CLOSED, `the client of ${server} is closed`, cause)
    return cause instanceof ApiError || cause instanceof ConnectionError || cause instanceof KubeConfigError
      ? cause
      : connectionError(server, connection.origin, cause)
  }

  const open = async (request: HttpRequest, kind: 'request' | 'stream'): Promise<IncomingMessage> => {
    if (isClosed) throw new Error('closed')
    const credentials = await connection.credentials.current()
    const agent = agents.get(credentials, kind)
    const response = await roundTrip(request, credentials, agent)
    if (response.statusCode === 401) connection.credentials.invalidate()
    if (isSuccess(response)) return response
    throw apiError(response, await readText(response, MAX_ERROR_BYTES), { ...request, at: `${server} (${connection.origin})` })
  }

  const roundTrip = (request: HttpRequest, credentials: Credentials, agent: http.Agent, isRetry?: 'retry'): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { module } = agents
      const outgoing = module.request(`${server}${request.path}`, {
        method: request.method,
        agent,
        headers: headersOf(request, credentials, connection, options.userAgent),
        ...(request.signal ? { signal: request.signal } : {}),
      })
      outgoing.setTimeout(timeoutMs, () => outgoing.destroy(silence(`no answer within ${timeoutMs} ms`)))
      if (connection.proxy) {
        // A request has no socket, and with it no time of its own, until the proxy has made the connection.
        const timer = setTimeout(() => {
          const late = silence(`no connection through the proxy within ${timeoutMs} ms`)
          // It would tell only when it had a socket.
          outgoing.destroy(late)
          reject(late)
        }, timeoutMs)
        outgoing.once('socket', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
      }
      outgoing.on('response', resolve)
      outgoing.on('error', (cause) => {
        // The server may close an idle connection just as it is used again; a read is safe to repeat once.
        const closedIdle = outgoing.reusedSocket && 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE')
        if (closedIdle && !isRetry && request.method === 'GET') roundTrip(request, credentials, agent, 'retry').then(resolve, reject)
        else reject(cause)
      })
      outgoing.end(request.body)
    })

  return {
    text: async (request) => {
      let late: AbortSignal | undefined
      try {
        // Whoever logs in meanwhile does not do so in the time of the answer.
        if (!isClosed) await connection.credentials.current()
        late = options.answerMs === undefined ? undefined : AbortSignal.timeout(options.answerMs)
        const signals = [request.signal, late].filter((signal) => signal !== undefined)
        const bounded = late ? { ...request, signal: AbortSignal.any(signals) } : request
        const text = await readText(await open(bounded, 'request'), maxBytes)
        // An answer without a length ends well wherever it is cut.
        late?.throwIfAborted()
        return text
      } catch (cause) {
        throw failure(late?.aborted ? silence(`no whole answer within ${options.answerMs} ms`) : cause)
      }
    },
    stream: async (request) => {
      try {
        const response = await open(request, 'stream')
        // A quiet watch is a good watch: TCP keep-alive finds a dead peer, not the request timeout.
        response.socket.setTimeout(0)
        response.socket.setKeepAlive(true, 15_000)
        return response
      } catch (cause) {
        throw failure(cause)
      }
    },
    close: () => {
      isClosed = true
      agents.close()
    },
  }
}

const silence = (message: string): Error => Object.assign(new Error(message), { code: 'ETIMEDOUT' })

interface Agents {
  readonly module: typeof http | typeof https
  get(credentials: Credentials, kind: 'request' | 'stream'): http.Agent
  close(): void
}

/** Client certificates belong to the connection, so that new ones need new agents. */
function createAgents(connection: Connection): Agents {
  const secure = connection.server.protocol === 'https:'
  let certificate: Credentials['certificate']
  let agents: { request: http.Agent; stream: http.Agent } | undefined
  const close = () => {
    agents?.request.destroy()
    agents?.stream.destroy()
    agents = undefined
  }
  return {
    module: secure ? https : http,
    get: (credentials, kind) => {
      if (agents && credentials.certificate?.cert !== certificate?.cert) {
        // Requests that run keep their sockets; only idle ones are dropped by an unreferenced agent.
        agents = undefined
      }
      certificate = credentials.certificate
      agents ??= {
        request: createAgent(connection, credentials, { keepAlive: true, maxSockets: MAX_REQUEST_SOCKETS }),
        stream: createAgent(connection, credentials, { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY }),
      }
      return agents[kind]
    },
    close,
  }
}

function headersOf(
  request: HttpRequest,
  credentials: Credentials,
  connection: Connection,
  userAgent = 'lateen',
): Record<string, string | string[]> {
  const headers: Record<string, string> = { accept: 'application/json', 'user-agent': userAgent }
  if (request.body !== undefined) {
    headers['content-type'] = request.contentType ?? 'application/json'
    headers['content-length'] = String(Buffer.byteLength(request.body))
  }
  return { ...headers, ...identityHeaders(credentials, connection) }
}

/** Who asks, and as whom. */
export function identityHeaders(credentials: Credentials, { impersonate }: Connection): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  if (credentials.token) headers.authorization = `Bearer ${credentials.token}`
  else if (credentials.basic) {
    headers.authorization = `Basic ${Buffer.from(`${credentials.basic.username}:${credentials.basic.password}`).toString('base64')}`
  }
  if (impersonate) {
    headers['impersonate-user'] = impersonate.user
    if (impersonate.groups.length > 0) headers['impersonate-group'] = [...impersonate.groups]
    if (impersonate.uid) headers['impersonate-uid'] = impersonate.uid
    for (const [key, values] of Object.entries(impersonate.extra ?? {})) {
      headers[`impersonate-extra-${encodeURIComponent(key).toLowerCase()}`] = [...values]
    }
  }
  return headers
}

const isSuccess = (response: IncomingMessage): boolean => {
  const code = response.statusCode ?? 0
  return code >= 200 && code < 300
}

async function readText(response: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue
    size += chunk.length
    if (size > maxBytes) {
      response.destroy()
      throw new ConnectionError('TOO_LARGE', `the API server's answer is larger than ${maxBytes} bytes; it was not read further`)
    }
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] ? chunks[0].toString('utf8') : Buffer.concat(chunks, size).toString('utf8')
}

function apiError(response: IncomingMessage, text: string, request: HttpRequest & { readonly at: string }): ApiError {
  const code = response.statusCode ?? 0
  const status = parseStatus(text)
  const retryAfter = Number(response.headers['retry-after'])
  const path = request.path.split('?')[0] ?? request.path
  const told =
    status.message ?? `${request.method} ${path}: ${request.at} answered ${code} ${response.statusMessage ?? ''} ${oneLine(text)}`.trim()
  // Of a caller that it does not know, an API server says no more than one word.
  const message =
    code === 401
      ? `${told}: the Kubernetes API at ${request.at} does not accept the credentials; they are missing, wrong or expired: log in again, or choose others with --context`
      : told
  return new ApiError(code, status.reason ?? '', message, {
    causes: status.causes,
    ...(Number.isFinite(retryAfter) ? { retryAfter } : {}),
  })
}

function parseStatus(text: string): { message?: string; reason?: string; causes: StatusCause[] } {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return { causes: [] }
  }
  if (typeof document !== 'object' || document === null || !('kind' in document) || document.kind !== 'Status') return { causes: [] }
  const message = 'message' in document && typeof document.message === 'string' && document.message ? { message: document.message } : {}
  const reason = 'reason' in document && typeof document.reason === 'string' ? { reason: document.reason } : {}
  const details = 'details' in document ? document.details : undefined
  const causes =
    typeof details === 'object' && details !== null && 'causes' in details && Array.isArray(details.causes) ? details.causes : []
  return { ...message, ...reason, causes: causes.filter(isCause) }
}

const isCause = (value: unknown): value is StatusCause => typeof value === 'object' && value !== null
