/** Envoy resources for the agent's tests: a listener that takes mutual TLS only and answers by itself. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '@lateen/envoy'
import type { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import type { RouteSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { HttpConnectionManagerSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { DownstreamTlsContextSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { ApiConfigSource_ApiType, ApiVersion, TrafficDirection } from './envoy-enums.ts'

/** Certificate and roots come from the agent's secret service. */
export function tlsListener(port: number, body = 'hello'): MessageInitShape<typeof ListenerSchema> {
  return {
    name: 'inbound',
    trafficDirection: TrafficDirection.INBOUND,
    address: { address: { case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: port } } } },
    filterChains: [
      {
        transportSocket: {
          name: 'envoy.transport_sockets.tls',
          configType: {
            case: 'typedConfig',
            value: packAny(DownstreamTlsContextSchema, {
              requireClientCertificate: true,
              commonTlsContext: {
                tlsCertificateSdsSecretConfigs: [secret('default')],
                validationContextType: { case: 'validationContextSdsSecretConfig', value: secret('ROOTCA') },
              },
            }),
          },
        },
        filters: [{ name: 'envoy.filters.network.http_connection_manager', configType: { case: 'typedConfig', value: http(body) } }],
      },
    ],
  }
}

/** Plain HTTP, answered by the cluster. */
export function plainListener(name: 'inbound' | 'outbound', port: number, cluster: string): MessageInitShape<typeof ListenerSchema> {
  return {
    name,
    trafficDirection: name === 'inbound' ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
    address: { address: { case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: port } } } },
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            configType: { case: 'typedConfig', value: manager(`${name}_test`, { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: { seconds: 0n, nanos: 0 } } }) },
          },
        ],
      },
    ],
  }
}

/** A cluster of one address. */
export function staticCluster(name: string, port: number): MessageInitShape<typeof ClusterSchema> {
  return {
    name,
    connectTimeout: { seconds: 1n, nanos: 0 },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: { address: { case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: port } } } } } } }] }],
    },
  }
}

const secret = (name: string) => ({
  name,
  sdsConfig: {
    resourceApiVersion: ApiVersion.V3,
    configSourceSpecifier: {
      case: 'apiConfigSource' as const,
      value: {
        apiType: ApiConfigSource_ApiType.GRPC,
        transportApiVersion: ApiVersion.V3,
        grpcServices: [{ targetSpecifier: { case: 'envoyGrpc' as const, value: { clusterName: 'sds-grpc' } } }],
      },
    },
  },
})

const http = (body: string) => manager('inbound', { case: 'directResponse', value: { status: 200, body: { specifier: { case: 'inlineString', value: body } } } })

const manager = (statPrefix: string, action: NonNullable<MessageInitShape<typeof RouteSchema>['action']>) =>
  packAny(HttpConnectionManagerSchema, {
    statPrefix,
    httpFilters: [{ name: 'envoy.filters.http.router', configType: { case: 'typedConfig', value: packAny(RouterSchema, {}) } }],
    routeSpecifier: {
      case: 'routeConfig',
      value: { virtualHosts: [{ name: 'all', domains: ['*'], routes: [{ match: { pathSpecifier: { case: 'prefix', value: '/' } }, action }] }] },
    },
  })
