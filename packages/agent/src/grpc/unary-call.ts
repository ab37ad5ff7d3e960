/** One gRPC call with one answer, over a connection of its own. */
import http2 from 'node:http2'
import type { SecureContextOptions } from 'node:tls'
import { FrameReader, frame } from './frames.ts'

/** gRPC's status codes, as far as they are told apart here. */
export const STATUS = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

/** The call ended without an answer. */
export class CallError extends Error {
  readonly status: number

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CallError'
    this.status = status
  }
}

export interface UnaryCall {
  /** `host:port`. */
  readonly address: string
  /** TLS with these credentials; plaintext when absent. */
  readonly tls?: SecureContextOptions & { readonly servername: string }
  /** `/package.Service/Method`. */
  readonly method: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly message: Uint8Array
  readonly timeoutMs: number
  /** A local address to call from. */
  readonly localAddress?: string
}

const MAX_ANSWER = 4 << 20

/**
 * Calls and waits for the answer.
 *
 * @throws CallError with the status that the server gave, or UNAVAILABLE / DEADLINE_EXCEEDED
 */
export function callUnary(call: UnaryCall): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const session = http2.connect(`${call.tls ? 'https' : 'http'}://${call.address}`, {
    ...call.tls,
    ...(call.localAddress ? { localAddress: call.localAddress } : {}),
  })
  const timer = setTimeout(
    () => fail(STATUS.deadlineExceeded, `${call.address} did not answer within ${call.timeoutMs / 1000} s`),
    call.timeoutMs,
  )
  const finish = () => {
    clearTimeout(timer)
    session.destroy()
  }
  const fail = (status: number, message: string, cause?: unknown) => {
    reject(new CallError(status, message, { cause }))
    finish()
  }
  session.on('error', (error) => fail(STATUS.unavailable, `cannot reach ${call.address}: ${error.message}`, error))
  const stream = session.request({
    ':method': 'POST',
    ':path': call.method,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${call.timeoutMs}m`,
    ...call.metadata,
  })
  const reader = new FrameReader(MAX_ANSWER)
  let answer: Buffer | undefined
  let headers: http2.IncomingHttpHeaders = {}
  stream.on('response', (received) => (headers = received))
  stream.on('trailers', (received) => (headers = { ...headers, ...received }))
  stream.on('data', (chunk: Buffer) => {
    try {
      answer ??= reader.push(chunk)[0]
    } catch (error) {
      fail(STATUS.internal, `${call.address} answered with something that is not gRPC`, error)
    }
  })
  stream.on('error', (error) => fail(STATUS.unavailable, `the call to ${call.address} was cut off: ${error.message}`, error))
  stream.on('close', () => {
    const { status, message } = outcome(headers)
    if (status === STATUS.ok && answer) resolve(answer)
    else fail(status || STATUS.internal, message || `${call.address} gave no answer`)
    finish()
  })
  stream.end(frame(call.message))
  return promise
}

function outcome(headers: http2.IncomingHttpHeaders): { status: number; message: string } {
  const code = headers['grpc-status']
  const http = headers[':status']
  if (code === undefined) return { status: STATUS.unavailable, message: http ? `HTTP status ${http} instead of a gRPC answer` : '' }
  return { status: Number(code), message: decode(String(headers['grpc-message'] ?? '')) }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
