/** Small Envoy resources for tests with a real Envoy. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { duration, packAny } from '@lateen/envoy'
import { Cluster_DiscoveryType, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { RouterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import { HttpConnectionManagerSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { MemorySource } from './memory-source.ts'

const ads = (timeoutMs = 0) => ({
  configSourceSpecifier: { case: 'ads' as const, value: {} },
  resourceApiVersion: 2,
  initialFetchTimeout: duration(timeoutMs),
})

/** An EDS cluster of its own name. `connectMs` is something to change. */
export function putCluster(source: MemorySource, name: string, connectMs = 1000): void {
  source.putMessage(name, ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads(15_000) },
    connectTimeout: duration(connectMs),
  })
}

export function putEndpoints(source: MemorySource, clusterName: string, ports: readonly number[]): void {
  source.putMessage(clusterName, ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: [
      {
        lbEndpoints: ports.map((portValue) => ({
          hostIdentifier: {
            case: 'endpoint' as const,
            value: {
              address: {
                address: {
                  case: 'socketAddress' as const,
                  value: { address: '127.0.0.1', portSpecifier: { case: 'portValue' as const, value: portValue } },
                },
              },
            },
          },
        })),
      },
    ],
  })
}

/** A listener on a free port of 127.0.0.1 whose routes come from RDS. */
export function putListener(source: MemorySource, name: string, routeConfigName: string, options: { statPrefix?: string; fetchMs?: number } = {}): void {
  const manager = packAny(HttpConnectionManagerSchema, {
    statPrefix: options.statPrefix ?? name,
    routeSpecifier: { case: 'rds', value: { routeConfigName, configSource: ads(options.fetchMs ?? 0) } },
    httpFilters: [{ name: 'envoy.filters.http.router', configType: { case: 'typedConfig', value: packAny(RouterSchema, {}) } }],
  })
  const filter = { name: 'envoy.filters.network.http_connection_manager', configType: { case: 'typedConfig' as const, value: manager } }
  source.putMessage(name, ListenerSchema, {
    name,
    address: { address: { case: 'socketAddress', value: { address: '127.0.0.1', portSpecifier: { case: 'portValue', value: 0 } } } },
    filterChains: [{ filters: [filter] }],
  })
}

/** A route configuration with a catch-all that answers 404, and virtual hosts from VHDS unless told otherwise. */
export function putRoutes(source: MemorySource, name: string, options: { vhds?: boolean; catchAll?: number } = {}): void {
  source.putMessage(name, RouteConfigurationSchema, {
    name,
    virtualHosts: [answering('catch-all', ['*'], options.catchAll ?? 404)],
    ...(options.vhds === false ? {} : { vhds: { configSource: ads(500) } }),
  })
}

/** A virtual host, named `<route configuration>/<domain>`, that answers with a status by itself. */
export function putVirtualHost(source: MemorySource, route: string, domain: string, status: number): void {
  const name = `${route}/${domain}`
  source.putMessage(name, VirtualHostSchema, answering(name, [domain], status))
}

function answering(name: string, domains: string[], status: number): MessageInitShape<typeof VirtualHostSchema> {
  return {
    name,
    domains,
    routes: [
      {
        match: { pathSpecifier: { case: 'prefix', value: '/' } },
        action: { case: 'directResponse', value: { status } },
      },
    ],
  }
}
