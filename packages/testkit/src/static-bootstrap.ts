/** Everything a proxy would be sent as one static bootstrap, for `envoy --mode validate`. */
import { TYPE_URL } from '@lateen/envoy'
import type { ProxySession } from '@lateen/translate'
import { decodeResource, resourcesOf } from './mesh-case.ts'

/**
 * The bootstrap as JSON: listeners and clusters as they are; route configurations and virtual hosts inside a listener each, because
 * a bootstrap has no place for them; load assignments on static clusters of their own.
 */
export function staticBootstrap(session: ProxySession): unknown {
  const all = (typeUrl: string) =>
    [...resourcesOf(session.resources(typeUrl))].map(([name, bytes]) => ({
      name,
      message: decodeResource(typeUrl, bytes) as Record<string, unknown>,
    }))
  const routes = all(TYPE_URL.RDS).map(({ message }) => message)
  const hosts = new Map<string, unknown[]>()
  for (const { name, message } of all(TYPE_URL.VHDS)) {
    const configuration = name.slice(0, name.indexOf('/'))
    hosts.set(configuration, [...(hosts.get(configuration) ?? []), message])
  }
  const configurations = routes.map((route) => {
    const { vhds: _, ...rest } = route
    const own = Array.isArray(route['virtualHosts']) ? route['virtualHosts'] : []
    return { ...rest, virtualHosts: [...own, ...(hosts.get(String(route['name'])) ?? [])] }
  })
  return {
    node: { id: 'validate', cluster: 'validate' },
    // What proxies are started with: Envoy's own limit is 100.
    layeredRuntime: { layers: [{ name: 'limits', staticLayer: { 're2.max_program_size.error_level': 32768 } }] },
    dynamicResources: {
      adsConfig: { apiType: 'DELTA_GRPC', transportApiVersion: 'V3', grpcServices: [{ envoyGrpc: { clusterName: 'sds-grpc' } }] },
    },
    staticResources: {
      clusters: [
        {
          name: 'sds-grpc',
          type: 'STATIC',
          connectTimeout: '1s',
          http2ProtocolOptions: {},
          loadAssignment: { clusterName: 'sds-grpc', endpoints: [] },
        },
        ...all(TYPE_URL.CDS).map(({ message }) => message),
        ...all(TYPE_URL.EDS).map(({ name, message }) => ({
          name: `eds ${name}`,
          type: 'STATIC',
          connectTimeout: '1s',
          loadAssignment: message,
        })),
      ],
      secrets: all(TYPE_URL.SDS).map(({ message }) => message),
      listeners: [...all(TYPE_URL.LDS).map(({ message }) => message), ...configurations.map(routeListener)],
    },
  }
}

function routeListener(routeConfig: unknown, index: number): unknown {
  return {
    name: `routes-${index}`,
    address: { socketAddress: { address: '127.0.0.1', portValue: 20000 + index } },
    bindToPort: false,
    filterChains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typedConfig: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              statPrefix: `routes-${index}`,
              routeConfig,
              httpFilters: [
                {
                  name: 'envoy.filters.http.cors',
                  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors' },
                },
                {
                  name: 'envoy.filters.http.fault',
                  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault' },
                },
                {
                  name: 'envoy.filters.http.router',
                  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                },
              ],
            },
          },
        ],
      },
    ],
  }
}
