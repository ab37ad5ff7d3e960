/** The check of CORS policies. */
import { parseDuration } from '@lateen/base'
import type { At } from '../../diagnostics/at.ts'
import { checkHttpHeaderName } from '../../validation/headers.ts'
import { checkDuration, checkRegex, isWhole } from '../../validation/values.ts'
import type { CorsPolicy } from './virtual-service.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE']

export function checkCors(policy: CorsPolicy | undefined, at: At): void {
  if (!policy) return
  at.in('allowOrigins').each(policy.allowOrigins, ({ exact, prefix, regex }, place) => {
    if (!exact && !prefix && !regex) place.say('CorsOriginEmpty')
    else if (regex) checkRegex(regex, place.in('regex'))
  })
  at.in('allowMethods').each(policy.allowMethods, (method, place) => {
    if (method !== '*' && !METHODS.includes(method)) place.say('HttpMethod', { method, allowed: METHODS.join(', ') })
  })
  for (const field of ['allowHeaders', 'exposeHeaders'] as const) {
    at.in(field).each(policy[field], (name, place) => {
      if (name !== '*') checkHttpHeaderName(name, place)
    })
  }
  checkDuration(policy.maxAge, at.in('maxAge'))
  if (policy.maxAge !== undefined && !isWhole((parseDuration(policy.maxAge) ?? 0) / 1000))
    at.in('maxAge').say('MaxAgePrecision', { value: policy.maxAge })
}
