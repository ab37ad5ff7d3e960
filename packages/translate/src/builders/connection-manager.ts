/** HTTP connection managers and TCP proxies: the filters at the end of a filter chain. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { duration, packAny } from '@lateen/envoy'
import type { FilterSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { CorsSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { HTTPFaultSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { RouterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import {
  HttpConnectionManager_CodecType as Codec,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { TcpProxySchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { MeshSettings } from '@lateen/model'
import { CORS_FILTER } from '../features/cors/cors.ts'
import { FAULT_FILTER } from '../features/fault/fault.ts'
import { accessLogs } from './access-log.ts'
import { ads } from './config-source.ts'
import { CALLER_ALPN_FILTER } from './upstream-protocol.ts'

export type NetworkFilterInit = MessageInitShape<typeof FilterSchema>
type ManagerInit = Partial<Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, { $typeName: string }>>
type HttpFilterInit = MessageInitShape<typeof HttpFilterSchema>

/** What `server` says in answers of gateways and of workloads; a caller's own sidecar puts Envoy's name there, as in Istio. */
const SERVER_NAME = 'istio-envoy'

const MANAGER = 'envoy.filters.network.http_connection_manager'
const TCP_PROXY = 'envoy.filters.network.tcp_proxy'

const filter = (name: string, value: ReturnType<typeof packAny>): HttpFilterInit => ({ name, configType: { case: 'typedConfig', value } })

const ROUTER = filter('envoy.filters.http.router', packAny(RouterSchema, {}))
const CORS = filter(CORS_FILTER, packAny(CorsSchema, {}))
const FAULT = filter(FAULT_FILTER, packAny(HTTPFaultSchema, {}))

export type RouteSource = { readonly rds: string } | { readonly inline: MessageInitShape<typeof RouteConfigurationSchema> }

function common(settings: MeshSettings, statPrefix: string, routes: RouteSource): ManagerInit {
  return {
    codecType: Codec.AUTO,
    statPrefix,
    routeSpecifier:
      'rds' in routes
        ? { case: 'rds', value: { routeConfigName: routes.rds, configSource: ads() } }
        : { case: 'routeConfig', value: routes.inline },
    accessLog: accessLogs(settings),
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    streamIdleTimeout: duration(0),
    ...normalization(settings),
  }
}

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
export function outboundManager(settings: MeshSettings, statPrefix: string, routes: RouteSource): NetworkFilterInit {
  return manager({
    ...common(settings, statPrefix, routes),
    httpFilters: [CALLER_ALPN_FILTER, CORS, FAULT, ROUTER],
    useRemoteAddress: false,
  })
}

/** Requests that reach a workload. */
export function inboundManager(settings: MeshSettings, statPrefix: string, routes: RouteSource): NetworkFilterInit {
  return manager({
    ...common(settings, statPrefix, routes),
    httpFilters: [CORS, FAULT, ROUTER],
    useRemoteAddress: false,
    serverName: SERVER_NAME,
    // Kept only on connections with a client certificate; a plaintext caller cannot claim one.
    forwardClientCertDetails: Forward.APPEND_FORWARD,
    setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
  })
}

/** Requests that enter by a gateway: the caller's address is the connection's, nothing it claims is believed. */
export function gatewayManager(settings: MeshSettings, statPrefix: string, routes: RouteSource): NetworkFilterInit {
  return manager({
    ...common(settings, statPrefix, routes),
    httpFilters: [CALLER_ALPN_FILTER, CORS, FAULT, ROUTER],
    useRemoteAddress: true,
    serverName: SERVER_NAME,
    forwardClientCertDetails: Forward.SANITIZE_SET,
    setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
  })
}

/** Bytes to one cluster. `idleTimeout` in milliseconds; Envoy's own hour when absent. */
export function tcpProxy(settings: MeshSettings, cluster: string, statPrefix = cluster): NetworkFilterInit {
  return {
    name: TCP_PROXY,
    configType: {
      case: 'typedConfig',
      value: packAny(TcpProxySchema, {
        statPrefix,
        clusterSpecifier: { case: 'cluster', value: cluster },
        accessLog: accessLogs(settings),
      }),
    },
  }
}
