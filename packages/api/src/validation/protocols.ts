/** Protocols of ports, compared without regard to case. */
import type { At } from '../diagnostics/at.ts'
import { didYouMean } from '../diagnostics/suggest.ts'

const PROTOCOLS = [
  'TCP',
  'UDP',
  'GRPC',
  'GRPC-WEB',
  'HTTP',
  'HTTP_PROXY',
  'HTTP2',
  'HTTPS',
  'TLS',
  'MONGO',
  'REDIS',
  'MYSQL',
  'HBONE',
  'DOUBLE-HBONE',
] as const
type Protocol = (typeof PROTOCOLS)[number]

/** What users are told to choose from. */
const SHOWN = ['HTTP', 'HTTPS', 'GRPC', 'GRPC-WEB', 'HTTP2', 'MONGO', 'REDIS', 'MYSQL', 'TCP', 'TLS'] as const

export function protocolOf(text: string | undefined): Protocol | undefined {
  const upper = text?.toUpperCase()
  return PROTOCOLS.find((protocol) => protocol === upper)
}

export function isHttp(protocol: Protocol | undefined): boolean {
  return protocol === 'HTTP' || protocol === 'HTTP2' || protocol === 'HTTP_PROXY' || protocol === 'GRPC' || protocol === 'GRPC-WEB'
}

export function isTls(protocol: Protocol | undefined): boolean {
  return protocol === 'HTTPS' || protocol === 'TLS'
}

/** Protocols whose bytes are passed on as they are. */
export function isTcp(protocol: Protocol | undefined): boolean {
  return protocol === 'TCP' || isTls(protocol) || protocol === 'MONGO' || protocol === 'REDIS' || protocol === 'MYSQL'
}

/** A protocol that is known. */
export function checkProtocol(text: string, at: At): void {
  if (protocolOf(text) === undefined)
    at.say('UnknownProtocol', { protocol: text, allowed: SHOWN.join(', '), hint: didYouMean(text, SHOWN) })
}
