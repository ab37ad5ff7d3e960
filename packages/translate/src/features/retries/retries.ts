/** `http[].retries` of a VirtualService, the mesh's default policy, and Istio's own default: two more tries for failures to connect. */
import type { HTTPRetry } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import { PreviousHostsPredicateSchema } from '@lateen/envoy/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { PreviousPrioritiesConfigSchema } from '@lateen/envoy/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'
import { hashPolicyOf } from '../hash-policy/hash-policy.ts'
import type { RouteActionInit, RouteFeature } from '../route-feature.ts'

const DEFAULT_CONDITIONS = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes'
const DEFAULT_RETRIES = 2
const HOST_ATTEMPTS = 5
const STATUS_CODES = 'retriable-status-codes'

export const retries: RouteFeature = (route, at) => {
  const [only, ...more] = route.route ?? []
  // Where requests are hashed to a host, another host would not know them.
  const hashed =
    only !== undefined && more.length === 0 && hashPolicyOf(at.resolve(only.destination), only.destination.subset ?? '').length > 0
  const retryPolicy = retryPolicyOf(route.retries ?? at.settings.mesh.defaultHttpRetryPolicy, hashed)
  return retryPolicy ? { action: { retryPolicy } } : undefined
}

/**
 * Envoy's policy for Istio's; without one, Istio's default. No attempts: no retries.
 *
 * @param sameHost whether a retry may go to the host that failed; what `retryIgnorePreviousHosts` says counts more
 */
export function retryPolicyOf(policy: HTTPRetry | undefined, sameHost: boolean): RouteActionInit['retryPolicy'] {
  if (policy && !((policy.attempts ?? 0) > 0)) return undefined
  const { conditions, codes } = conditionsOf(policy?.retryOn || DEFAULT_CONDITIONS)
  const perTry = milliseconds(policy?.perTryTimeout)
  const backoff = milliseconds(policy?.backoff)
  return {
    retryOn: conditions,
    ...(codes.length > 0 && { retriableStatusCodes: codes }),
    numRetries: policy?.attempts ?? DEFAULT_RETRIES,
    ...(perTry !== undefined && { perTryTimeout: duration(perTry) }),
    ...(backoff !== undefined && { retryBackOff: { baseInterval: duration(backoff) } }),
    ...((policy?.retryIgnorePreviousHosts ?? !sameHost) && { retryHostPredicate: [OTHER_HOSTS] }),
    hostSelectionRetryMaxAttempts: BigInt(HOST_ATTEMPTS),
    ...(policy?.retryRemoteLocalities && { retryPriority: OTHER_LOCALITIES }),
  }
}

const OTHER_HOSTS = {
  name: 'envoy.retry_host_predicates.previous_hosts',
  configType: { case: 'typedConfig' as const, value: packAny(PreviousHostsPredicateSchema, {}) },
}

const OTHER_LOCALITIES = {
  name: 'envoy.retry_priorities.previous_priorities',
  configType: { case: 'typedConfig' as const, value: packAny(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }) },
}

const milliseconds = (text: string | undefined): number | undefined => (text ? parseDuration(text) : undefined)

/** Status codes written among the conditions are Envoy's `retriable-status-codes`. */
function conditionsOf(text: string): { conditions: string; codes: number[] } {
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const isCode = (part: string) => /^[1-5]\d\d$/.test(part)
  const codes = parts.filter(isCode).map(Number)
  const names = parts.filter((part) => !isCode(part))
  if (codes.length > 0 && !names.includes(STATUS_CODES)) names.push(STATUS_CODES)
  return { conditions: names.join(','), codes }
}
