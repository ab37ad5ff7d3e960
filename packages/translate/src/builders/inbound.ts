/**
 * Connections that reach a workload: one listener, `virtualInbound`, with filter chains for each port of its services and for all
 * other ports.
 */
import type { ConnectionPoolSettings, ServerTLSSettings } from '@lateen/api'
import { duration, type Resource } from '@lateen/envoy'
import { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { type AddressFamilies, inboundPort, isHttp, type MeshSettings, type MutualTls, type Protocol, type Service } from '@lateen/model'
import { ANY_PATH } from '../features/match/match.ts'
import { BLACK_HOLE, INBOUND_PASSTHROUGH } from '../names.ts'
import { encode } from '../resource.ts'
import { unroutedLogs } from './access-log.ts'
import { inboundManager, type NetworkFilterInit, type RouteSource, tcpProxy } from './connection-manager.ts'
import { networkFilters, type PolicyFilters } from './filter-order.ts'
import { inspectors } from './inspectors.ts'
import {
  acceptedAtOnce,
  balanced,
  detection,
  type FilterChainInit,
  listenAt,
  ORIGINAL_DST,
  ORIGINAL_SRC,
  ownAddresses,
  plainHttp,
} from './listener-parts.ts'
import { serverSocket } from './server-tls.ts'
import { meshServerSocket, type TransportSocketInit } from './tls-context.ts'

export interface InboundPort {
  /** The port that the application listens on. */
  readonly port: number
  /** The service's port that leads to it. */
  readonly servicePort: number
  readonly protocol: Protocol
  readonly mode: MutualTls
  readonly services: readonly (Pick<Service, 'host' | 'name' | 'namespace'> & { readonly origin: { readonly kind: string } })[]
  /** Name of the service's port. */
  readonly portName: string
  /** What a Sidecar's ingress listener says of the port; absent for ports of services. */
  readonly ingress?: IngressListener
  /** Limits of connections to the application: a Sidecar's, else those of the DestinationRule for the service. */
  readonly pool: ConnectionPoolSettings | undefined
}

export interface IngressListener {
  /** The address on which the listener is, and that its name begins with. */
  readonly bind: string
  /** The listener has a socket of its own: nothing captures its traffic. */
  readonly bound: boolean
  /** Where the application listens; absent for the address and port that the caller dialled. */
  readonly endpoint: ApplicationEndpoint | undefined
  /** TLS with a certificate of the user's, where mutual TLS of the mesh is turned off. */
  readonly tls: ServerTLSSettings | undefined
}

export type ApplicationEndpoint =
  | { readonly address: string; readonly port: number; readonly ownAddress: boolean }
  | { readonly path: string }

export interface InboundInput {
  readonly ports: readonly InboundPort[]
  /** Ports that no service names but a policy does. */
  readonly policyPorts: readonly { readonly port: number; readonly mode: MutualTls }[]
  /** The mode of every other port. */
  readonly mode: MutualTls
  readonly settings: MeshSettings
  /** What policies put into every chain that leads to the application. */
  readonly filters: PolicyFilters
  readonly socketMark: number | undefined
  /** Connections are captured and come by one listener for all ports. */
  readonly captured: boolean
  /** They are captured with the caller's address left as it is. */
  readonly transparent: boolean
  /** Families of the workload's addresses. */
  readonly families: AddressFamilies
}

const ANY = '0.0.0.0'

/** ALPN names that a mesh client offers. */
const MESH_HTTP = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2']
const MESH_TCP = ['istio-peer-exchange', 'istio']
const MESH_ANY = ['istio', 'istio-peer-exchange', ...MESH_HTTP]

/** The listeners for incoming connections: the one for all that is captured, and those with a socket of their own. */
export function inboundListeners(input: InboundInput): Resource[] {
  const { settings } = input
  const mesh = meshServerSocket({
    trustDomains: [...new Set([settings.trustDomain, ...settings.trustDomainAliases, ...settings.federatedDomains])],
    settings,
  })
  const bound = input.ports.flatMap((entry) => (entry.ingress?.bound ? [boundListener(entry, entry.ingress, mesh, input)] : []))
  return input.captured ? [...bound, virtualInbound(input, mesh)] : bound
}

function virtualInbound(input: InboundInput, mesh: TransportSocketInit): Resource {
  const { settings } = input
  const port = inboundPort(settings.mesh)
  const passthrough = passthroughChains(input.mode, mesh, input)
  const policy = input.policyPorts.flatMap((entry) =>
    passthroughChains(entry.mode, mesh, input).map((chain) => ({
      ...chain,
      filterChainMatch: { ...chain.filterChainMatch, destinationPort: entry.port },
    })),
  )
  const ports = input.ports.flatMap((entry) => (entry.ingress?.bound ? [] : portChains(entry, mesh, input)))
  const filterChains: FilterChainInit[] = [
    { name: 'virtualInbound-blackhole', filterChainMatch: { destinationPort: port }, filters: [tcpProxy(settings, BLACK_HOLE, 'inbound')] },
    ...[...passthrough, ...policy, ...ports].map(({ http: _, ...chain }) => chain),
  ]
  return encode(ListenerSchema, 'virtualInbound', {
    name: 'virtualInbound',
    ...listenAt(ownAddresses(input.families, settings).wildcards, port),
    ...acceptedAtOnce(settings),
    ...balanced(settings.traffic.exactBalance.inbound),
    trafficDirection: TrafficDirection.INBOUND,
    ...(input.transparent && { transparent: true }),
    accessLog: unroutedLogs(settings),
    listenerFilters: [ORIGINAL_DST, ...(input.transparent ? [ORIGINAL_SRC] : []), ...inspectors(filterChains)],
    ...detection(settings),
    filterChains,
  })
}

/** A listener with a socket of its own, for a port whose traffic nothing captures. */
function boundListener(entry: InboundPort, ingress: IngressListener, mesh: TransportSocketInit, input: InboundInput): Resource {
  const name = chainName(entry)
  const filterChains = portChains(entry, mesh, input).map(({ http: _, ...chain }): FilterChainInit => chain)
  return encode(ListenerSchema, name, {
    name,
    ...listenAt([ingress.bind], entry.port),
    ...balanced(input.settings.traffic.exactBalance.inbound),
    trafficDirection: TrafficDirection.INBOUND,
    accessLog: unroutedLogs(input.settings),
    listenerFilters: inspectors(filterChains),
    ...detection(input.settings),
    filterChains,
  })
}

const chainName = (entry: InboundPort): string => `${entry.ingress?.bind ?? ANY}_${entry.port}`

function portChains(entry: InboundPort, mesh: TransportSocketInit, { settings, filters }: InboundInput): Chain[] {
  const name = chainName(entry)
  const cluster = `inbound|${entry.port}||`
  const http = inboundManager(settings, `inbound_${name}`, inlineRoute(cluster, entry), {
    ...filters.http,
    ...(entry.protocol === 'grpc-web' && { grpcWeb: true }),
  })
  const tcp = bytesTo(cluster, settings, filters)
  const own = entry.mode === 'DISABLE' && serverSocket(entry.ingress?.tls, settings, ['h2', 'http/1.1'])
  const speaksHttp = isHttp(entry.protocol) || entry.protocol === 'https'
  const list: Chain[] = own
    ? [
        {
          filterChainMatch: { transportProtocol: 'tls' },
          filters: speaksHttp ? [http] : tcp('anybody'),
          http: speaksHttp,
          transportSocket: own,
        },
      ]
    : chains({ protocol: entry.protocol, mode: entry.mode, tls: mesh, http, tcp, plainNames: plainHttp(settings) })
  return list.map((chain) => ({ ...chain, name, filterChainMatch: { ...chain.filterChainMatch, destinationPort: entry.port } }))
}

/** Chains to the port that the caller dialled, whatever it is. */
function passthroughChains(mode: MutualTls, mesh: TransportSocketInit, { settings, filters }: InboundInput): Chain[] {
  const list = chains({
    protocol: 'auto',
    mode,
    tls: mesh,
    http: inboundManager(settings, INBOUND_PASSTHROUGH, inlineRoute(INBOUND_PASSTHROUGH, undefined), filters.http),
    tcp: bytesTo(INBOUND_PASSTHROUGH, settings, filters),
    plainNames: plainHttp(settings),
  })
  return list.map((chain) => ({ ...chain, name: chain.http ? 'virtualInbound-catchall-http' : 'virtualInbound' }))
}

/** Who connects: a workload of the mesh, which says so in the handshake, or anybody. */
type Caller = 'workload' | 'anybody'

const bytesTo =
  (cluster: string, settings: MeshSettings, filters: PolicyFilters) =>
  (caller: Caller): NetworkFilterInit[] =>
    networkFilters(filters.bytes, tcpProxy(settings, cluster, 'inbound', { awaitsCaller: caller === 'workload' }))

interface ChainInput {
  readonly protocol: Protocol
  readonly mode: MutualTls
  readonly tls: TransportSocketInit
  readonly http: NetworkFilterInit
  readonly tcp: (caller: Caller) => NetworkFilterInit[]
  /** What plain HTTP is found out as. */
  readonly plainNames: readonly string[]
}

type Chain = FilterChainInit & { readonly http: boolean }

/** The filter chains of one port: which are there depends on what may come (mutual TLS, plain text) and on the protocol. */
function chains({ protocol, mode, tls, http, tcp, plainNames }: ChainInput): Chain[] {
  const http_ = (match: FilterChainInit['filterChainMatch'], secure: boolean): Chain => ({
    filterChainMatch: match ?? {},
    filters: [http],
    http: true,
    ...(secure && { transportSocket: tls }),
  })
  const tcp_ = (match: FilterChainInit['filterChainMatch'], secure: boolean): Chain => ({
    filterChainMatch: match ?? {},
    filters: tcp(secure ? 'workload' : 'anybody'),
    http: false,
    ...(secure && { transportSocket: tls }),
  })
  const kind = protocol === 'auto' ? 'auto' : isHttp(protocol) ? 'http' : 'tcp'
  const secure = { transportProtocol: 'tls' }
  const plain = { transportProtocol: 'raw_buffer' }
  switch (mode) {
    case 'STRICT':
      if (kind === 'http') return [http_(secure, true)]
      if (kind === 'tcp') return [tcp_(secure, true)]
      return [http_({ ...secure, applicationProtocols: MESH_HTTP }, true), tcp_(secure, true)]
    case 'DISABLE':
      // Nobody looks for TLS, so that it counts as plain bytes.
      if (kind === 'http') return [http_(plain, false)]
      if (kind === 'tcp') return [tcp_(plain, false)]
      return [http_({ ...plain, applicationProtocols: [...plainNames] }, false), tcp_(plain, false)]
    case 'PERMISSIVE':
      if (kind === 'http') return [http_({ ...secure, applicationProtocols: MESH_ANY }, true), http_(plain, false)]
      if (kind === 'tcp') return [tcp_({ ...secure, applicationProtocols: MESH_ANY }, true), tcp_(secure, false), tcp_(plain, false)]
      return [
        http_({ ...secure, applicationProtocols: MESH_HTTP }, true),
        http_({ ...plain, applicationProtocols: [...plainNames] }, false),
        tcp_({ ...secure, applicationProtocols: MESH_TCP }, true),
        tcp_(plain, false),
        tcp_(secure, false),
      ]
  }
}

/** One route to the application; named after the cluster, and after the port by which clients know it. */
function inlineRoute(cluster: string, entry: InboundPort | undefined): RouteSource {
  const port = entry?.servicePort ?? 0
  // Streams of gRPC may have begun on the server when a connection breaks: trying again is not for the proxy to decide.
  const retryPolicy =
    entry?.protocol === 'grpc' || entry?.protocol === 'grpc-web' ? undefined : { retryOn: 'reset-before-request', numRetries: 2 }
  return {
    inline: {
      name: cluster,
      validateClusters: false,
      virtualHosts: [
        {
          name: `inbound|http|${port}`,
          domains: ['*'],
          routes: [
            {
              name: 'default',
              match: ANY_PATH,
              decorator: { operation: `${entry?.services[0]?.host ?? ''}:${port}/*` },
              action: {
                case: 'route',
                value: {
                  clusterSpecifier: { case: 'cluster', value: cluster },
                  timeout: duration(0),
                  maxStreamDuration: { maxStreamDuration: duration(0), grpcTimeoutHeaderMax: duration(0) },
                  ...(retryPolicy && { retryPolicy }),
                },
              },
            },
          ],
        },
      ],
    },
  }
}
