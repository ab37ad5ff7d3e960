/** `outlierDetection` of a DestinationRule: hosts that fail are left out for a while. */
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import type { ClusterFeature } from '../cluster-feature.ts'

export const outlierDetection: ClusterFeature = (policy, at) => {
  const outlier = policy.outlierDetection
  // Clients that are given hosts that are not ready must not be driven to them by panic.
  if (!outlier) return at.service.publishNotReady ? { commonLb: { healthyPanicThreshold: { value: 0 } } } : undefined
  const gateway = outlier.consecutiveGatewayErrors
  // The older field has no effect any more in Istio, but whoever sets it alone means the newer one.
  const errors = outlier.consecutive5xxErrors ?? (outlier.consecutiveErrors || undefined)
  const split = outlier.splitExternalLocalOriginErrors ?? false
  const local = outlier.consecutiveLocalOriginFailures
  return {
    cluster: {
      outlierDetection: {
        // Envoy ejects for 5xx and gateway errors on its own; Istio lets a rule set one of them, or turn each off by 0.
        enforcingSuccessRate: 0,
        ...(errors !== undefined && errors !== null && { consecutive5xx: errors, enforcingConsecutive5xx: errors > 0 ? 100 : 0 }),
        ...(gateway !== undefined &&
          gateway !== null && { consecutiveGatewayFailure: gateway, enforcingConsecutiveGatewayFailure: gateway > 0 ? 100 : 0 }),
        ...(outlier.interval !== undefined && { interval: duration(parseDuration(outlier.interval) ?? 10_000) }),
        ...(outlier.baseEjectionTime !== undefined && { baseEjectionTime: duration(parseDuration(outlier.baseEjectionTime) ?? 30_000) }),
        ...(outlier.maxEjectionPercent ? { maxEjectionPercent: outlier.maxEjectionPercent } : {}),
        ...(split && {
          splitExternalLocalOriginErrors: true,
          // 0 leaves Envoy's own number (5) in force.
          ...(local && { consecutiveLocalOriginFailure: local, enforcingConsecutiveLocalOriginFailure: 100 }),
          enforcingLocalOriginSuccessRate: 0,
        }),
      },
    },
    // With the panic threshold at 0 an ejected host stays ejected even when few are left.
    commonLb: { healthyPanicThreshold: { value: at.service.publishNotReady ? 0 : (outlier.minHealthPercent ?? 0) } },
  }
}
