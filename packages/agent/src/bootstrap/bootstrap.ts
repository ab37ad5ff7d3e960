/**
 * Envoy's bootstrap configuration, as the JSON that Envoy reads.
 *
 * Plain objects, not generated messages: Envoy checks the file itself (`--mode validate`), and the messages would cost memory.
 */

import { type NodeInfo, nodeInfo } from '../settings/node-metadata.ts'
import type { AgentSettings } from '../settings/settings.ts'
import { staticClusters } from './clusters.ts'
import { staticListeners } from './listeners.ts'
import { statsConfig, statsIntervals } from './stats.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** SOL_SOCKET and SO_MARK on Linux. */
const SO_MARK = { level: 1, name: 36 }

/** The bootstrap of this proxy. */
export function buildBootstrap(settings: AgentSettings): { [key: string]: Json } {
  const node = nodeInfo(settings)
  return {
    node: { id: node.id, cluster: node.cluster, locality: node.locality, metadata: plain(node) },
    layered_runtime: {
      layers: [
        { name: 'global config', static_layer: { 're2.max_program_size.error_level': 32768, ...runtimeValues(settings) } },
        { name: 'admin', admin_layer: {} },
      ],
    },
    // Without this resource monitor Envoy warns at each start that connections are not limited.
    overload_manager: {
      resource_monitors: [
        {
          name: 'envoy.resource_monitors.global_downstream_max_connections',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig',
            max_active_downstream_connections: 2147483647,
          },
        },
      ],
    },
    bootstrap_extensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typed_config: { '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener' },
      },
    ],
    stats_config: statsConfig(settings),
    ...statsIntervals(settings),
    admin: {
      address: { socket_address: { address: '127.0.0.1', port_value: settings.ports.admin } },
    },
    dynamic_resources: {
      lds_config: { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' },
      cds_config: { ads: {}, initial_fetch_timeout: '0s', resource_api_version: 'V3' },
      ads_config: {
        api_type: 'DELTA_GRPC',
        set_node_on_first_message_only: true,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds-grpc' } }],
      },
    },
    static_resources: { clusters: staticClusters(settings), listeners: staticListeners(settings) },
    cluster_manager: clusterManager(settings),
  }
}

function clusterManager({ mark, envoy }: AgentSettings): { [key: string]: Json } {
  return {
    ...(envoy.outlierLogPath ? { outlier_detection: { event_log_path: envoy.outlierLogPath } } : {}),
    ...(mark === undefined ? {} : { upstream_bind_config: { socket_options: [{ ...SO_MARK, int_value: mark, state: 'STATE_PREBIND' }] } }),
  }
}

/** `runtimeValues` of ProxyConfig; an empty text removes a value. */
function runtimeValues({ proxyConfig }: AgentSettings): { [key: string]: Json } {
  const { runtimeValues: values } = proxyConfig
  if (typeof values !== 'object' || values === null) return {}
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value === '' ? [] : [[key, String(value)]])))
}

/** Metadata as JSON values: what is not JSON is left out. */
function plain(node: NodeInfo): { [key: string]: Json } {
  return JSON.parse(JSON.stringify(node.metadata))
}
