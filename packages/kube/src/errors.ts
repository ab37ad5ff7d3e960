/** What a call to the Kubernetes API can fail with. */
import type { StatusCause } from './types.ts'

/** The API server answered, and the answer is not a success. `message` is the server's own sentence. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** HTTP status. */
  readonly code: number
  /** The reason of the Status object (`NotFound`, `Conflict`, `Expired`, …); empty when there was none. */
  readonly reason: string
  readonly causes: readonly StatusCause[]
  /** Seconds that the server asks to wait before the next try. */
  readonly retryAfter: number | undefined

  constructor(code: number, reason: string, message: string, details: { causes?: readonly StatusCause[]; retryAfter?: number } = {}) {
    super(message)
    this.code = code
    this.reason = reason
    this.causes = details.causes ?? []
    this.retryAfter = details.retryAfter
  }
}

/** The API server was not reached, did not prove who it is, or broke off its answer. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  /** The system's or TLS library's code: `ECONNREFUSED`, `ETIMEDOUT`, `DEPTH_ZERO_SELF_SIGNED_CERT`, … */
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.code = code
  }
}

/** Code of a {@link ConnectionError}: the client was closed by its own program. */
export const CLOSED = 'CLOSED'

/** A kubeconfig, or the in-cluster files, that cannot be used; the message names the file and what to change. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError'
  readonly code = 'KUBECONFIG'
}

/** The HTTP status of an answer that is no success, of this client or of one inside the API server's process. */
export function statusCode(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

export const isNotFound = (error: unknown): boolean => statusCode(error) === 404
export const isConflict = (error: unknown): boolean => statusCode(error) === 409
/** The resourceVersion asked for is too old: list again. */
export const isGone = (error: unknown): boolean => statusCode(error) === 410

/** Words a transport failure: where, what happened, what to do. */
export function connectionError(server: string, origin: string, cause: unknown): ConnectionError {
  const code = codeOf(cause)
  const hint = HINTS[code] ?? hintOfKind(code)
  const detail = cause instanceof Error && cause.message ? cause.message : code
  return new ConnectionError(
    code,
    `cannot reach the Kubernetes API at ${server} (${origin}): ${hint ? `${hint} (${detail})` : detail}`,
    cause,
  )
}

/** What answers is something else: a page to log in at, or of a proxy in between. */
export function notTheApi(
  { server, origin }: { readonly server: URL; readonly origin: string },
  text: string,
  cause?: unknown,
): ConnectionError {
  const where = `${server.href.replace(/\/$/, '')} (${origin})`
  return new ConnectionError(
    'NOT_JSON',
    `what answers at ${where} is not the Kubernetes API; check the server field of the kubeconfig, and whether a proxy is in between. It said: ${oneLine(text)}`,
    cause,
  )
}

const MOST_SHOWN = 120

/** The beginning of what was answered, without markup, fit for a message. */
export function oneLine(text: string): string {
  const plain = text.slice(0, 20 * MOST_SHOWN).replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, ' ')
  // Bytes of somebody else do not steer the user's terminal.
  const words = plain.replace(/[\p{Cc}\s]+/gu, ' ').trim()
  return words.length > MOST_SHOWN ? `${words.slice(0, MOST_SHOWN)}…` : words
}

const CERTIFICATE = 'its certificate is not trusted; set certificate-authority-data to the CA that signed it'

const CUT = 'it ended the connection; try again, and check that the address is that of an API server and that nothing in between cuts it'

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; start the cluster, or name another with --kubeconfig or --context',
  ENOTFOUND: 'the host name does not resolve; check the server field of the kubeconfig',
  EAI_AGAIN: 'the host name could not be resolved now; check the DNS settings of this machine',
  ECONNRESET: CUT,
  EPIPE: CUT,
  ECONNABORTED: CUT,
  EPROTO: 'it does not speak TLS, or none that both sides know; check whether the server field should begin with http:// or https://',
  INVALID_PURPOSE: CERTIFICATE,
  INVALID_CA: CERTIFICATE,
  ETIMEDOUT: 'no answer in time; check that the address is right and that no firewall is in between',
  EHOSTUNREACH: 'there is no route to it; check the network of this machine',
  ENETUNREACH: 'there is no route to it; check the network of this machine',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name; set tls-server-name or fix the server field',
  DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
  SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a client certificate; the kubeconfig user has none that it accepts',
}

function hintOfKind(code: string): string | undefined {
  if (code.startsWith('HPE_')) return 'what answers there does not speak HTTP; check the server field of the kubeconfig'
  return code.includes('CERT') || code.includes('SIGNATURE') ? CERTIFICATE : undefined
}

function codeOf(cause: unknown): string {
  if (cause && typeof cause === 'object' && 'code' in cause && typeof cause.code === 'string') return cause.code
  // With several addresses for a name, Node reports each attempt.
  if (cause instanceof AggregateError) return codeOf(cause.errors[0])
  return 'UNKNOWN'
}
