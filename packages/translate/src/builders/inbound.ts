/**
 * Connections that reach a workload: one listener, `virtualInbound`, with filter chains for each port of its services and for all
 * other ports, and a cluster for each port that leads to the application.
 */
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
import { detection, type FilterChainInit, HTTP_INSPECTOR, ORIGINAL_DST, PLAIN_HTTP, socketAddress, TLS_INSPECTOR } from './listener-parts.ts'
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
}

export interface InboundInput {
  readonly ports: readonly InboundPort[]
  /** Ports that no service names but a policy does. */
  readonly policyPorts: readonly { readonly port: number; readonly mode: MutualTls }[]
  /** The mode of every other port. */
  readonly mode: MutualTls
  readonly settings: MeshSettings
  readonly socketMark: number | undefined
}

const ANY = '0.0.0.0'

/** Traffic from the proxy to the application leaves from here; the capture rules let it pass. */
const PASSTHROUGH_SOURCE = '127.0.0.6'

/** ALPN names that a mesh client offers. */
const MESH_HTTP = ['istio-http/1.0', 'istio-http/1.1', 'istio-h2']
const MESH_TCP = ['istio-peer-exchange', 'istio']

export function virtualInbound(input: InboundInput): Resource {
  const { settings } = input
  const port = settings.mesh.proxyInboundListenPort ?? 15006
  const tls = meshServerSocket({
    trustDomains: [settings.trustDomain, ...settings.trustDomainAliases],
    minimum: settings.mesh.meshMTLS?.minProtocolVersion,
    ciphers: settings.mesh.meshMTLS?.cipherSuites,
  })
  const build = (name: string, destination: number, servicePort: number, protocol: Protocol, mode: MutualTls, cluster: string) => {
    const http = inboundManager(settings, `inbound_${name}`, inlineRoute(cluster, servicePort))
    const tcp = tcpProxy(settings, cluster)
    return chains({ protocol, mode, tls, http, tcp }).map((chain) => ({
      ...chain,
      name,
      filterChainMatch: { ...chain.filterChainMatch, destinationPort: destination },
    }))
  }
  const passthrough = chains({
    protocol: 'auto',
    mode: input.mode,
    tls,
    http: inboundManager(settings, `inbound_${ANY}`, inlineRoute(INBOUND_PASSTHROUGH, undefined)),
    tcp: tcpProxy(settings, INBOUND_PASSTHROUGH),
  }).map((chain) => ({ ...chain, name: chain.http ? 'virtualInbound-catchall-http' : 'virtualInbound' }))
  const policy = input.policyPorts.flatMap((entry) => build('virtualInbound', entry.port, entry.port, 'auto', entry.mode, INBOUND_PASSTHROUGH))
  const ports = input.ports.flatMap((entry) => {
    return build(`${ANY}_${entry.port}`, entry.port, entry.servicePort, entry.protocol, entry.mode, `inbound|${entry.port}||`)
  })
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
  const http_ = (match: FilterChainInit['filterChainMatch'], secure: boolean): Chain => ({ filterChainMatch: match ?? {}, filters: [http], http: true, ...(secure && { transportSocket: tls }) })
  const tcp_ = (match: FilterChainInit['filterChainMatch'], secure: boolean): Chain => ({ filterChainMatch: match ?? {}, filters: [tcp], http: false, ...(secure && { transportSocket: tls }) })
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
      return [http_({ ...plain, applicationProtocols: [...PLAIN_HTTP] }, false), tcp_({}, false)]
    case 'PERMISSIVE':
      if (kind === 'http') return [http_({ ...secure, applicationProtocols: [...MESH_TCP, ...MESH_HTTP] }, true), http_(plain, false)]
      if (kind === 'tcp') return [tcp_({ ...secure, applicationProtocols: [...MESH_TCP, ...MESH_HTTP] }, true), tcp_(secure, false), tcp_(plain, false)]
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
        virtualHostInit(`inbound|http|${port ?? 0}`, ['*'], [
          {
            name: 'default',
            match: ANY_PATH,
            decorator: { operation: `:${port ?? '*'}/*` },
            action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: duration(0), maxStreamDuration: { maxStreamDuration: duration(0), grpcTimeoutHeaderMax: duration(0) } } },
          },
        ]),
      ],
    },
  }
}

/** The clusters that lead to the application, and the one for ports that no service names. */
export function inboundClusters(input: InboundInput): Resource[] {
  return [...input.ports.map((port) => applicationCluster(input, port)), passthroughCluster(input)]
}

function applicationCluster(input: InboundInput, { port, protocol, services }: InboundPort): Resource {
  const name = `inbound|${port}||`
  const upstream = protocol === 'auto' ? { case: 'useDownstreamProtocolConfig' as const, value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } } : undefined
  const fixed = isHttp2(protocol) ? { case: 'explicitHttpConfig' as const, value: { protocolConfig: { case: 'http2ProtocolOptions' as const, value: {} } } } : undefined
  const protocolOptions = upstream ?? fixed
  return encode(ClusterSchema, name, {
    name,
    ...toApplication(input),
    metadata: { filterMetadata: { istio: structOf({ services }) } },
    ...(protocolOptions && { typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, { upstreamProtocolOptions: protocolOptions }) } }),
  })
}

function passthroughCluster(input: InboundInput): Resource {
  return encode(ClusterSchema, INBOUND_PASSTHROUGH, {
    name: INBOUND_PASSTHROUGH,
    ...toApplication(input),
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, { upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } } }),
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
    circuitBreakers: { thresholds: [{ maxConnections: UNLIMITED, maxPendingRequests: UNLIMITED, maxRequests: UNLIMITED, maxRetries: UNLIMITED, trackRemaining: true }] },
    upstreamBindConfig: {
      sourceAddress: { address: PASSTHROUGH_SOURCE, portSpecifier: { case: 'portValue' as const, value: 0 } },
      ...(input.socketMark !== undefined && { socketOptions: [markOption(input.socketMark)] }),
    },
  }
}

const UNLIMITED = 4294967295

/** SOL_SOCKET, SO_MARK. */
const markOption = (mark: number) => ({ level: 1n, name: 36n, value: { case: 'intValue' as const, value: BigInt(mark) } })
