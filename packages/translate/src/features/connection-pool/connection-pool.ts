/** `connectionPool` and `retryBudget` of a DestinationRule: circuit breakers, keep-alive, idle times and limits of connections. */
import type { RetryBudget, TcpKeepalive, TrafficPolicy } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import type { MeshSettings } from '@lateen/model'
import type { ClusterContribution, ClusterFeature, ClusterInit } from '../cluster-feature.ts'

/** Istio lifts Envoy's own limits (1,024 of each) unless a rule sets them. */
const UNLIMITED = 4294967295

/** A retry budget that names no numbers: a fifth of the requests under way, and three in any case. */
const RETRY_PERCENT = 20
const LEAST_RETRIES = 3

export const connectionPool: ClusterFeature = (policy, at) => poolSettings(policy, at.settings)

/** The same for clusters of every kind. */
export function poolSettings(policy: Pick<TrafficPolicy, 'connectionPool' | 'retryBudget'>, settings: MeshSettings): ClusterContribution {
  const tcp = policy.connectionPool?.tcp
  const http = policy.connectionPool?.http
  // HTTP falls back on the idle time of connections of any kind.
  const idleTimeout = http?.idleTimeout ?? tcp?.idleTimeout
  return {
    cluster: {
      connectTimeout: tcp?.connectTimeout === undefined ? connectTimeout(settings) : duration(milliseconds(tcp.connectTimeout)),
      circuitBreakers: {
        thresholds: [
          {
            maxConnections: limit(tcp?.maxConnections),
            maxPendingRequests: limit(http?.http1MaxPendingRequests),
            maxRequests: limit(http?.http2MaxRequests),
            maxRetries: limit(http?.maxRetries),
            ...(policy.retryBudget && { retryBudget: retryBudget(policy.retryBudget) }),
            ...remaining(settings),
          },
        ],
      },
      ...keepalive(tcp?.tcpKeepalive, settings),
    },
    http: {
      commonHttpProtocolOptions: {
        ...(idleTimeout !== undefined && { idleTimeout: duration(milliseconds(idleTimeout)) }),
        ...(http?.maxRequestsPerConnection ? { maxRequestsPerConnection: http.maxRequestsPerConnection } : {}),
        ...(tcp?.maxConnectionDuration !== undefined && { maxConnectionDuration: duration(milliseconds(tcp.maxConnectionDuration)) }),
      },
    },
  }
}

/** How long connecting may take where no rule says. */
export const connectTimeout = (settings: MeshSettings) => duration(milliseconds(settings.mesh.connectTimeout ?? '10s'))

/** No limits, for clusters without a rule. */
export const unlimited = (settings: MeshSettings): NonNullable<ClusterInit['circuitBreakers']> => ({
  thresholds: [
    {
      maxConnections: UNLIMITED,
      maxPendingRequests: UNLIMITED,
      maxRequests: UNLIMITED,
      maxRetries: UNLIMITED,
      ...remaining(settings),
    },
  ],
})

const remaining = ({ switches }: MeshSettings) => (switches.tracksRemaining ? { trackRemaining: true } : {})

/** Keep-alive probes, field by field the rule's or the mesh's; without either the system decides. */
export function keepalive(own: TcpKeepalive | undefined, settings: MeshSettings): Pick<ClusterInit, 'upstreamConnectionOptions'> {
  const mesh = settings.mesh.tcpKeepalive
  if (!own && !mesh) return {}
  const { probes, time, interval } = { ...mesh, ...own }
  return {
    upstreamConnectionOptions: {
      tcpKeepalive: {
        ...(probes && { keepaliveProbes: probes }),
        ...(time && { keepaliveTime: seconds(time) }),
        ...(interval && { keepaliveInterval: seconds(interval) }),
      },
    },
  }
}

/** 0 cannot be told from unset, and means no limit. */
const limit = (value: number | undefined): number => (value && value > 0 ? value : UNLIMITED)

function retryBudget({ percent, minRetryConcurrency }: RetryBudget) {
  return {
    budgetPercent: { value: percent ?? RETRY_PERCENT },
    minRetryConcurrency: minRetryConcurrency || LEAST_RETRIES,
  }
}

const milliseconds = (text: string): number => parseDuration(text) ?? 0
const seconds = (text: string): number => Math.round(milliseconds(text) / 1000)
