/**
 * RequestAuthentication: tokens that requests carry are verified, by Envoy's `jwt_authn`. A request with a token that no rule
 * accepts is refused; one without any passes, and it is for AuthorizationPolicies to ask for a token.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { JWTRule } from '@lateen/api'
import { compareText, isRecord, parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import {
  JwtAuthenticationSchema,
  type JwtProviderSchema,
  type JwtRequirementSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { keySetRequest, type MeshSwitches } from '@lateen/model'
import { type HttpFilterInit, httpFilter } from '../../builders/filter-order.ts'
import { clusterName } from '../../names.ts'
import { PAYLOAD } from '../authorization/matchers.ts'
import { ANY_PATH } from '../match/match.ts'
import { NO_KEYS } from './no-keys.ts'

type ProviderInit = Exclude<MessageInitShape<typeof JwtProviderSchema>, { $typeName: string }>
type RequirementInit = MessageInitShape<typeof JwtRequirementSchema>

export interface TokenInput {
  readonly rules: readonly JWTRule[]
  /** Routes look at claims: they are chosen anew once those are known. */
  readonly routesByClaims: boolean
  readonly keysFetchedBy: MeshSwitches['keysFetchedBy']
  /** Keys that were fetched, by the name of their request. */
  readonly keysOf: (id: string) => string | undefined
  /** The host of a service of the mesh that has this name. */
  readonly serviceOf: (host: string) => string | undefined
}

const TOKEN_FILTER = 'envoy.filters.http.jwt_authn'

/** Claims that hold several values in one text, by their definition. */
const SPACE_DELIMITED = ['permission', 'scope']

/** Istio's times for proxies that fetch keys themselves (milliseconds). */
const FETCH_TIMEOUT_MS = 5_000
const KEEP_MS = 300_000

/** The filter for all rules of a workload together; none without rules. */
export function tokenFilters(input: TokenInput): HttpFilterInit[] {
  if (input.rules.length === 0) return []
  // By issuer, so that equal rules give equal bytes whatever objects they come from.
  const rules = [...input.rules].sort((a, b) => compareText(a.issuer ?? '', b.issuer ?? ''))
  const providers = Object.fromEntries(rules.map((rule, i) => [nameOf(i), provider(rule, input)]))
  const config = packAny(JwtAuthenticationSchema, {
    providers,
    rules: [{ match: ANY_PATH, requirementType: { case: 'requires', value: requirement(rules.length) } }],
    // A browser asks whether it may send a token without sending one.
    bypassCorsPreflight: true,
  })
  return [httpFilter(TOKEN_FILTER, config)]
}

const nameOf = (rule: number): string => `origins-${rule}`

/**
 * One accepted token is enough. Without one, each rule must find nothing where it looks: what it finds and does not accept refuses
 * the request. Rules that look in the same place would refuse each other's tokens, hence both forms.
 */
function requirement(rules: number): RequirementInit {
  const named = Array.from({ length: rules }, (_, i): RequirementInit => ({ requiresType: { case: 'providerName', value: nameOf(i) } }))
  const orMissing = named.map((name) => any([name, { requiresType: { case: 'allowMissing', value: {} } }]))
  const [only] = orMissing
  if (only && orMissing.length === 1) return only
  return any([...named, { requiresType: { case: 'requiresAll', value: { requirements: orMissing } } }])
}

const any = (requirements: RequirementInit[]): RequirementInit => ({ requiresType: { case: 'requiresAny', value: { requirements } } })

function provider(rule: JWTRule, input: TokenInput): ProviderInit {
  return {
    issuer: rule.issuer ?? '',
    audiences: [...(rule.audiences ?? [])],
    forward: rule.forwardOriginalToken ?? false,
    forwardPayloadHeader: rule.outputPayloadToHeader ?? '',
    payloadInMetadata: PAYLOAD,
    normalizePayloadInMetadata: { spaceDelimitedClaims: [...new Set([...SPACE_DELIMITED, ...(rule.spaceDelimitedClaims ?? [])])].sort() },
    clearRouteCache: input.routesByClaims,
    claimToHeaders: (rule.outputClaimToHeaders ?? []).map(({ header = '', claim = '' }) => ({ headerName: header, claimName: claim })),
    fromHeaders: (rule.fromHeaders ?? []).map(({ name = '', prefix = '' }) => ({ name, valuePrefix: prefix })),
    fromParams: [...(rule.fromParams ?? [])],
    fromCookies: [...(rule.fromCookies ?? [])],
    jwksSourceSpecifier: keySource(rule, input),
  }
}

function keySource(rule: JWTRule, input: TokenInput): NonNullable<ProviderInit['jwksSourceSpecifier']> {
  const remote = rule.jwksUri && !rule.jwks ? remoteKeys(rule.jwksUri, rule, input) : undefined
  if (remote) return remote
  const request = keySetRequest(rule)
  const keys = rule.jwks ?? (request && input.keysOf(request.id))
  const value = keys !== undefined && hasKeys(keys) ? keys : NO_KEYS
  return { case: 'localJwks', value: { specifier: { case: 'inlineString', value } } }
}

/** Keys that the proxy fetches itself, from a cluster of the mesh. */
function remoteKeys(uri: string, rule: JWTRule, input: TokenInput): ProviderInit['jwksSourceSpecifier'] {
  if (input.keysFetchedBy === 'control-plane') return undefined
  const address = addressOf(uri)
  const host = address && input.serviceOf(address.host)
  if (!address || (host === undefined && input.keysFetchedBy === 'proxy-where-possible')) return undefined
  return {
    case: 'remoteJwks',
    value: {
      httpUri: {
        uri,
        timeout: duration(parseDuration(rule.timeout ?? '') ?? FETCH_TIMEOUT_MS),
        httpUpstreamType: { case: 'cluster', value: clusterName('outbound', address.port, '', host ?? address.host) },
      },
      cacheDuration: duration(KEEP_MS),
    },
  }
}

/** Host and port of an http or https address. */
function addressOf(uri: string): { readonly host: string; readonly port: number } | undefined {
  const [, scheme, authority] = /^(https?):\/\/([^/?#]+)/i.exec(uri) ?? []
  if (!scheme || !authority) return undefined
  const [, host = '', port] = /^(?:[^@]*@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(authority) ?? []
  if (host === '') return undefined
  return { host: host.toLowerCase(), port: port ? Number(port) : scheme.toLowerCase() === 'https' ? 443 : 80 }
}

/** What each kind of key must say; Envoy refuses a set of which it can read no key, and with it the listener. */
const FIELDS: Readonly<Record<string, readonly string[]>> = { RSA: ['n', 'e'], EC: ['x', 'y'], OKP: ['x'], oct: ['k'] }

function hasKeys(text: string): boolean {
  try {
    const set: unknown = JSON.parse(text)
    const keys = isRecord(set) && Array.isArray(set['keys']) ? set['keys'] : []
    return keys.some((key) => isRecord(key) && isComplete(key))
  } catch {
    return false
  }
}

function isComplete(key: Readonly<Record<string, unknown>>): boolean {
  const kind = String(key['kty'])
  return Object.hasOwn(FIELDS, kind) && (FIELDS[kind] ?? []).every((field) => typeof key[field] === 'string' && key[field] !== '')
}
