/**
 * Connections to ports of a pod through the API server, as `kubectl port-forward` makes them: pairs of SPDY streams. Every API server
 * has this way; the newer one, SPDY inside a WebSocket, has no advantage over it where no proxy stands between.
 */
import type { Duplex } from 'node:stream'
import { SpdyConnection, type SpdyStream } from '@lateen/base/spdy'
import type { Connection } from './connection.ts'
import { ConnectionError } from './errors.ts'
import { openSpdy } from './upgrade.ts'

export interface PortForwardRequest {
  readonly namespace: string
  readonly pod: string
  /** How long the handshake, and the opening of one connection, may take. Default 15 s. */
  readonly timeoutMs?: number
}

export interface PodConnection {
  /** To a port on the pod's own loopback address. */
  readonly stream: Duplex
  /** Resolves when the connection is over, with what the node says when it was not made or broke: nothing listens on the port. */
  readonly fault: Promise<string | undefined>
}

/** A way into one pod. */
export interface PodPorts {
  /** @throws ConnectionError when the way is gone or takes too long; a port where nothing listens is a {@link PodConnection.fault} */
  connect(port: number): Promise<PodConnection>
  /** Resolves when the way is gone: the pod has ended, the API server has closed it, or {@link PodPorts.close}. */
  readonly closed: Promise<void>
  close(): void
}

const PROTOCOL = 'portforward.k8s.io'
const DEFAULT_TIMEOUT_MS = 15_000
const MAX_ERROR_TEXT = 4096

/** @throws ApiError when the server refuses; ConnectionError when it is not reached */
export async function openPortForward(connection: Connection, request: PortForwardRequest): Promise<PodPorts> {
  const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const upgrade = { ...request, subresource: 'portforward', protocols: [PROTOCOL], timeoutMs } as const
  const { socket, head } = await openSpdy(connection, upgrade)
  let gone: () => void = () => undefined
  const closed = new Promise<void>((resolve) => {
    gone = resolve
  })
  const spdy = new SpdyConnection(socket, head, { stream: (stream) => stream.destroy(), close: gone })
  const where = `pod ${request.pod}.${request.namespace}`
  let requests = 0
  return {
    closed,
    close: () => spdy.close(),
    connect: (port) => within(timeoutMs, `${where} port ${port}`, pair(spdy, port, requests++, where)),
  }
}

/** The error stream comes first, as kubectl does it; it speaks only when the connection fails. */
async function pair(spdy: SpdyConnection, port: number, id: number, where: string): Promise<PodConnection> {
  const headers = { port: String(port), requestid: String(id) }
  const [errors, stream] = await Promise.all([
    spdy.open({ streamtype: 'error', ...headers }),
    spdy.open({ streamtype: 'data', ...headers }),
  ]).catch((cause: unknown) => {
    throw new ConnectionError('BROKEN', `${where} port ${port}: ${cause instanceof Error ? cause.message : 'not forwarded'}`, cause)
  })
  errors.end()
  return { stream, fault: textOf(errors) }
}

async function textOf(errors: SpdyStream): Promise<string | undefined> {
  let text = ''
  try {
    for await (const chunk of errors) if (text.length < MAX_ERROR_TEXT) text += String(chunk)
  } catch {
    // The connection ended, which the data stream tells as well.
  }
  return text.trim() || undefined
}

async function within<T>(timeoutMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectionError('ETIMEDOUT', `${what}: no connection within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
