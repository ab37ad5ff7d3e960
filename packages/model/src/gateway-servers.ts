/**
 * The servers of several Gateways on one workload, put together: which share a listener, and which are left out because an older
 * one has what they ask for.
 */
import type { Server } from '@lateen/api'
import type { GatewayConfig } from './gateways.ts'
import { isHttp, parseProtocol } from './protocol.ts'

/** What a server does with its connections. */
export type ServerKind = 'http' | 'https' | 'tls-passthrough' | 'auto-passthrough' | 'tcp' | 'tls-terminated-tcp'

export interface GatewayServer {
  readonly gateway: GatewayConfig
  readonly server: Server
  readonly kind: ServerKind
  /** The port on which the workload listens. */
  readonly bindPort: number
  /** Where its hosts may be: `*` for any namespace. */
  readonly hosts: readonly ServerHost[]
  /** The name of its route configuration; undefined for servers without HTTP routes. */
  readonly routeName: string | undefined
}

export interface ServerHost {
  readonly namespace: string
  readonly host: string
}

/** The servers behind one address and port. */
export interface ServerListener {
  readonly bind: string
  readonly port: number
  /** Servers of plain HTTP, which share one route configuration; empty when there are none. */
  readonly plainHttp: readonly GatewayServer[]
  /** The others, each with filter chains of its own. */
  readonly others: readonly GatewayServer[]
}

export interface MergedServers {
  readonly listeners: readonly ServerListener[]
  /** Servers by the name of their route configuration. */
  readonly routes: ReadonlyMap<string, readonly GatewayServer[]>
}

/** A server with the ports on which the workload listens for it. */
export interface ServerCandidate {
  readonly gateway: GatewayConfig
  readonly server: Server
  readonly ports: readonly number[]
}

export function serverKind(server: Server): ServerKind {
  const protocol = parseProtocol(server.port.protocol ?? 'HTTP')
  if (isHttp(protocol)) return 'http'
  const mode = server.tls?.mode ?? 'PASSTHROUGH'
  if (!server.tls) return 'tcp'
  if (mode === 'PASSTHROUGH') return 'tls-passthrough'
  if (mode === 'AUTO_PASSTHROUGH') return 'auto-passthrough'
  return protocol === 'https' ? 'https' : 'tls-terminated-tcp'
}

/** `ns/host`, `./host`, `*\/host` or `host`. */
export function serverHost(text: string, gatewayNamespace: string): ServerHost {
  const slash = text.indexOf('/')
  if (slash < 0) return { namespace: '*', host: text.toLowerCase() }
  const namespace = text.slice(0, slash)
  return { namespace: namespace === '.' ? gatewayNamespace : namespace, host: text.slice(slash + 1).toLowerCase() }
}

function routeNameOf(kind: ServerKind, { gateway, server }: ServerCandidate, port: number): string | undefined {
  const bind = server.bind ? `.${server.bind}` : ''
  if (kind === 'http') return `http.${port}${bind}`
  const name = gateway.key.slice(gateway.key.indexOf('/') + 1)
  return kind === 'https' ? `https.${server.port.number}.${server.port.name ?? ''}.${name}.${gateway.namespace}${bind}` : undefined
}

/**
 * Puts servers together in their order, the oldest Gateway's first, by Istio's rules:
 * - a server with TLS is left out when one of its hosts is taken on the same port and address by another with TLS;
 * - plain HTTP servers on one address and port share a listener and a route configuration; after one, nothing else fits there;
 * - one server of plain bytes has its address and port alone;
 * - servers that end or pass on TLS share a listener and are told apart by server name; right behind the first of them, one
 *   without TLS still fits, for what comes without a name.
 */
export function mergeServers(candidates: readonly ServerCandidate[]): MergedServers {
  const listeners = new Map<string, GrowingListener>()
  const routes = new Map<string, GatewayServer[]>()
  const tlsHosts = new Set<string>()
  for (const candidate of candidates) {
    const { gateway, server } = candidate
    const kind = serverKind(server)
    const hosts = server.hosts.map((text) => serverHost(text, gateway.namespace))
    for (const bindPort of candidate.ports) {
      const bind = server.bind ?? ''
      if (server.tls) {
        const claims = hosts.map(({ namespace, host }) => `${bindPort} ${bind} ${namespace}/${host}`)
        if (claims.some((claim) => tlsHosts.has(claim))) continue
        for (const claim of claims) tlsHosts.add(claim)
      }
      const routeName = routeNameOf(kind, candidate, bindPort)
      const entry: GatewayServer = { gateway, server, kind, bindPort, hosts, routeName }
      const id = `${bind}_${bindPort}`
      const listener = listeners.get(id) ?? { bind, port: bindPort, first: kind, plainHttp: [], others: [] }
      if (!fits(entry, listener) || (kind === 'https' && routeName !== undefined && routes.has(routeName))) continue
      if (kind === 'http') listener.plainHttp.push(entry)
      else listener.others.push(entry)
      listeners.set(id, listener)
      if (routeName !== undefined) routes.set(routeName, [...(routes.get(routeName) ?? []), entry])
    }
  }
  return { listeners: [...listeners.values()], routes }
}

interface GrowingListener {
  readonly bind: string
  readonly port: number
  readonly first: ServerKind
  readonly plainHttp: GatewayServer[]
  readonly others: GatewayServer[]
}

/** Whether a server can join those that already listen on its address and port. */
function fits({ kind, server }: GatewayServer, { first, plainHttp, others }: GrowingListener): boolean {
  const alone = plainHttp.length + others.length === 0
  if (alone) return true
  if (first === 'http') return kind === 'http'
  if (first === 'tcp') return false
  // Beside servers told apart by name there is room for one that takes whatever has no name.
  if (kind === 'http') return plainHttp.length === 0 && (server.tls !== undefined || others.length === 1)
  if (kind === 'tcp') return others.length === 1 && plainHttp.length === 0
  // Behind that one nothing more is told apart by name.
  return plainHttp.length === 0 && !others.some((other) => other.kind === 'tcp')
}
