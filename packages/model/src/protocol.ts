/**
 * Which protocol a port speaks, as Istio selects it: `appProtocol` first, then the port name's part before the first `-`, then
 * a few well-known numbers; otherwise the proxy finds out from the first bytes (`auto`).
 */
import { ownValue } from '@lateen/base'

export const PROTOCOLS = [
  'http',
  'http2',
  'grpc',
  'grpc-web',
  'https',
  'tls',
  'tcp',
  'udp',
  'mongo',
  'redis',
  'mysql',
  'hbone',
  'http_proxy',
  'auto',
] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** Ports of protocols in which the server speaks first: sniffing them would hang until a timeout. */
const SERVER_FIRST: ReadonlySet<number> = new Set([25, 53, 3306, 27017])

const NAMES: Readonly<Record<string, Protocol>> = {
  http: 'http',
  http2: 'http2',
  grpc: 'grpc',
  'grpc-web': 'grpc-web',
  https: 'https',
  tls: 'tls',
  tcp: 'tcp',
  udp: 'udp',
  mongo: 'mongo',
  redis: 'redis',
  mysql: 'mysql',
  hbone: 'hbone',
  http_proxy: 'http_proxy',
}

const APP_PROTOCOLS: Readonly<Record<string, Protocol>> = {
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'https',
}

/** The protocol that a text names (`HTTP`, `grpc-web`); `auto` when it names none. */
export function parseProtocol(text: string): Protocol {
  return ownValue(NAMES, text.toLowerCase()) ?? 'auto'
}

/** The protocol of a Kubernetes service port. */
export function kubernetesProtocol(port: {
  readonly port: number
  readonly name?: string
  readonly protocol?: string
  readonly appProtocol?: string
}): Protocol {
  if (port.protocol === 'UDP') return 'udp'
  if (port.appProtocol !== undefined) {
    const known = ownValue(APP_PROTOCOLS, port.appProtocol) ?? parseProtocol(port.appProtocol)
    if (known !== 'auto') return known
  }
  const fromName = nameProtocol(port.name ?? '')
  if (fromName !== 'auto') return fromName
  return SERVER_FIRST.has(port.port) ? 'tcp' : 'auto'
}

function nameProtocol(name: string): Protocol {
  const lower = name.toLowerCase()
  if (lower === 'grpc-web' || lower.startsWith('grpc-web-')) return 'grpc-web'
  return ownValue(NAMES, lower.split('-', 1)[0] ?? '') ?? 'auto'
}

/** Plain HTTP of any version: requests can be routed one by one. */
export function isHttp(protocol: Protocol): boolean {
  return protocol === 'http' || protocol === 'http2' || protocol === 'grpc' || protocol === 'grpc-web' || protocol === 'http_proxy'
}

/** HTTP/2 to the upstream. */
export function isHttp2(protocol: Protocol): boolean {
  return protocol === 'http2' || protocol === 'grpc' || protocol === 'grpc-web'
}

/** Bytes the proxy cannot look into, TLS included: routed by address or by SNI. */
export function isTcp(protocol: Protocol): boolean {
  return (
    protocol === 'tcp' || protocol === 'https' || protocol === 'tls' || protocol === 'mongo' || protocol === 'redis' || protocol === 'mysql'
  )
}

/** TLS of the application, passed through and routed by SNI. */
export function isTls(protocol: Protocol): boolean {
  return protocol === 'https' || protocol === 'tls'
}
