/** Listeners of gateways: one for each port, with a filter chain for each server that is told apart by SNI. */
import type { Server } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import type { GatewayConfig, MeshSettings } from '@lateen/model'
import { encode } from '../resource.ts'
import { unroutedLogs } from './access-log.ts'
import { gatewayManager } from './connection-manager.ts'
import { type FilterChainInit, socketAddress, TLS_INSPECTOR } from './listener-parts.ts'
import { serverSocket } from './server-tls.ts'
import { type TcpRoute, tcpTargets } from './tcp-routes.ts'

export interface GatewayServer {
  readonly gateway: GatewayConfig
  readonly server: Server
  /** The port on which the workload listens. */
  readonly bindPort: number
}

/** What a server does with its connections. */
export type ServerKind = 'http' | 'https' | 'tls-passthrough' | 'tcp' | 'tls-terminated-tcp'

export function serverProtocol(server: Server): ServerKind {
  const protocol = (server.port.protocol ?? 'HTTP').toUpperCase()
  const mode = server.tls?.mode ?? 'PASSTHROUGH'
  if (protocol === 'HTTP' || protocol === 'HTTP2' || protocol === 'GRPC' || protocol === 'GRPC-WEB') return 'http'
  if (mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH') return server.tls ? 'tls-passthrough' : 'tcp'
  if (protocol === 'HTTPS') return 'https'
  return 'tls-terminated-tcp'
}

/** The name of a server's route configuration; undefined for servers without HTTP routes. */
export function routeNameOf({ server, gateway, bindPort }: GatewayServer): string | undefined {
  const kind = serverProtocol(server)
  const bind = server.bind ? `.${server.bind}` : ''
  if (kind === 'http') return `http.${bindPort}${bind}`
  if (kind === 'https')
    return `https.${server.port.number}.${server.port.name ?? ''}.${gateway.key.split('/')[1] ?? ''}.${gateway.namespace}${bind}`
  return undefined
}

const ANY = '0.0.0.0'

export function gatewayListeners(
  servers: readonly GatewayServer[],
  settings: MeshSettings,
  tcpRoutes: (server: GatewayServer) => readonly TcpRoute[],
): Resource[] {
  const byPort = new Map<string, GatewayServer[]>()
  for (const server of servers) {
    const key = `${server.server.bind || ANY}_${server.bindPort}`
    byPort.set(key, [...(byPort.get(key) ?? []), server])
  }
  return [...byPort].flatMap(([name, group]) => portListener(name, group, settings, tcpRoutes))
}

function portListener(
  name: string,
  group: readonly GatewayServer[],
  settings: MeshSettings,
  tcpRoutes: (server: GatewayServer) => readonly TcpRoute[],
): Resource[] {
  const [first] = group
  if (!first) return []
  // The oldest server decides whether a port speaks plain HTTP; others of another kind on it are left out.
  const plain = serverProtocol(first.server) === 'http'
  const filterChains = plain ? httpChains(name, group, settings) : tlsChains(name, group, settings, tcpRoutes)
  if (filterChains.length === 0) return []
  return [
    encode(ListenerSchema, name, {
      name,
      address: socketAddress(first.server.bind || ANY, first.bindPort),
      trafficDirection: TrafficDirection.OUTBOUND,
      accessLog: unroutedLogs(settings),
      listenerFilters: plain || serverProtocol(first.server) === 'tcp' ? [] : [TLS_INSPECTOR],
      filterChains,
    }),
  ]
}

function httpChains(name: string, group: readonly GatewayServer[], settings: MeshSettings): FilterChainInit[] {
  const first = group.find((entry) => serverProtocol(entry.server) === 'http')
  const rds = first && routeNameOf(first)
  return rds ? [{ filters: [gatewayManager(settings, `outbound_${name}`, { rds })] }] : []
}

function tlsChains(
  name: string,
  group: readonly GatewayServer[],
  settings: MeshSettings,
  tcpRoutes: (server: GatewayServer) => readonly TcpRoute[],
): FilterChainInit[] {
  const chains: FilterChainInit[] = []
  // Envoy refuses a listener with two chains for one server name: the oldest server keeps it.
  const taken = new Set<string>()
  const claim = (names: readonly string[]): string[] | undefined => {
    const list = names.includes('*') || names.length === 0 ? ['*'] : [...names]
    const free = list.filter((entry) => !taken.has(entry))
    for (const entry of free) taken.add(entry)
    return free.length > 0 ? free : undefined
  }
  const match = (names: readonly string[]) => (names.includes('*') ? {} : { serverNames: [...names] })
  for (const entry of group) {
    const kind = serverProtocol(entry.server)
    const hosts = entry.server.hosts.map((host) => host.slice(host.indexOf('/') + 1))
    const rds = routeNameOf(entry)
    if (kind === 'https' && rds !== undefined) {
      const names = claim(hosts)
      const transportSocket = names && serverSocket(entry.server.tls, settings, ['h2', 'http/1.1'])
      if (names && transportSocket)
        chains.push({ filterChainMatch: match(names), filters: [gatewayManager(settings, `outbound_${name}`, { rds })], transportSocket })
      continue
    }
    if (kind === 'http') continue
    for (const route of tcpRoutes(entry)) {
      const names = claim(kind === 'tls-passthrough' ? route.serverNames : kind === 'tcp' ? ['*'] : hosts)
      if (!names || route.targets.length === 0) continue
      const transportSocket = kind === 'tls-terminated-tcp' ? serverSocket(entry.server.tls, settings, []) : undefined
      chains.push({
        filterChainMatch: match(names),
        filters: [tcpTargets(settings, route.targets)],
        ...(transportSocket && { transportSocket }),
      })
    }
  }
  return chains
}
