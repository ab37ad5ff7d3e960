/** The clusters that Envoy has before the control plane sends any: itself, the agent, and the agent's two sockets. */
import type { AgentSettings } from '../settings/settings.ts'
import type { Json } from './bootstrap.ts'

/** Static clusters. */
export function staticClusters({ ports, files }: AgentSettings): Json[] {
  return [
    local('prometheus_stats', ports.admin),
    local('agent', ports.status),
    socket('sds-grpc', files.sdsSocket),
    socket('xds-grpc', files.xdsSocket),
  ]
}

function local(name: string, port: number): Json {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '0.250s',
    lb_policy: 'ROUND_ROBIN',
    load_assignment: assignment(name, { socket_address: { protocol: 'TCP', address: '127.0.0.1', port_value: port } }),
  }
}

function socket(name: string, path: string): Json {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    lb_policy: 'ROUND_ROBIN',
    load_assignment: assignment(name, { pipe: { path } }),
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    // Every secret has a stream of its own; a default limit of 1024 would stall the proxy of a large gateway.
    circuit_breakers: {
      thresholds: ['DEFAULT', 'HIGH'].map((priority) => ({
        priority,
        max_connections: 100000,
        max_pending_requests: 100000,
        max_requests: 100000,
      })),
    },
  }
}

function assignment(name: string, address: Json): Json {
  return { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] }
}
