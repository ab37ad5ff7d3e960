/**
 * Requests of a pod's streaming subresources (`exec`, `portforward`): the WebSocket or the raw connection that the API server
 * answers them with.
 */
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { createAgent } from './agent.ts'
import type { Connection } from './connection.ts'
import { ApiError, ConnectionError, connectionError } from './errors.ts'
import { identityHeaders } from './transport.ts'

export interface UpgradeRequest {
  readonly namespace: string
  readonly pod: string
  readonly subresource: 'exec' | 'portforward'
  readonly query?: URLSearchParams
  /** Subprotocols that the client speaks, the preferred one first. */
  readonly protocols: readonly string[]
  /** How long the handshake may take. */
  readonly timeoutMs: number
}

const MAX_REFUSAL_BYTES = 1 << 16

/** Paused, until the caller listens. @throws ApiError when the server refuses; ConnectionError when it is not reached */
export async function openWebSocket(connection: Connection, request: UpgradeRequest, maxPayload: number): Promise<WebSocket> {
  const { headers, agent } = await identityOf(connection)
  const socket = new WebSocket(urlOf(connection, request).replace(/^http/, 'ws'), [...request.protocols], {
    headers,
    maxPayload,
    agent,
  })
  const opened = new Promise<WebSocket>((resolve, reject) => {
    socket.once('open', () => {
      socket.removeAllListeners('error')
      // What comes together with the handshake would be handed out before the caller can listen.
      socket.pause()
      resolve(socket)
    })
    socket.once('unexpected-response', (_request, response) => refusal(connection, request, response).then(reject, reject))
    socket.once('error', (cause) => reject(connectionError(connection.server.href, connection.origin, cause)))
  })
  return inTime(request, opened, () => socket.terminate())
}

/** The connection after `101 Switching Protocols`, with what has come on it already. @throws as {@link openWebSocket} */
export async function openSpdy(connection: Connection, request: UpgradeRequest): Promise<{ socket: Duplex; head: Buffer }> {
  const { headers, agent } = await identityOf(connection)
  const { request: send } = connection.server.protocol === 'https:' ? https : http
  const outgoing = send(urlOf(connection, request), {
    method: 'POST',
    headers: { ...headers, connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': [...request.protocols] },
    agent,
  })
  const opened = new Promise<{ socket: Duplex; head: Buffer }>((resolve, reject) => {
    outgoing.once('upgrade', (_response, socket, head) => {
      socket.setTimeout(0)
      resolve({ socket, head })
    })
    outgoing.once('response', (response) => refusal(connection, request, response).then(reject, reject))
    outgoing.once('error', (cause) => reject(connectionError(connection.server.href, connection.origin, cause)))
    outgoing.end()
  })
  return inTime(request, opened, () => outgoing.destroy())
}

/** A proxy that says nothing leaves a request without a socket, which would count its time. */
async function inTime<T>({ subresource, timeoutMs }: UpgradeRequest, opened: Promise<T>, giveUp: () => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new ConnectionError('ETIMEDOUT', `no answer to ${subresource} within ${timeoutMs} ms`))
      giveUp()
    }, timeoutMs)
  })
  try {
    return await Promise.race([opened, late])
  } finally {
    clearTimeout(timer)
  }
}

function urlOf({ server }: Connection, { namespace, pod, subresource, query }: UpgradeRequest): string {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/${subresource}`
  return `${server.href.replace(/\/$/, '')}${path}${query ? `?${query}` : ''}`
}

async function identityOf(connection: Connection) {
  const credentials = await connection.credentials.current()
  return {
    headers: identityHeaders(credentials, connection),
    // The connection stops being HTTP: it is of no use to others.
    agent: createAgent(connection, credentials, { keepAlive: false, maxSockets: 1 }),
  }
}

async function refusal(connection: Connection, request: UpgradeRequest, response: IncomingMessage): Promise<ApiError> {
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > MAX_REFUSAL_BYTES) break
  }
  const code = response.statusCode ?? 0
  if (code === 401) connection.credentials.invalidate()
  const says = statusMessage(parseJson(text)) ?? `${request.subresource} of pod ${request.pod}: the API server answered ${code}`
  return new ApiError(code, '', says)
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The sentence of a Status object. */
export function statusMessage(status: unknown): string | undefined {
  return typeof status === 'object' && status !== null && 'message' in status && typeof status.message === 'string'
    ? status.message
    : undefined
}
