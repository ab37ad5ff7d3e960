/** Routes of bytes: by SNI and by the address dialled, to one or several clusters. */
import { type ObjectRef, parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import { TcpProxySchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { MeshSettings } from '@lateen/model'
import type { Target } from '../features/route-feature.ts'
import { tunneling } from '../features/tunnel/tunnel.ts'
import { connectionLogs, type NetworkFilterInit } from './connection-manager.ts'
import { originMetadata } from './origin.ts'
import { policyOf } from './traffic-policy.ts'

export interface TcpTarget {
  readonly target: Target
  readonly subset: string
  readonly weight: number
}

export interface TcpRoute {
  /** Server names that it takes; empty for any. */
  readonly serverNames: readonly string[]
  /** Ranges of addresses dialled; empty for any. */
  readonly ranges: readonly string[]
  readonly targets: readonly TcpTarget[]
  /** The rule that it is, for those who ask why. */
  readonly origin: RouteOrigin
}

export interface RouteOrigin {
  readonly object: ObjectRef
  /** `spec.tls[0].match[1]`; absent where the rule is no VirtualService's. */
  readonly path?: string
}

/** What the filter chain of a route says of where it comes from. */
export const chainOrigin = ({ origin }: Pick<TcpRoute, 'origin'>) => ({ metadata: originMetadata(origin.object, origin.path) })

const TCP_PROXY = 'envoy.filters.network.tcp_proxy'

/** Bytes to the targets of a route, by weight; those without weight get nothing when there are several. */
export function tcpTargets(settings: MeshSettings, targets: readonly TcpTarget[]): NetworkFilterInit {
  const used = targets.length > 1 ? targets.filter(({ weight }) => weight > 0) : targets
  const [first] = used.length > 0 ? used : targets
  const policy = first ? policyOf(first.target.rule, first.subset, first.target.port) : {}
  const idle = policy.connectionPool?.tcp?.idleTimeout
  const bySource = policy.loadBalancer?.consistentHash?.useSourceIp === true
  const tunnel = first && tunneling(first.target.rule, first.subset)
  return {
    name: TCP_PROXY,
    configType: {
      case: 'typedConfig',
      value: packAny(TcpProxySchema, {
        statPrefix: first?.target.cluster ?? '',
        clusterSpecifier:
          used.length > 1
            ? { case: 'weightedClusters', value: { clusters: used.map(({ target, weight }) => ({ name: target.cluster, weight })) } }
            : { case: 'cluster', value: first?.target.cluster ?? '' },
        ...(idle !== undefined && { idleTimeout: duration(parseDuration(idle) ?? 0) }),
        ...(tunnel && { tunnelingConfig: tunnel }),
        ...(bySource && { hashPolicy: [{ policySpecifier: { case: 'sourceIp' as const, value: {} } }] }),
        ...connectionLogs(settings, 'outbound'),
      }),
    },
  }
}
