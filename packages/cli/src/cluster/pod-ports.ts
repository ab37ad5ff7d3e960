/** Ports of pods, reached through the API server: one HTTP request, or a port of this machine that leads there. */
import { request as httpRequest } from 'node:http'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { ConnectionError, openPortForward, type PodConnection, type PodPorts } from '@lateen/kube'
import { CommandError } from '../shell/exit-codes.ts'
import type { Cluster } from './connect.ts'

export interface PodPort {
  readonly namespace: string
  readonly pod: string
  readonly port: number
}

export interface PodRequest extends PodPort {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** With the slash. */
  readonly path: string
  readonly body?: string
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string
}

const MAX_BODY = 256 << 20
const LATE = 'ETIMEDOUT'

/** Whether {@link askPod} failed because the time was over: to ask by another way would only take as long again. */
export function isLate(error: unknown): boolean {
  const cause = error instanceof CommandError ? error.cause : error
  return cause instanceof ConnectionError && cause.code === LATE
}

/** The answer of a server in a pod. @throws CommandError when there is none in time, or it is too large */
export async function askPod(
  cluster: Pick<Cluster, 'connection' | 'timeoutMs'>,
  request: PodRequest,
): Promise<{ status: number; body: string }> {
  const { namespace, pod, port, timeoutMs } = { ...request, timeoutMs: cluster.timeoutMs }
  const ports = await openPortForward(cluster.connection, { namespace, pod, timeoutMs })
  try {
    const connection = await ports.connect(port)
    return await roundTrip(connection, request, timeoutMs)
  } finally {
    ports.close()
  }
}

function roundTrip(connection: PodConnection, request: PodRequest, timeoutMs: number): Promise<{ status: number; body: string }> {
  const { method, path, body, token, pod, namespace, port } = request
  const where = `${method} ${path} of pod ${pod}.${namespace}, port ${port}`
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) => reject(new CommandError(`${where}: ${why}`, { cause }))
    // What the node says about the connection is worth more than that it ended.
    const broken = (cause: Error) => void connection.fault.then((fault) => fail(fault ?? cause.message, cause))
    const outgoing = httpRequest({
      createConnection: () => connection.stream,
      host: 'localhost',
      method,
      path,
      timeout: timeoutMs,
      headers: {
        connection: 'close',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    })
    const timer = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms`, new ConnectionError(LATE, where))
      outgoing.destroy()
    }, timeoutMs)
    outgoing.on('error', broken)
    outgoing.on('close', () => clearTimeout(timer))
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      let size = 0
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_BODY) {
          fail(`the answer is larger than ${MAX_BODY} bytes`)
          outgoing.destroy()
        } else chunks.push(chunk)
      })
      response.on('error', broken)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }))
    })
    outgoing.end(body)
  })
}

export interface LocalPort {
  readonly address: string
  readonly port: number
  /** Resolves when the pod, or the way to it, has gone. */
  readonly closed: Promise<void>
  close(): void
}

/**
 * Listens on `address` with the first of `choices` that is free (0: any) and joins each connection to the pod's port.
 *
 * @param note told about a connection that the pod did not take
 * @throws CommandError when no port can be listened on; as {@link openPortForward}
 */
export async function forwardLocally(
  cluster: Pick<Cluster, 'connection' | 'timeoutMs'>,
  target: PodPort,
  { address, choices, note }: { address: string; choices: readonly number[]; note: (text: string) => void },
): Promise<LocalPort> {
  const ports = await openPortForward(cluster.connection, { ...target, timeoutMs: cluster.timeoutMs })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    void join(ports, target.port, socket, note)
  })
  const close = () => {
    server.close()
    for (const socket of sockets) socket.destroy()
    ports.close()
  }
  try {
    const port = await listenLocally(server, address, choices)
    return { address, port, closed: ports.closed, close }
  } catch (error) {
    close()
    throw error
  }
}

async function join(ports: PodPorts, port: number, socket: Socket, note: (text: string) => void): Promise<void> {
  try {
    const { stream, fault } = await ports.connect(port)
    void fault.then((text) => text !== undefined && note(text))
    stream.on('error', () => socket.destroy())
    stream.on('close', () => socket.end())
    socket.on('close', () => stream.destroy())
    socket.pipe(stream).pipe(socket)
  } catch (error) {
    note(error instanceof Error ? error.message : String(error))
    socket.destroy()
  }
}

/** Listens with the first of `choices` that is free; the port. @throws CommandError when none is */
export async function listenLocally(server: Server, address: string, choices: readonly number[]): Promise<number> {
  const reasons: string[] = []
  for (const port of choices) {
    const fault = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once('error', resolve)
      server.listen(port, address, () => {
        server.off('error', resolve)
        resolve(undefined)
      })
    })
    if (!fault) {
      // A server that listens on a port has an address with a port.
      return (server.address() as AddressInfo).port
    }
    reasons.push(`${address}:${port}: ${fault.code === 'EADDRINUSE' ? 'the port is in use' : fault.message}`)
  }
  throw new CommandError(`cannot listen on ${reasons.join('; ')}. Choose another with --port or --address`)
}
