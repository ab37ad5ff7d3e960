/** HTTP connection managers and TCP proxies: the filters at the end of a filter chain. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Topology } from '@lateen/api'
import type { CallSide } from '@lateen/base/call-record'
import { duration, packAny } from '@lateen/envoy'
import type { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import {
  HttpConnectionManager_CodecType as Codec,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  HttpConnectionManagerSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { TcpProxySchema, UpstreamConnectMode } from '@lateen/envoy/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { MeshSettings } from '@lateen/model'
import { CONNECTIONS_LOGGED, connectionMetrics, requestMetrics } from '../features/telemetry/standard-metrics.ts'
import { accessLogs, endLogs } from './access-log.ts'
import { ads } from './config-source.ts'
import { type HttpFilterSlots, httpFilters, type NetworkFilterInit } from './filter-order.ts'
import { clientCertificate, FORWARD, headerSettings, idleConnection, protocolSettings } from './proxy-headers.ts'

export type { NetworkFilterInit } from './filter-order.ts'

type ManagerInit = Partial<Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, { $typeName: string }>>

const MANAGER = 'envoy.filters.network.http_connection_manager'
const TCP_PROXY = 'envoy.filters.network.tcp_proxy'

export type RouteSource = { readonly rds: string } | { readonly inline: MessageInitShape<typeof RouteConfigurationSchema> }

function common(settings: MeshSettings, statPrefix: string, routes: RouteSource): ManagerInit {
  return {
    codecType: Codec.AUTO,
    statPrefix,
    routeSpecifier:
      'rds' in routes
        ? { case: 'rds', value: { routeConfigName: routes.rds, configSource: ads() } }
        : { case: 'routeConfig', value: routes.inline },
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    streamIdleTimeout: duration(0),
    ...(settings.switches.passesContinue && { proxy100Continue: true }),
    ...normalization(settings),
    ...protocolSettings(settings.traffic),
  }
}

/** What is written and counted of requests. */
const requestLogs = (settings: MeshSettings, side: CallSide) => [...accessLogs(settings), ...requestMetrics(settings, side)]

/** `pathNormalization` of the mesh: how paths are brought to one form before anything matches them. */
function normalization(settings: MeshSettings): ManagerInit {
  const mode = settings.mesh.pathNormalization?.normalization ?? 'DEFAULT'
  if (mode === 'NONE') return {}
  return {
    normalizePath: true,
    ...(mode !== 'BASE' && mode !== 'DEFAULT' && { mergeSlashes: true }),
    pathWithEscapedSlashesAction: mode === 'DECODE_AND_MERGE_SLASHES' ? EscapedSlashes.UNESCAPE_AND_FORWARD : EscapedSlashes.KEEP_UNCHANGED,
  }
}

function manager(init: ManagerInit): NetworkFilterInit {
  return { name: MANAGER, configType: { case: 'typedConfig', value: packAny(HttpConnectionManagerSchema, init) } }
}

/** Requests that leave a workload. */
export function outboundManager(
  settings: MeshSettings,
  statPrefix: string,
  routes: RouteSource,
  slots: HttpFilterSlots = {},
): NetworkFilterInit {
  return manager({
    ...common(settings, statPrefix, routes),
    accessLog: requestLogs(settings, 'outbound'),
    ...headerSettings(settings.traffic, 'outbound'),
    httpFilters: httpFilters('outbound', slots, settings.traffic),
    useRemoteAddress: settings.switches.usesRemoteAddress,
  })
}

/** Requests that reach a workload. */
export function inboundManager(
  settings: MeshSettings,
  statPrefix: string,
  routes: RouteSource,
  slots: HttpFilterSlots = {},
): NetworkFilterInit {
  return manager({
    ...common(settings, statPrefix, routes),
    accessLog: requestLogs(settings, 'inbound'),
    ...headerSettings(settings.traffic, 'inbound'),
    httpFilters: httpFilters('inbound', slots, settings.traffic),
    useRemoteAddress: false,
    ...clientCertificate(settings.traffic),
  })
}

/** Requests that enter by a gateway: the caller's address is the connection's; only trusted proxies in front may claim another. */
export function gatewayManager(
  settings: MeshSettings,
  statPrefix: string,
  routes: RouteSource,
  { topology, http3 = false, filters = {} }: GatewayEdge,
): NetworkFilterInit {
  const forward = FORWARD[topology.forwardClientCertDetails ?? ''] ?? Forward.SANITIZE_SET
  const describes = forward === Forward.SANITIZE_SET || forward === Forward.APPEND_FORWARD
  return manager({
    ...common(settings, statPrefix, routes),
    accessLog: requestLogs(settings, 'outbound'),
    ...(http3 && { codecType: Codec.HTTP3, http3ProtocolOptions: {} }),
    ...headerSettings(settings.traffic, 'gateway'),
    httpFilters: httpFilters('gateway', filters, settings.traffic),
    useRemoteAddress: true,
    ...(topology.numTrustedProxies && { xffNumTrustedHops: topology.numTrustedProxies }),
    forwardClientCertDetails: forward,
    ...(describes && { setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true } }),
  })
}

/** What a gateway's connection manager must know of the gateway's edge. */
export interface GatewayEdge {
  /** What stands in front of the gateway. */
  readonly topology: Topology
  readonly http3?: boolean
  /** What policies put into the chain. */
  readonly filters?: HttpFilterSlots
}

/** Bytes to one cluster. */
export function tcpProxy(settings: MeshSettings, cluster: string, side: CallSide, { awaitsCaller = false } = {}): NetworkFilterInit {
  return {
    name: TCP_PROXY,
    configType: {
      case: 'typedConfig',
      value: packAny(TcpProxySchema, {
        statPrefix: cluster,
        clusterSpecifier: { case: 'cluster', value: cluster },
        ...idleConnection(settings.traffic),
        ...(awaitsCaller && AWAIT_CALLER),
        ...connectionLogs(settings, side),
      }),
    },
  }
}

/** The application hears of a connection only when the caller is known; Envoy wants to be told how much it may keep until then (bytes). */
const AWAIT_CALLER = { upstreamConnectMode: UpstreamConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE, maxEarlyDataBytes: 65_536 } as const

/** What is written and counted of connections. */
export function connectionLogs(settings: MeshSettings, side: CallSide) {
  const metrics = connectionMetrics(settings, side)
  return {
    accessLog: [...(metrics.length > 0 ? endLogs(settings) : accessLogs(settings)), ...metrics],
    ...(metrics.length > 0 && { accessLogOptions: CONNECTIONS_LOGGED }),
  }
}
