/** `connectionPool` of a DestinationRule: circuit breakers, keep-alive, idle times and limits of connections. */
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import type { ClusterContribution, ClusterFeature } from '../cluster-feature.ts'

/** Istio lifts Envoy's own limits (1,024 of each) unless a rule sets them. */
const UNLIMITED = 4294967295

export const connectionPool: ClusterFeature = (policy, at) => {
  const tcp = policy.connectionPool?.tcp
  const http = policy.connectionPool?.http
  const connectTimeout = parseDuration(tcp?.connectTimeout ?? at.settings.mesh.connectTimeout ?? '10s') ?? 10_000
  const keepalive = tcp?.tcpKeepalive ?? at.settings.mesh.tcpKeepalive
  const contribution: ClusterContribution = {
    cluster: {
      connectTimeout: duration(connectTimeout),
      circuitBreakers: {
        thresholds: [
          {
            maxConnections: tcp?.maxConnections || UNLIMITED,
            maxPendingRequests: http?.http1MaxPendingRequests || UNLIMITED,
            maxRequests: http?.http2MaxRequests || UNLIMITED,
            maxRetries: http?.maxRetries || UNLIMITED,
            trackRemaining: true,
          },
        ],
      },
      ...(keepalive && {
        upstreamConnectionOptions: {
          tcpKeepalive: {
            ...(keepalive.probes && { keepaliveProbes: keepalive.probes }),
            ...(keepalive.time && { keepaliveTime: seconds(keepalive.time) }),
            ...(keepalive.interval && { keepaliveInterval: seconds(keepalive.interval) }),
          },
        },
      }),
    },
    http: {
      commonHttpProtocolOptions: {
        ...(http?.idleTimeout !== undefined && { idleTimeout: duration(parseDuration(http.idleTimeout) ?? 0) }),
        ...(http?.maxRequestsPerConnection ? { maxRequestsPerConnection: http.maxRequestsPerConnection } : {}),
        ...(tcp?.maxConnectionDuration !== undefined && { maxConnectionDuration: duration(parseDuration(tcp.maxConnectionDuration) ?? 0) }),
      },
    },
  }
  return contribution
}

const seconds = (text: string): number => Math.round((parseDuration(text) ?? 0) / 1000)
