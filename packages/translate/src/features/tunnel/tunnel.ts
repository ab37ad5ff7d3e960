/** `tunnel` of a DestinationRule: bytes go to the destination inside an HTTP CONNECT or POST, which names where they shall come out. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { TcpProxy_TunnelingConfigSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { EffectiveRule } from '@lateen/model'
import { tunnelOf } from '../../builders/traffic-policy.ts'

export type TunnelingInit = MessageInitShape<typeof TcpProxy_TunnelingConfigSchema>

/** What a TCP proxy to a destination says of its tunnel; undefined without one. */
export function tunneling(rule: EffectiveRule | undefined, subset: string): TunnelingInit | undefined {
  const tunnel = tunnelOf(rule, subset)
  if (!tunnel) return undefined
  const host = tunnel.targetHost.includes(':') ? `[${tunnel.targetHost}]` : tunnel.targetHost
  return { hostname: `${host}:${tunnel.targetPort}`, usePost: tunnel.protocol === 'POST' }
}
