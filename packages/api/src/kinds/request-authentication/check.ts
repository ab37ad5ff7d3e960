/** What makes a RequestAuthentication unusable. */
import { ownValue } from '@lateen/base'
import type { At } from '../../diagnostics/at.ts'
import { isObject } from '../../schema/read.ts'
import { checkPlainHeaderName } from '../../validation/headers.ts'
import { checkAttachment } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { parseUrl } from '../../validation/urls.ts'
import { checkDuration } from '../../validation/values.ts'
import type { JWTRule, RequestAuthenticationSpec } from './request-authentication.ts'

export function checkRequestAuthentication({ spec, at }: Subject<RequestAuthenticationSpec>): void {
  checkAttachment(spec, at)
  at.in('jwtRules').each(spec.jwtRules, checkRule)
}

function checkRule(rule: JWTRule, at: At): void {
  if (!rule.issuer && !rule.jwksUri) at.in('issuer').say('IssuerMissing')
  at.in('audiences').each(rule.audiences, (audience, place) => {
    if (audience === '') place.say('AudienceEmpty')
  })
  checkKeyAddress(rule.jwksUri, at.in('jwksUri'))
  if (rule.jwks) checkKeys(rule.jwks, at.in('jwks'))
  at.in('fromHeaders').each(rule.fromHeaders, ({ name }, place) => {
    if (!name) place.in('name').say('EmptyHeaderName')
  })
  for (const field of ['fromParams', 'fromCookies'] as const) {
    at.in(field).each(rule[field], (name, place) => {
      if (name === '') place.say('EmptyName')
    })
  }
  at.in('outputClaimToHeaders').each(rule.outputClaimToHeaders, ({ header, claim }, place) => {
    if (!header || !claim) place.say('ClaimToHeader')
    else checkPlainHeaderName(header, place.in('header'))
  })
  checkDuration(rule.timeout, at.in('timeout'))
}

function checkKeyAddress(uri: string | undefined, at: At): void {
  if (!uri) return
  const { scheme, problem } = parseUrl(uri)
  if (problem !== undefined) at.say('BadUrl', { value: uri, problem })
  else if (scheme !== 'http' && scheme !== 'https') at.say('UrlScheme', { scheme, allowed: 'http, https' })
}

/** Members of a JSON Web Key that only its owner may know. */
const PRIVATE_PARTS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth']

/** What members a key of each type must have. */
const KEY_MEMBERS: Readonly<Record<string, readonly string[]>> = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'], oct: ['k'] }

function checkKeys(jwks: string, at: At): void {
  let set: unknown
  try {
    set = JSON.parse(jwks)
  } catch (problem) {
    return at.say('JwksBad', { problem: problem instanceof Error ? problem.message : 'it is not JSON' })
  }
  if (!isObject(set)) return at.say('JwksBad', { problem: 'an object is needed' })
  // One key alone is taken as a set of one.
  const keys = Array.isArray(set.keys) ? set.keys : 'kty' in set ? [set] : undefined
  if (!keys) return at.say('JwksBad', { problem: 'the list "keys" is missing' })
  for (const [index, key] of keys.entries()) {
    const members = isObject(key) && typeof key.kty === 'string' ? ownValue(KEY_MEMBERS, key.kty) : undefined
    if (!isObject(key) || !members) return at.say('JwksBad', { problem: `key ${index} has no known type (kty)` })
    const missing = members.find((member) => typeof key[member] !== 'string' || key[member] === '')
    if (missing !== undefined) return at.say('JwksBad', { problem: `key ${index} has no "${missing}"` })
    if (PRIVATE_PARTS.some((part) => part in key)) at.say('JwksPrivate', { index })
  }
}
