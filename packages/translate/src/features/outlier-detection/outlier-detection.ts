/** `outlierDetection` of a DestinationRule: hosts that fail are left out for a while. */
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import type { ClusterFeature } from '../cluster-feature.ts'

export const outlierDetection: ClusterFeature = (policy) => {
  const outlier = policy.outlierDetection
  if (!outlier) return undefined
  const gateway = outlier.consecutiveGatewayErrors
  const errors = outlier.consecutive5xxErrors
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
          ...(local !== undefined &&
            local !== null && { consecutiveLocalOriginFailure: local, enforcingConsecutiveLocalOriginFailure: local > 0 ? 100 : 0 }),
          enforcingLocalOriginSuccessRate: 0,
        }),
      },
    },
    // With the panic threshold at 0 an ejected host stays ejected even when few are left.
    commonLb: { healthyPanicThreshold: { value: outlier.minHealthPercent ?? 0 } },
  }
}
