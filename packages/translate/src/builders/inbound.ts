/**
 * Connections that reach a workload: one listener, `virtualInbound`, with filter chains for each port of its services and for all
 * other ports, and a cluster for each port that leads to the application.
 */
import type { ServerTLSSettings } from '@lateen/api'
import { duration, packAny, type Resource } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { isHttp, isHttp2, type MeshSettings, type MutualTls, type Protocol } from '@lateen/model'
import { ANY_PATH } from '../features/match/match.ts'
import { BLACK_HOLE, INBOUND_PASSTHROUGH } from '../names.ts'
import { encode } from '../resource.ts'
import { HTTP_OPTIONS } from './cluster.ts'
import { inboundManager, type NetworkFilterInit, type RouteSource, tcpProxy } from './connection-manager.ts'
import {
  detection,
  type FilterChainInit,
  HTTP_INSPECTOR,
  ORIGINAL_DST,
  PLAIN_HTTP,
  socketAddress,
  TLS_INSPECTOR,
} from './listener-parts.ts'
import { serverSocket } from './server-tls.ts'
import { structOf } from './struct.ts'
import { meshServerSocket, type TransportSocketInit } from './tls-context.ts'
import { virtualHostInit } from './virtual-hosts.ts'

export interface InboundPort {
  /** The port that the application listens on. */
  readonly port: number
  /** The service's port that leads to it. */
  readonly servicePort: number
  readonly protocol: Protocol
  readonly mode: MutualTls
  readonly services: readonly { readonly host: string; readonly name: string; readonly namespace: string }[]
  /** What a Sidecar's ingress listener says of the port; absent for ports of services. */
  readonly ingress?: IngressListener
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
  readonly socketMark: number | undefined
  /** Connections are captured and come by one listener for all ports. */
  readonly captured: boolean
}

const ANY = '0.0.0.0'

/** Traffic from the proxy to the application leaves from here; the capture rules let it pass. */
const PASSTHROUGH_SOURCE = '127.0.0.6'

/** ALPN names that a mesh client offers. */
const MESH_HTTP = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2']
const MESH_TCP = ['istio-peer-exchange', 'istio']

/** The listeners for incoming connections: the one for all that is captured, and those with a socket of their own. */
export function inboundListeners(input: InboundInput): Resource[] {
  const { settings } = input
  const mesh = meshServerSocket({
    trustDomains: [settings.trustDomain, ...settings.trustDomainAliases],
    minimum: settings.mesh.meshMTLS?.minProtocolVersion,
    ciphers: settings.mesh.meshMTLS?.cipherSuites,
  })
  const bound = input.ports.flatMap((entry) => (entry.ingress?.bound ? [boundListener(entry, entry.ingress, mesh, settings)] : []))
  return input.captured ? [...bound, virtualInbound(input, mesh)] : bound
}

function virtualInbound(input: InboundInput, mesh: TransportSocketInit): Resource {
  const { settings } = input
  const port = settings.mesh.proxyInboundListenPort ?? 15006
  const passthrough = passthroughChains(input.mode, mesh, settings).map((chain) => ({
    ...chain,
    name: chain.http ? 'virtualInbound-catchall-http' : 'virtualInbound',
  }))
  const policy = input.policyPorts.flatMap((entry) =>
    passthroughChains(entry.mode, mesh, settings).map((chain) => ({
      ...chain,
      name: 'virtualInbound',
      filterChainMatch: { ...chain.filterChainMatch, destinationPort: entry.port },
    })),
  )
  const ports = input.ports.flatMap((entry) => (entry.ingress?.bound ? [] : portChains(entry, mesh, settings)))
  return encode(ListenerSchema, 'virtualInbound', {
    name: 'virtualInbound',
    address: socketAddress(ANY, port),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [ORIGINAL_DST, TLS_INSPECTOR, HTTP_INSPECTOR],
    ...detection(settings),
    filterChains: [
      { name: 'virtualInbound-blackhole', filterChainMatch: { destinationPort: port }, filters: [tcpProxy(settings, BLACK_HOLE)] },
      ...[...passthrough, ...policy, ...ports].map(({ http: _, ...chain }) => chain),
    ],
  })
}

/** A listener with a socket of its own, for a port whose traffic nothing captures. */
function boundListener(entry: InboundPort, ingress: IngressListener, mesh: TransportSocketInit, settings: MeshSettings): Resource {
  const name = chainName(entry)
  return encode(ListenerSchema, name, {
    name,
    address: socketAddress(ingress.bind, entry.port),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [TLS_INSPECTOR, HTTP_INSPECTOR],
    ...detection(settings),
    filterChains: portChains(entry, mesh, settings).map(({ http: _, ...chain }) => chain),
  })
}

const chainName = (entry: InboundPort): string => `${entry.ingress?.bind ?? ANY}_${entry.port}`

function portChains(entry: InboundPort, mesh: TransportSocketInit, settings: MeshSettings): Chain[] {
  const name = chainName(entry)
  const cluster = `inbound|${entry.port}||`
  const http = inboundManager(settings, `inbound_${name}`, inlineRoute(cluster, entry.servicePort))
  const tcp = tcpProxy(settings, cluster)
  const own = entry.mode === 'DISABLE' && serverSocket(entry.ingress?.tls, settings, ['h2', 'http/1.1'])
  const speaksHttp = isHttp(entry.protocol) || entry.protocol === 'https'
  const list: Chain[] = own
    ? [{ filterChainMatch: { transportProtocol: 'tls' }, filters: [speaksHttp ? http : tcp], http: speaksHttp, transportSocket: own }]
    : chains({ protocol: entry.protocol, mode: entry.mode, tls: mesh, http, tcp })
  return list.map((chain) => ({ ...chain, name, filterChainMatch: { ...chain.filterChainMatch, destinationPort: entry.port } }))
}

/** Chains to the port that the caller dialled, whatever it is. */
function passthroughChains(mode: MutualTls, mesh: TransportSocketInit, settings: MeshSettings): Chain[] {
  return chains({
    protocol: 'auto',
    mode,
    tls: mesh,
    http: inboundManager(settings, `inbound_${ANY}`, inlineRoute(INBOUND_PASSTHROUGH, undefined)),
    tcp: tcpProxy(settings, INBOUND_PASSTHROUGH),
  })
}

interface ChainInput {
  readonly protocol: Protocol
  readonly mode: MutualTls
  readonly tls: TransportSocketInit
  readonly http: NetworkFilterInit
  readonly tcp: NetworkFilterInit
}

type Chain = FilterChainInit & { readonly http: boolean }

/** The filter chains of one port: which are there depends on what may come (mutual TLS, plain text) and on the protocol. */
function chains({ protocol, mode, tls, http, tcp }: ChainInput): Chain[] {
  const http_ = (match: FilterChainInit['filterChainMatch'], secure: boolean): Chain => ({
    filterChainMatch: match ?? {},
    filters: [http],
    http: true,
    ...(secure && { transportSocket: tls }),
  })
  const tcp_ = (match: FilterChainInit['filterChainMatch'], secure: boolean): Chain => ({
    filterChainMatch: match ?? {},
    filters: [tcp],
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
      if (kind === 'http') return [http_({}, false)]
      if (kind === 'tcp') return [tcp_({}, false)]
      // Envoy goes on with the chains that say "plain" and does not come back to one that says nothing.
      return [http_({ ...plain, applicationProtocols: [...PLAIN_HTTP] }, false), tcp_(plain, false), tcp_(secure, false)]
    case 'PERMISSIVE':
      if (kind === 'http') return [http_({ ...secure, applicationProtocols: [...MESH_TCP, ...MESH_HTTP] }, true), http_(plain, false)]
      if (kind === 'tcp')
        return [tcp_({ ...secure, applicationProtocols: [...MESH_TCP, ...MESH_HTTP] }, true), tcp_(secure, false), tcp_(plain, false)]
      return [
        http_({ ...secure, applicationProtocols: MESH_HTTP }, true),
        http_({ ...plain, applicationProtocols: [...PLAIN_HTTP] }, false),
        tcp_({ ...secure, applicationProtocols: MESH_TCP }, true),
        tcp_(plain, false),
        tcp_(secure, false),
      ]
  }
}

/** One route to the application; named after the cluster, and after the port by which clients know it. */
function inlineRoute(cluster: string, port: number | undefined): RouteSource {
  return {
    inline: {
      name: cluster,
      validateClusters: false,
      virtualHosts: [
        virtualHostInit(
          `inbound|http|${port ?? 0}`,
          ['*'],
          [
            {
              name: 'default',
              match: ANY_PATH,
              decorator: { operation: `:${port ?? '*'}/*` },
              action: {
                case: 'route',
                value: {
                  clusterSpecifier: { case: 'cluster', value: cluster },
                  timeout: duration(0),
                  maxStreamDuration: { maxStreamDuration: duration(0), grpcTimeoutHeaderMax: duration(0) },
                },
              },
            },
          ],
        ),
      ],
    },
  }
}

/** The clusters that lead to the application, and the one for ports that no service names. */
export function inboundClusters(input: InboundInput): Resource[] {
  return [...input.ports.map((port) => applicationCluster(input, port)), passthroughCluster(input)]
}

function applicationCluster(input: InboundInput, { port, protocol, services, ingress }: InboundPort): Resource {
  const name = `inbound|${port}||`
  const upstream =
    protocol === 'auto'
      ? { case: 'useDownstreamProtocolConfig' as const, value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } }
      : undefined
  const fixed = isHttp2(protocol)
    ? { case: 'explicitHttpConfig' as const, value: { protocolConfig: { case: 'http2ProtocolOptions' as const, value: {} } } }
    : undefined
  const protocolOptions = upstream ?? fixed
  return encode(ClusterSchema, name, {
    name,
    ...toApplication(input),
    ...(ingress?.endpoint && toEndpoint(name, ingress.endpoint, input)),
    metadata: { filterMetadata: { istio: structOf({ services }) } },
    ...(protocolOptions && {
      typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, { upstreamProtocolOptions: protocolOptions }) },
    }),
  })
}

function passthroughCluster(input: InboundInput): Resource {
  return encode(ClusterSchema, INBOUND_PASSTHROUGH, {
    name: INBOUND_PASSTHROUGH,
    ...toApplication(input),
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
      }),
    },
  })
}

/** Keeps the address dialled, so that applications bound to the pod's address are reached. */
function toApplication(input: InboundInput) {
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(10_000),
    cleanupInterval: duration(60_000),
    circuitBreakers: {
      thresholds: [
        { maxConnections: UNLIMITED, maxPendingRequests: UNLIMITED, maxRequests: UNLIMITED, maxRetries: UNLIMITED, trackRemaining: true },
      ],
    },
    upstreamBindConfig: {
      sourceAddress: { address: PASSTHROUGH_SOURCE, portSpecifier: { case: 'portValue' as const, value: 0 } },
      ...(input.socketMark !== undefined && { socketOptions: [markOption(input.socketMark)] }),
    },
  }
}

/** To where a Sidecar says that the application listens. */
function toEndpoint(name: string, endpoint: ApplicationEndpoint, input: InboundInput) {
  const address =
    'path' in endpoint
      ? { case: 'pipe' as const, value: { path: endpoint.path } }
      : {
          case: 'socketAddress' as const,
          value: { address: endpoint.address, portSpecifier: { case: 'portValue' as const, value: endpoint.port } },
        }
  const local = 'path' in endpoint || !endpoint.ownAddress
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.STATIC },
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint' as const, value: { address: { address } } } }] }],
    },
    // The loopback address is never captured; the pod's own is, but for connections from the address that the rules let pass.
    ...(local && {
      upstreamBindConfig:
        input.socketMark === undefined || 'path' in endpoint ? undefined : { socketOptions: [markOption(input.socketMark)] },
    }),
  }
}

const UNLIMITED = 4294967295

/** SOL_SOCKET, SO_MARK. */
const markOption = (mark: number) => ({ level: 1n, name: 36n, value: { case: 'intValue' as const, value: BigInt(mark) } })
