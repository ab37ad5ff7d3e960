/** `proxyProtocol` of a DestinationRule: before anything else a connection tells its server, by the PROXY protocol, whose it is. */
import type { TrafficPolicy } from '@lateen/api'
import { packAny } from '@lateen/envoy'
import { ProxyProtocolConfig_Version } from '@lateen/envoy/gen/envoy/config/core/v3/proxy_protocol_pb.js'
import { ProxyProtocolUpstreamTransportSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.js'
import { RAW_SOCKET, type TransportSocketInit } from '../../builders/tls-context.ts'
import type { ClusterInit } from '../cluster-feature.ts'

/** The sockets of a cluster, each inside one that speaks the protocol; nothing when the policy does not ask for it. */
export function proxyProtocolSockets(policy: TrafficPolicy, cluster: ClusterInit): ClusterInit {
  const { proxyProtocol } = policy
  if (!proxyProtocol) return {}
  const version = proxyProtocol.version === 'V2' ? ProxyProtocolConfig_Version.V2 : ProxyProtocolConfig_Version.V1
  const around = (transportSocket: TransportSocketInit): TransportSocketInit => ({
    name: 'envoy.transport_sockets.upstream_proxy_protocol',
    configType: { case: 'typedConfig', value: packAny(ProxyProtocolUpstreamTransportSchema, { config: { version }, transportSocket }) },
  })
  const matches = cluster.transportSocketMatches ?? []
  if (matches.length === 0) return { transportSocket: around(cluster.transportSocket ?? RAW_SOCKET) }
  return {
    transportSocketMatches: matches.map(({ name = '', match = {}, transportSocket = RAW_SOCKET }) => ({
      name,
      match,
      transportSocket: around(transportSocket),
    })),
  }
}
