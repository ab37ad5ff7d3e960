/** Reads calls as users write them, with the defaults of the routing-case format. */
import type { Call, ClientTls, Protocol } from './call.ts'

/** An address that belongs to nothing. */
const ELSEWHERE = '1.3.3.7'

const MESH_ALPN: Readonly<Record<Protocol, string>> = { http: 'istio-http/1.1', http2: 'istio-h2', tcp: 'istio' }
const PLAIN_ALPN: Readonly<Record<Protocol, string>> = { http: 'http/1.1', http2: 'h2', tcp: '' }

/** Raised for calls that cannot be read; the message names the call and the field. */
export class CallError extends Error {
  readonly code = 'CALL_INVALID'
}

/**
 * Reads `{"calls": [{"name", "request": {…}}]}`.
 *
 * @throws CallError naming the call and the field
 */
export function readCalls(document: unknown): Call[] {
  const calls = field(document, 'calls')
  if (!Array.isArray(calls)) throw new CallError('calls: expected a list, as in {"calls": [{"name": "…", "request": {"port": 80}}]}')
  return calls.map((call: unknown, i) => readCall(text(field(call, 'name')), field(call, 'request'), i))
}

function readCall(name: string, request: unknown, index: number): Call {
  const where = `calls[${index}]${name ? ` (${name})` : ''}`
  const port = field(request, 'port')
  if (typeof port !== 'number' || port < 1 || port > 65_535)
    throw new CallError(`${where}.request.port is ${JSON.stringify(port)}; give a number from 1 to 65535`)
  const protocol = choice(`${where}.request.protocol`, field(request, 'protocol'), ['http', 'http2', 'tcp'] as const, 'tcp')
  const tls: ClientTls = choice(`${where}.request.tls`, field(request, 'tls'), ['plaintext', 'tls', 'mtls'] as const, 'plaintext')
  const hostHeader = text(field(request, 'hostHeader'))
  return {
    ...(name && { name }),
    address: text(field(request, 'address')) || ELSEWHERE,
    port,
    protocol,
    tls,
    hostHeader,
    headers: headersOf(field(request, 'headers')),
    path: text(field(request, 'path')) || '/',
    sni: text(field(request, 'sni')) || (tls === 'tls' ? hostHeader : ''),
    alpn: text(field(request, 'alpn')) || (tls === 'mtls' ? MESH_ALPN[protocol] : tls === 'tls' ? PLAIN_ALPN[protocol] : ''),
    mode: choice(`${where}.request.callMode`, field(request, 'callMode'), ['inbound', 'outbound', 'gateway'] as const, 'outbound'),
    mtlsSecret: text(field(request, 'mtlsSecretConfigName')) || 'default',
  }
}

function choice<T extends string>(where: string, value: unknown, allowed: readonly T[], fallback: T): T {
  if (value === undefined || value === '') return fallback
  const found = allowed.find((entry) => entry === value)
  if (found === undefined) throw new CallError(`${where} is ${JSON.stringify(value)}; it can be ${allowed.join(', ')}`)
  return found
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function headersOf(value: unknown): Readonly<Record<string, readonly string[]>> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]: [string, unknown]) => [
      name.toLowerCase(),
      Array.isArray(entry) ? entry.map(String) : [String(entry)],
    ]),
  )
}
