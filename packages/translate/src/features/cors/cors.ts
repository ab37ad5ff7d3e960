/** `http[].corsPolicy` of a VirtualService, by Envoy's CORS filter. */
import { parseDuration } from '@lateen/base'
import { packAny } from '@lateen/envoy'
import { CorsPolicySchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { percentage } from '../../builders/percentage.ts'
import { stringMatcher } from '../../builders/string-match.ts'
import type { RouteFeature } from '../route-feature.ts'

export const CORS_FILTER = 'envoy.filters.http.cors'

export const cors: RouteFeature = (route) => {
  const policy = route.corsPolicy
  if (!policy) return undefined
  // Envoy takes an exact `*` for every origin. The older field counts only where the newer is missing.
  const origins = policy.allowOrigins
    ? policy.allowOrigins.flatMap((origin) => stringMatcher(origin) ?? [])
    : (policy.allowOrigin ?? []).map((origin) => ({ matchPattern: { case: 'exact' as const, value: origin } }))
  return {
    filters: {
      [CORS_FILTER]: packAny(CorsPolicySchema, {
        allowOriginStringMatch: origins,
        filterEnabled: { defaultValue: percentage(100) },
        ...(policy.allowMethods?.length && { allowMethods: policy.allowMethods.join(',') }),
        ...(policy.allowHeaders?.length && { allowHeaders: policy.allowHeaders.join(',') }),
        ...(policy.exposeHeaders?.length && { exposeHeaders: policy.exposeHeaders.join(',') }),
        ...(policy.maxAge !== undefined && { maxAge: String(Math.floor((parseDuration(policy.maxAge) ?? 0) / 1000)) }),
        ...(policy.allowCredentials !== undefined && policy.allowCredentials !== null && { allowCredentials: policy.allowCredentials }),
        forwardNotMatchingPreflights: policy.unmatchedPreflights !== 'IGNORE',
      }),
    },
  }
}
