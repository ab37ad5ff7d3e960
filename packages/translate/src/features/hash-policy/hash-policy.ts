/** `consistentHash` of a destination's DestinationRule: what of a request is hashed. */
import type { TrafficPolicy } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import { mergePolicies } from '../../builders/traffic-policy.ts'
import type { RouteActionInit, Target } from '../route-feature.ts'

/** The hash policy of routes to a target; empty when its rule does not hash. */
export function hashPolicyOf(target: Target, subset: string): NonNullable<RouteActionInit['hashPolicy']> {
  const chosen = target.rule?.subsets.find((candidate) => candidate.name === subset)
  return policyOf(mergePolicies(target.rule?.trafficPolicy, chosen?.trafficPolicy, target.port))
}

function policyOf(policy: TrafficPolicy): NonNullable<RouteActionInit['hashPolicy']> {
  const hash = policy.loadBalancer?.consistentHash
  if (!hash) return []
  if (hash.httpHeaderName) return [{ policySpecifier: { case: 'header', value: { headerName: hash.httpHeaderName } } }]
  if (hash.httpCookie) {
    const { name, path, ttl, attributes } = hash.httpCookie
    return [
      {
        policySpecifier: {
          case: 'cookie',
          value: {
            name,
            ...(path && { path }),
            ...(ttl !== undefined && { ttl: duration(parseDuration(ttl) ?? 0) }),
            ...(attributes?.length && {
              attributes: attributes.map((attribute) => ({ name: attribute.name, value: attribute.value ?? '' })),
            }),
          },
        },
      },
    ]
  }
  if (hash.useSourceIp) return [{ policySpecifier: { case: 'connectionProperties', value: { sourceIp: true } } }]
  if (hash.httpQueryParameterName) return [{ policySpecifier: { case: 'queryParameter', value: { name: hash.httpQueryParameterName } } }]
  return []
}
