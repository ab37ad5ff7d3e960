/**
 * Commands in containers, as `kubectl exec` runs them: over WebSocket, one channel byte before each message.
 * Source: Kubernetes' remote command protocol, `v5.channel.k8s.io` and `v4.channel.k8s.io`.
 */
import type { Connection } from './connection.ts'
import { ConnectionError, connectionError } from './errors.ts'
import { openWebSocket, parseJson, statusMessage } from './upgrade.ts'

export interface ExecRequest {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  readonly command: readonly string[]
  /** How long the command may take. Default 30 s. */
  readonly timeoutMs?: number
  /** The most that is taken of its output. Default 256 MiB. */
  readonly maxBytes?: number
  /** Takes its standard output as it comes; the result has none then. */
  readonly onStdout?: (chunk: Buffer) => void
  /** Ends the wait; the command is left to itself. */
  readonly signal?: AbortSignal
}

export interface ExecResult {
  readonly stdout: Buffer
  readonly stderr: string
  readonly code: number
}

const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const STDOUT = 1
const STDERR = 2
const STATUS = 3
const DEFAULT_TIMEOUT_MS = 30_000
const DEFAULT_MAX_BYTES = 256 << 20

/**
 * Runs a command to its end.
 *
 * @throws ApiError when the server refuses; ConnectionError when it is not reached, the command takes too long or says too much
 */
export async function execInPod(connection: Connection, request: ExecRequest): Promise<ExecResult> {
  const query = new URLSearchParams({ container: request.container, stdout: 'true', stderr: 'true' })
  for (const word of request.command) query.append('command', word)
  const upgrade = {
    ...request,
    subresource: 'exec',
    query,
    protocols: PROTOCOLS,
    timeoutMs: request.timeoutMs ?? DEFAULT_TIMEOUT_MS,
  } as const
  const socket = await openWebSocket(connection, upgrade, request.maxBytes ?? DEFAULT_MAX_BYTES)
  return new Promise((resolve, reject) => {
    const output = { [STDOUT]: [] as Buffer[], [STDERR]: [] as Buffer[] }
    const where = `${request.command.join(' ')} in container ${request.container} of pod ${request.pod}.${request.namespace}`
    let bytes = 0
    let status: unknown
    const fail = (error: Error) => {
      clearTimeout(timer)
      reject(error)
      socket.terminate()
    }
    const take = (onStdout: (chunk: Buffer) => void, chunk: Buffer) => {
      try {
        onStdout(chunk)
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)))
      }
    }
    const stopped = () => fail(new ConnectionError('ABORTED', `${where} was not waited for`))
    request.signal?.addEventListener('abort', stopped, { once: true })
    if (request.signal?.aborted) queueMicrotask(stopped)
    const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const timer = setTimeout(() => fail(new ConnectionError('ETIMEDOUT', `${where} did not end within ${timeoutMs} ms`)), timeoutMs)
    socket.on('message', (data) => {
      if (!Buffer.isBuffer(data)) return
      bytes += data.length
      if (bytes > (request.maxBytes ?? DEFAULT_MAX_BYTES)) {
        fail(new ConnectionError('TOO_LARGE', `${where} wrote more than ${request.maxBytes ?? DEFAULT_MAX_BYTES} bytes`))
      } else if (data[0] === STDOUT && request.onStdout) take(request.onStdout, data.subarray(1))
      else if (data[0] === STDOUT || data[0] === STDERR) output[data[0]].push(data.subarray(1))
      else if (data[0] === STATUS) status = parseJson(data.subarray(1).toString('utf8'))
    })
    socket.on('error', (cause) => fail(connectionError(connection.server.href, connection.origin, cause)))
    socket.on('close', () => {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', stopped)
      const code = exitCode(status)
      if (code === undefined) {
        reject(new ConnectionError('BROKEN', `${where}: ${statusMessage(status) ?? 'the connection ended before the command did'}`))
      } else resolve({ stdout: Buffer.concat(output[STDOUT]), stderr: Buffer.concat(output[STDERR]).toString('utf8'), code })
    })
    socket.resume()
  })
}

/** From the Status at the end: success, or a cause that holds the code. */
function exitCode(status: unknown): number | undefined {
  if (typeof status !== 'object' || status === null || !('status' in status)) return undefined
  if (status.status === 'Success') return 0
  const details = 'details' in status && typeof status.details === 'object' && status.details !== null ? status.details : {}
  const causes: readonly unknown[] = 'causes' in details && Array.isArray(details.causes) ? details.causes : []
  for (const cause of causes) {
    if (typeof cause !== 'object' || cause === null || !('reason' in cause) || cause.reason !== 'ExitCode') continue
    const code = 'message' in cause ? Number(cause.message) : Number.NaN
    if (Number.isInteger(code)) return code
  }
  return undefined
}
