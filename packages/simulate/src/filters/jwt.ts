/**
 * The filter for tokens. Signatures are not checked here, for keys may lie elsewhere: a token of the right issuer and audience that has not
 * expired counts as good, and the verdict says so.
 */
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtProvider,
  type JwtRequirement,
  PerRouteConfigSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { type HttpRequest, headerOf, queryParameter } from '../matching/request.ts'
import { routeMatches } from '../matching/route-match.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'

const NOTES = 'envoy.filters.http.jwt_authn'
const LONGEST_TOKEN = 64 * 1024

type Claims = Readonly<Record<string, unknown>>

/** What comes of a requirement; `notes` are the claims by the name under which a provider notes them. */
type Found =
  | { readonly kind: 'good'; readonly notes: Readonly<Record<string, Claims>>; readonly issuer: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'bad'; readonly status: 401 | 403; readonly why: string }
  | { readonly kind: 'unknown' }

export function runJwt({ name, config, perRoute }: FilterSettings, at: FilterContext): readonly FilterBranch[] {
  const settings = settingsAs(config, JwtAuthenticationSchema)
  if (!settings) return GOES_ON
  const requirement = requirementFor(settings, perRoute, at)
  if (!requirement) return GOES_ON
  const found = verify(requirement, settings, at)
  const verdict = (result: 'allowed' | 'denied' | 'unknown', says: string) => ({ filter: name, result, says, origins: [] })
  switch (found.kind) {
    case 'good':
      return [
        {
          share: 1,
          verdict: verdict('allowed', `token of ${found.issuer} accepted, if its signature is good`),
          notes: new Map(at.notes).set(NOTES, found.notes),
        },
      ]
    case 'none':
      return [{ share: 1, verdict: verdict('allowed', 'no token is given, and none is needed') }]
    case 'unknown':
      return [{ share: 1, verdict: verdict('unknown', 'the token cannot be judged from here') }]
    case 'missing':
    case 'bad': {
      const why = found.kind === 'missing' ? 'Jwt is missing' : found.why
      const status = found.kind === 'missing' ? 401 : found.status
      return [
        {
          share: 1,
          verdict: verdict('denied', `token refused: ${why}`),
          end: { kind: 'answer', status, why: `token refused: ${why}`, body: why, flag: '', headers: [] },
        },
      ]
    }
  }
}

function requirementFor(
  settings: JwtAuthentication,
  perRoute: FilterSettings['perRoute'],
  { match }: FilterContext,
): JwtRequirement | undefined {
  const route = settingsAs(perRoute, PerRouteConfigSchema)?.requirementSpecifier
  if (route?.case === 'disabled' && route.value) return undefined
  if (route?.case === 'requirementName') return settings.requirementMap[route.value]
  const rule = settings.rules.find((candidate) => candidate.match && routeMatches(candidate.match, match) !== false)
  const type = rule?.requirementType
  if (type?.case === 'requires') return type.value
  return type?.case === 'requirementName' ? settings.requirementMap[type.value] : undefined
}

function verify({ requiresType: type }: JwtRequirement, settings: JwtAuthentication, at: FilterContext): Found {
  switch (type.case) {
    case 'providerName':
      return byProvider(settings.providers[type.value], type.value, [], at)
    case 'providerAndAudiences':
      return byProvider(settings.providers[type.value.providerName], type.value.providerName, type.value.audiences, at)
    case 'requiresAny':
      return anyOf(type.value.requirements, settings, at)
    case 'requiresAll':
      return allOf(type.value.requirements, settings, at)
    case 'allowMissingOrFailed':
      return { kind: 'none' }
    case 'allowMissing':
      return someToken(settings, at.match.request) ? { kind: 'bad', status: 401, why: 'Jwt issuer is not configured' } : { kind: 'none' }
    case 'extractOnlyWithoutValidation':
      return { kind: 'unknown' }
    case undefined:
      return { kind: 'none' }
  }
}

function anyOf(requirements: readonly JwtRequirement[], settings: JwtAuthentication, at: FilterContext): Found {
  const results = requirements.map((requirement) => verify(requirement, settings, at))
  const first = (kind: Found['kind']) => results.find((result) => result.kind === kind)
  const bad = results.find((result) => result.kind === 'bad' && result.why !== 'Jwt issuer is not configured')
  return first('good') ?? first('none') ?? first('unknown') ?? bad ?? first('bad') ?? { kind: 'missing' }
}

function allOf(requirements: readonly JwtRequirement[], settings: JwtAuthentication, at: FilterContext): Found {
  const results = requirements.map((requirement) => verify(requirement, settings, at))
  const stopped = results.find(({ kind }) => kind === 'bad' || kind === 'missing') ?? results.find(({ kind }) => kind === 'unknown')
  if (stopped) return stopped
  const good = results.filter((result) => result.kind === 'good')
  const [last] = good.slice(-1)
  return last ? { ...last, notes: Object.assign({}, ...good.map(({ notes }) => notes)) } : { kind: 'none' }
}

function byProvider(provider: JwtProvider | undefined, name: string, audiences: readonly string[], at: FilterContext): Found {
  if (!provider) return { kind: 'unknown' }
  const token = tokenOf(provider, at.match.request)
  if (token === undefined) return { kind: 'missing' }
  const claims = claimsOf(token)
  if (!claims) return { kind: 'bad', status: 401, why: 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections' }
  const issuer = typeof claims['iss'] === 'string' ? claims['iss'] : ''
  if (provider.issuer !== '' && issuer !== provider.issuer) return { kind: 'bad', status: 401, why: 'Jwt issuer is not configured' }
  const expires = claims['exp']
  const now = at.call.now
  if (typeof expires === 'number' && now !== undefined && now / 1000 > expires + provider.clockSkewSeconds)
    return { kind: 'bad', status: 401, why: 'Jwt is expired' }
  const wanted = audiences.length > 0 ? audiences : provider.audiences
  if (wanted.length > 0 && !audiencesOf(claims).some((audience) => wanted.includes(audience)))
    return { kind: 'bad', status: 403, why: 'Audiences in Jwt are not allowed' }
  return { kind: 'good', notes: { [provider.payloadInMetadata || name]: claims }, issuer }
}

function audiencesOf(claims: Claims): string[] {
  const audience = claims['aud']
  return Array.isArray(audience) ? audience.map(String) : typeof audience === 'string' ? [audience] : []
}

const someToken = (settings: JwtAuthentication, request: HttpRequest): boolean =>
  Object.values(settings.providers).some((provider) => tokenOf(provider, request) !== undefined)

function tokenOf(provider: JwtProvider, request: HttpRequest): string | undefined {
  const usual = provider.fromHeaders.length === 0 && provider.fromParams.length === 0 && provider.fromCookies.length === 0
  const headers = usual ? [{ name: 'authorization', valuePrefix: 'Bearer ' }] : provider.fromHeaders
  for (const { name, valuePrefix } of headers) {
    const value = headerOf(request, name)
    if (value?.includes(valuePrefix)) return value.slice(value.indexOf(valuePrefix) + valuePrefix.length)
  }
  for (const parameter of usual ? ['access_token'] : provider.fromParams) {
    const value = queryParameter(request.path, parameter)
    if (value !== undefined) return value
  }
  return undefined
}

/** The payload of a token, unchecked; undefined when the text is none. */
function claimsOf(token: string): Claims | undefined {
  const [, payload, signature, more] = token.split('.')
  if (payload === undefined || signature === undefined || more !== undefined || token.length > LONGEST_TOKEN) return undefined
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (character) => character.charCodeAt(0))
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Claims) : undefined
  } catch {
    return undefined
  }
}
