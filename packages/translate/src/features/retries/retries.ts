/** `http[].retries` of a VirtualService, the mesh's default policy, and Istio's own default: two more tries for failures to connect. */
import type { HTTPRetry } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import { PreviousHostsPredicateSchema } from '@lateen/envoy/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { PreviousPrioritiesConfigSchema } from '@lateen/envoy/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'
import type { RouteActionInit, RouteFeature } from '../route-feature.ts'

const DEFAULT_CONDITIONS = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes'
const HOST_ATTEMPTS = 5

export const retries: RouteFeature = (route, at) => {
  const policy = route.retries ?? at.settings.mesh.defaultHttpRetryPolicy
  const retryPolicy = retryPolicyOf(policy)
  return retryPolicy ? { action: { retryPolicy } } : undefined
}

/** The retry policy of a route that no VirtualService made. */
export function retryPolicyOf(policy: HTTPRetry | undefined): RouteActionInit['retryPolicy'] {
  if (policy && !policy.attempts) return undefined
  const { conditions, codes } = conditionsOf(policy?.retryOn || DEFAULT_CONDITIONS, !policy?.retryOn)
  return {
    retryOn: conditions,
    ...(codes.length > 0 && { retriableStatusCodes: codes }),
    numRetries: policy?.attempts ?? 2,
    ...(policy?.perTryTimeout && { perTryTimeout: duration(parseDuration(policy.perTryTimeout) ?? 0) }),
    ...(policy?.backoff && { retryBackOff: { baseInterval: duration(parseDuration(policy.backoff) ?? 25) } }),
    ...(policy?.retryIgnorePreviousHosts !== false && {
      retryHostPredicate: [
        {
          name: 'envoy.retry_host_predicates.previous_hosts',
          configType: { case: 'typedConfig' as const, value: packAny(PreviousHostsPredicateSchema, {}) },
        },
      ],
      hostSelectionRetryMaxAttempts: BigInt(HOST_ATTEMPTS),
    }),
    ...(policy?.retryRemoteLocalities && {
      retryPriority: {
        name: 'envoy.retry_priorities.previous_priorities',
        configType: { case: 'typedConfig' as const, value: packAny(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }) },
      },
    }),
  }
}

/** Status codes written among the conditions are Envoy's `retriable-status-codes`. */
function conditionsOf(text: string, isDefault: boolean): { conditions: string; codes: number[] } {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const codes = parts.filter((part) => /^\d{3}$/.test(part)).map(Number)
  const names = parts.filter((part) => !/^\d+$/.test(part))
  if (codes.length > 0 && !names.includes('retriable-status-codes')) names.push('retriable-status-codes')
  // Istio's default retries 503 among the status codes.
  return { conditions: names.join(','), codes: isDefault ? [503] : codes }
}
