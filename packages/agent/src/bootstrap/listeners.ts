/** The listeners that Envoy has before the control plane sends any: statistics and health. */
import type { AgentSettings } from '../settings/settings.ts'
import { ENVOY_METRICS } from '../status/status-server.ts'
import type { Json } from './bootstrap.ts'

/** Static listeners: `/stats/prometheus` for scrapers, `/healthz/ready` for the kubelet. */
export function staticListeners(settings: AgentSettings): Json[] {
  const { ports, ips } = settings
  const any = ips[0]?.includes(':') ? '::' : '0.0.0.0'
  return [
    // By way of the agent, which gives the metrics of calls Istio's names and labels.
    http('stats', any, ports.prometheus, { prefix: '/stats/prometheus', rewrite: ENVOY_METRICS }),
    http('agent', any, ports.envoyStatus, { prefix: '/healthz/ready' }),
  ]
}

function http(
  name: string,
  address: string,
  port: number,
  { prefix, rewrite }: { readonly prefix: string; readonly rewrite?: string },
): Json {
  return {
    address: { socket_address: { protocol: 'TCP', address, port_value: port } },
    ignore_global_conn_limit: true,
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              codec_type: 'AUTO',
              stat_prefix: name,
              route_config: {
                virtual_hosts: [
                  {
                    name: 'backend',
                    domains: ['*'],
                    routes: [{ match: { prefix }, route: { cluster: 'agent', ...(rewrite ? { prefix_rewrite: rewrite } : {}) } }],
                  },
                ],
              },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                },
              ],
            },
          },
        ],
      },
    ],
  }
}
