/** The CORS filter: answers preflight requests of allowed origins itself, lets everything else pass. */
import { CorsPolicySchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { headerOf } from '../matching/request.ts'
import { stringMatches } from '../matching/string-match.ts'
import { some } from '../matching/verdict.ts'
import type { HeaderChange } from '../trace/outcome.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'

export function runCors({ name, perRoute }: FilterSettings, { match: { request } }: FilterContext): readonly FilterBranch[] {
  const policy = settingsAs(perRoute, CorsPolicySchema)
  const origin = headerOf(request, 'origin')
  if (!policy || origin === undefined) return GOES_ON
  const preflight = request.method === 'OPTIONS' && (headerOf(request, 'access-control-request-method') ?? '') !== ''
  const allowed = some(policy.allowOriginStringMatch, (matcher) => stringMatches(matcher, origin)) === true
  if (!allowed) {
    if (!preflight || policy.forwardNotMatchingPreflights !== false) return GOES_ON
    return [{ share: 1, end: { kind: 'answer', status: 200, why: `CORS: origin ${origin} is not allowed`, flag: '', headers: [] } }]
  }
  const verdict = { filter: name, result: 'allowed' as const, says: `CORS: origin ${origin} is allowed`, origins: [] }
  if (!preflight) return [{ share: 1, verdict }]
  const headers = [
    ['access-control-allow-origin', origin],
    ['access-control-allow-credentials', policy.allowCredentials ? 'true' : ''],
    ['access-control-allow-methods', policy.allowMethods],
    ['access-control-allow-headers', policy.allowHeaders],
    ['access-control-max-age', policy.maxAge],
  ].flatMap(([header = '', value = '']): HeaderChange[] => (value === '' ? [] : [{ action: 'set', name: header, value }]))
  return [{ share: 1, verdict, end: { kind: 'answer', status: 200, why: 'CORS preflight', flag: '', headers } }]
}
