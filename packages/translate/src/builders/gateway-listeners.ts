/** Listeners of gateways: one for each address and port, with a filter chain for each server that is told apart by SNI. */
import type { Topology } from '@lateen/api'
import { duration, packAny, type Resource } from '@lateen/envoy'
import { SocketAddress_Protocol as SocketProtocol } from '@lateen/envoy/gen/envoy/config/core/v3/address_pb.js'
import { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { ProxyProtocolSchema } from '@lateen/envoy/gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.js'
import { type GatewayServer, type MeshSettings, parseProtocol, type ServerListener } from '@lateen/model'
import { encode } from '../resource.ts'
import { unroutedLogs } from './access-log.ts'
import { gatewayManager } from './connection-manager.ts'
import { type HttpFilterSlots, networkFilters, type PolicyFilters } from './filter-order.ts'
import { balanced, type FilterChainInit, listenAt, listenerFilter, TLS_INSPECTOR } from './listener-parts.ts'
import { originMetadata } from './origin.ts'
import { quicServerSocket, serverSocket } from './server-tls.ts'
import { chainOrigin, type TcpRoute, type TcpTarget, tcpTargets } from './tcp-routes.ts'

export interface GatewayListenerInput {
  readonly settings: MeshSettings
  /** What stands in front of the gateway. */
  readonly topology: Topology
  /** The addresses that stand for all of the proxy's; the first is in the names of listeners. */
  readonly wildcards: readonly string[]
  /** What policies put into the chains. */
  readonly filters: PolicyFilters
  /** Routes of a server that passes bytes on. */
  readonly routes: (server: GatewayServer) => readonly TcpRoute[]
  /** Clusters that a server passes mutual TLS of the mesh on to; each is named by the server name that asks for it. */
  readonly passthrough: (server: GatewayServer) => readonly (TcpTarget & { readonly serverName: string })[]
  /** Whether a server takes HTTP/3 too. */
  readonly http3: (server: GatewayServer) => boolean
}

/** What a mesh workload offers as a client, so that only mutual TLS of the mesh is passed on blindly. */
const MESH_PROTOCOLS = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'] as const

const HTTP_PROTOCOLS = ['h2', 'http/1.1'] as const

const PROXY_PROTOCOL = listenerFilter('envoy.filters.listener.proxy_protocol', packAny(ProxyProtocolSchema, {}))

export function gatewayListeners(listeners: readonly ServerListener[], input: GatewayListenerInput): Resource[] {
  return listeners.flatMap((listener) => [...tcpListener(listener, input), ...quicListener(listener, input)])
}

function tcpListener(listener: ServerListener, input: GatewayListenerInput): Resource[] {
  const addresses = addressesOf(listener, input)
  const name = `${addresses[0]}_${listener.port}`
  const chains = new ServerChains()
  const [plain] = listener.plainHttp
  const plainFirst = listener.others.length === 0
  for (const entry of listener.others) addServer(chains, entry, name, input)
  if (plain?.routeName !== undefined)
    chains.add([], {
      filters: [
        gatewayManager(
          input.settings,
          `outbound_${name}`,
          { rds: plain.routeName },
          { topology: input.topology, filters: httpSlots(listener.plainHttp, input) },
        ),
      ],
    })
  const filterChains = chains.all.map((chain) => ({ ...chain, ...handshakeLimit(chain, input.settings) }))
  if (filterChains.length === 0) return []
  const inspects = !plainFirst && listener.others.some(({ kind }) => kind !== 'tcp')
  return [
    encode(ListenerSchema, name, {
      name,
      ...listenAt(addresses, listener.port),
      ...balanced(input.settings.traffic.exactBalance.outbound),
      trafficDirection: TrafficDirection.OUTBOUND,
      accessLog: unroutedLogs(input.settings),
      listenerFilters: [...(input.topology.proxyProtocol ? [PROXY_PROTOCOL] : []), ...(inspects ? [TLS_INSPECTOR] : [])],
      filterChains,
    }),
  ]
}

const httpSlots = (servers: readonly GatewayServer[], { filters }: GatewayListenerInput): HttpFilterSlots =>
  servers.some(({ server }) => parseProtocol(server.port.protocol ?? '') === 'grpc-web') ? { ...filters.http, grpcWeb: true } : filters.http

/** A caller that does not get on with its handshake must not hold a connection for ever. */
const handshakeLimit = ({ transportSocket }: FilterChainInit, { switches }: MeshSettings): FilterChainInit =>
  transportSocket && switches.gatewayHandshake > 0 ? { transportSocketConnectTimeout: duration(switches.gatewayHandshake) } : {}

const addressesOf = ({ bind }: ServerListener, { wildcards }: GatewayListenerInput): readonly string[] => (bind ? [bind] : wildcards)

/** Filter chains of a listener. Envoy refuses one with two chains for one server name: the first server keeps it. */
class ServerChains {
  readonly all: FilterChainInit[] = []
  readonly #taken = new Set<string>()

  /** Adds a chain for those of its names that are free; an empty list, or `*` in it, stands for whatever no other takes. */
  add(serverNames: readonly string[], chain: FilterChainInit, applicationProtocols: readonly string[] = []): void {
    const wanted = serverNames.length === 0 || serverNames.includes('*') ? ['*'] : [...new Set(serverNames)]
    const free = wanted.filter((name) => !this.#taken.has(name))
    if (free.length === 0) return
    for (const name of free) this.#taken.add(name)
    const match = {
      ...(free[0] !== '*' && { serverNames: free }),
      ...(applicationProtocols.length > 0 && { applicationProtocols: [...applicationProtocols] }),
    }
    this.all.push({ ...(Object.keys(match).length > 0 && { filterChainMatch: match }), ...chain })
  }
}

function addServer(chains: ServerChains, entry: GatewayServer, listenerName: string, input: GatewayListenerInput): void {
  const { settings, topology, filters: policies } = input
  const { kind, server, routeName } = entry
  const names = serverNames(entry)
  if (kind === 'https') {
    const transportSocket = serverSocket(server.tls, settings, HTTP_PROTOCOLS)
    if (routeName === undefined || !transportSocket) return
    const statPrefix = server.name || `outbound_${listenerName}`
    chains.add(names, {
      filters: [gatewayManager(settings, statPrefix, { rds: routeName }, { topology, filters: httpSlots([entry], input) })],
      transportSocket,
      metadata: originMetadata(entry.gateway.origin),
    })
    return
  }
  if (kind === 'auto-passthrough') {
    for (const { serverName, ...target } of input.passthrough(entry))
      chains.add([serverName], { filters: networkFilters(policies.bytes, tcpTargets(settings, [target])) }, MESH_PROTOCOLS)
    return
  }
  const routes = input.routes(entry).filter(({ targets }) => targets.length > 0)
  if (kind === 'tls-passthrough') {
    for (const route of routes)
      chains.add(route.serverNames, { filters: networkFilters(policies.bytes, tcpTargets(settings, route.targets)), ...chainOrigin(route) })
    return
  }
  const bytesTo = ({ targets }: TcpRoute) => networkFilters(policies.bytes, tcpTargets(settings, targets))
  // Nothing but the port tells bytes apart: the first route gets all.
  const rest = routes.find(({ serverNames: own }) => own.length === 0)
  if (kind === 'tcp') {
    if (rest) chains.add([], { filters: bytesTo(rest), ...chainOrigin(rest) })
    return
  }
  const transportSocket = serverSocket(server.tls, settings, HTTP_PROTOCOLS)
  if (!transportSocket) return
  for (const route of routes.filter(({ serverNames: own }) => own.length > 0))
    chains.add(route.serverNames, { filters: bytesTo(route), transportSocket, ...chainOrigin(route) })
  if (rest) chains.add(names, { filters: bytesTo(rest), transportSocket, ...chainOrigin(rest) })
}

const serverNames = ({ hosts }: GatewayServer): string[] => [...new Set(hosts.map(({ host }) => host))].sort()

/** HTTP/3 on the same port, by UDP, for the HTTPS servers that take it. */
function quicListener(listener: ServerListener, input: GatewayListenerInput): Resource[] {
  const { settings, topology } = input
  const addresses = addressesOf(listener, input)
  const name = `udp_${addresses[0]}_${listener.port}`
  const chains = new ServerChains()
  for (const entry of listener.others) {
    if (entry.kind !== 'https' || entry.routeName === undefined || !input.http3(entry)) continue
    const transportSocket = quicServerSocket(entry.server.tls, settings)
    const statPrefix = entry.server.name || `outbound_${name}`
    const manager = gatewayManager(
      settings,
      statPrefix,
      { rds: entry.routeName },
      { topology, http3: true, filters: httpSlots([entry], input) },
    )
    if (transportSocket) chains.add(serverNames(entry), { filters: [manager], transportSocket })
  }
  if (chains.all.length === 0) return []
  return [
    encode(ListenerSchema, name, {
      name,
      ...listenAt(addresses, listener.port, SocketProtocol.UDP),
      trafficDirection: TrafficDirection.OUTBOUND,
      accessLog: unroutedLogs(settings),
      udpListenerConfig: { quicOptions: {}, downstreamSocketConfig: { preferGro: true } },
      enableReusePort: true,
      filterChains: chains.all,
    }),
  ]
}
