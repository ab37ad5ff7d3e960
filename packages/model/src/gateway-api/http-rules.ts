/** Rules of HTTPRoutes and GRPCRoutes as routes of a VirtualService: one for each match, the most specific first. */
import type { CorsPolicy, Headers, HTTPMatchRequest, HTTPRedirect, HTTPRewrite, HTTPRoute, StringMatch } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'
import type { Service } from '../service.ts'
import { destinationOf, weightedDestinations } from './backends.ts'
import type { Referrer } from './grants.ts'
import type { BackendReference, GrpcMatch, HeaderChanges, HttpMatch, Match, RouteFilter, RouteRule } from './specs.ts'

export interface RuleSource {
  readonly context: Context
  readonly inputs: Inputs
  readonly services: Source<Service>
  /** The route object, as who names backends. */
  readonly from: Referrer
  readonly name: string
}

/** The routes of a rule; its name tells the object and the rule's place in it. */
export function routesOfRule<M>(
  source: RuleSource,
  rule: RouteRule<M>,
  index: number,
  matchOf: (match: M) => HTTPMatchRequest,
): readonly HTTPRoute[] {
  const base = { name: `${source.from.namespace}.${source.name}.${index}`, ...actionOf(source, rule) }
  const matches = (rule.matches ?? []).map(matchOf)
  if (matches.length === 0) return [base]
  return matches.map((match) => (Object.keys(match).length > 0 ? { ...base, match: [match] } : base))
}

/** Filters that do what they say. */
export const SUPPORTED_FILTERS: ReadonlySet<string> = new Set([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestRedirect',
  'URLRewrite',
  'RequestMirror',
  'CORS',
])

/** A filter that is not understood, such as one that asks who calls, must not be passed over. */
export const unsupportedFilter = ({ filters = [], backendRefs = [] }: RouteRule<unknown>): string | undefined =>
  [...filters, ...backendRefs.flatMap((ref) => ref.filters ?? [])].find(({ type }) => !SUPPORTED_FILTERS.has(type))?.type

function actionOf(source: RuleSource, rule: RouteRule<unknown>): HTTPRoute {
  const { context, inputs, from } = source
  if (unsupportedFilter(rule)) return { directResponse: { status: 500 } }
  const filters = filtersOf(rule.filters ?? [], source)
  const backends = weightedDestinations(context, inputs, from, rule.backendRefs ?? [])
  const route = backends.map(({ ref, destination, weight }) => {
    const headers = headersOf(ref.filters ?? [])
    return { destination, ...(weight !== undefined && { weight }), ...(headers && { headers }) }
  })
  const nothing = route.length === 0 && !filters.redirect
  return {
    ...filters,
    ...limitsOf(rule),
    ...(route.length > 0 && !filters.redirect && { route }),
    // A rule without backends is not found; one whose backends all have weight 0 is a mistake.
    ...(nothing && { directResponse: { status: rule.backendRefs?.length ? 500 : 404 } }),
  }
}

function limitsOf({ timeouts, retry }: RouteRule<unknown>): Pick<HTTPRoute, 'timeout' | 'retries'> {
  const given = (text: string | undefined) => (text && !/^0(ms|s|m|h)?$/.test(text) ? text : undefined)
  const backend = given(timeouts?.backendRequest)
  const whole = given(timeouts?.request) ?? (retry ? undefined : backend)
  return {
    ...(whole && { timeout: whole }),
    ...(retry && {
      retries: {
        attempts: retry.attempts ?? 1,
        ...(backend && { perTryTimeout: backend }),
        ...(retry.backoff && { backoff: retry.backoff }),
        ...(retry.codes?.length && { retryOn: retry.codes.join(',') }),
      },
    }),
  }
}

function filtersOf(filters: readonly RouteFilter[], source: RuleSource): HTTPRoute {
  const headers = headersOf(filters)
  const mirrors = filters.flatMap(({ type, requestMirror: mirror }) => {
    if (type !== 'RequestMirror' || !mirror) return []
    const target = destinationOf(source.context, source.inputs, source.from, mirror.backendRef)
    // A copy for nobody is not made.
    if (!exists(source, mirror.backendRef, target.host)) return []
    const { numerator, denominator = 100 } = mirror.fraction ?? {}
    const share = mirror.percent ?? (numerator === undefined ? undefined : (100 * numerator) / denominator)
    return [{ destination: target, ...(share !== undefined && { percentage: { value: share } }) }]
  })
  const redirect = filters.find(({ type }) => type === 'RequestRedirect')?.requestRedirect
  const rewrite = filters.find(({ type }) => type === 'URLRewrite')?.urlRewrite
  const cors = filters.find(({ type }) => type === 'CORS')?.cors
  return {
    ...(headers && { headers }),
    ...(mirrors.length > 0 && { mirrors }),
    ...(redirect && { redirect: redirectOf(redirect) }),
    ...(rewrite && { rewrite: rewriteOf(rewrite) }),
    ...(cors && { corsPolicy: corsOf(cors) }),
  }
}

function exists({ context, services, from }: RuleSource, ref: BackendReference, host: string): boolean {
  if (host === '') return false
  return (
    (ref.kind ?? 'Service') !== 'Service' || context.get(services, `Service/${ref.namespace ?? from.namespace}/${ref.name}`) !== undefined
  )
}

function headersOf(filters: readonly RouteFilter[]): Headers | undefined {
  const request = filters.find(({ type }) => type === 'RequestHeaderModifier')?.requestHeaderModifier
  const response = filters.find(({ type }) => type === 'ResponseHeaderModifier')?.responseHeaderModifier
  if (!request && !response) return undefined
  return { ...(request && { request: changesOf(request) }), ...(response && { response: changesOf(response) }) }
}

function changesOf({ set, add, remove }: HeaderChanges) {
  const map = (list: NonNullable<HeaderChanges['set']>) => Object.fromEntries(list.map(({ name, value }) => [name, value]))
  return { ...(set?.length && { set: map(set) }), ...(add?.length && { add: map(add) }), ...(remove?.length && { remove: [...remove] }) }
}

function redirectOf(redirect: NonNullable<RouteFilter['requestRedirect']>): HTTPRedirect {
  const { path } = redirect
  // A change of prefix keeps what stands behind the prefix.
  const uri = path?.type === 'ReplacePrefixMatch' ? `%PREFIX()%${path.replacePrefixMatch ?? ''}` : path?.replaceFullPath
  const derived = redirect.scheme ? 'FROM_PROTOCOL_DEFAULT' : 'FROM_REQUEST_PORT'
  return {
    ...(uri !== undefined && { uri }),
    ...(redirect.hostname && { authority: redirect.hostname }),
    ...(redirect.scheme && { scheme: redirect.scheme }),
    ...(redirect.port !== undefined ? { port: redirect.port } : { derivePort: derived as 'FROM_PROTOCOL_DEFAULT' }),
    redirectCode: redirect.statusCode ?? 302,
  }
}

function rewriteOf({ hostname, path }: NonNullable<RouteFilter['urlRewrite']>): HTTPRewrite {
  return {
    ...(hostname && { authority: hostname }),
    ...(path?.type === 'ReplacePrefixMatch' && { uri: path.replacePrefixMatch || '/' }),
    ...(path?.type === 'ReplaceFullPath' && { uriRegexRewrite: { match: '/.*', rewrite: path.replaceFullPath || '/' } }),
  }
}

function corsOf(cors: NonNullable<RouteFilter['cors']>): CorsPolicy {
  const origin = (text: string): StringMatch => {
    if (text === '*') return { regex: '.*' }
    return text.includes('*') ? { regex: text.replace(/[.+?^$()|[\]\\{}]/g, '\\$&').replaceAll('*', '.*') } : { exact: text }
  }
  return {
    ...(cors.allowOrigins?.length && { allowOrigins: cors.allowOrigins.map(origin) }),
    ...(cors.allowMethods?.length && { allowMethods: [...cors.allowMethods] }),
    ...(cors.allowHeaders?.length && { allowHeaders: [...cors.allowHeaders] }),
    ...(cors.exposeHeaders?.length && { exposeHeaders: [...cors.exposeHeaders] }),
    ...(cors.maxAge && { maxAge: `${cors.maxAge}s` }),
    ...(cors.allowCredentials !== undefined && { allowCredentials: cors.allowCredentials }),
  }
}

const textMatch = ({ type, value }: Pick<Match, 'type' | 'value'>): StringMatch =>
  type === 'RegularExpression' ? { regex: value } : { exact: value }

/** Of two conditions on one name the first counts. */
const byName = (matches: readonly Match[], named: (name: string) => string) =>
  Object.fromEntries([...matches].reverse().map((match) => [named(match.name), textMatch(match)]))

const lower = (name: string) => name.toLowerCase()

export function httpMatch({ path, headers, queryParams, method }: HttpMatch): HTTPMatchRequest {
  return {
    ...(path && { uri: pathMatch(path.type ?? 'PathPrefix', path.value ?? '/') }),
    ...(headers?.length && { headers: byName(headers, lower) }),
    ...(queryParams?.length && { queryParams: byName(queryParams, (name) => name) }),
    ...(method && { method: { exact: method } }),
  }
}

function pathMatch(type: string, value: string): StringMatch {
  if (type === 'Exact') return { exact: value }
  if (type === 'RegularExpression') return { regex: value }
  return { prefix: value.length > 1 ? value.replace(/\/$/, '') : value }
}

/** A call of gRPC has the path `/service/method`. */
export function grpcMatch({ method, headers }: GrpcMatch): HTTPMatchRequest {
  const { service, method: name, type } = method ?? {}
  const uri = ((): StringMatch | undefined => {
    if (!service && !name) return undefined
    if (type === 'RegularExpression') return { regex: `/${service || '[^/]+'}/${name || '[^/]+'}` }
    if (service && name) return { exact: `/${service}/${name}` }
    return service ? { prefix: `/${service}/` } : { regex: `/[^/]+/${name}` }
  })()
  return { ...(uri && { uri }), ...(headers?.length && { headers: byName(headers, lower) }) }
}

/** Sorts routes as the Gateway API demands: by kind and length of the path, then by method, headers and query parameters. */
export function inPrecedence(routes: readonly HTTPRoute[]): HTTPRoute[] {
  return routes
    .map((route) => ({ route, rank: rankOf(route.match?.[0]) }))
    .sort((a, b) => a.rank.map((value, i) => (b.rank[i] ?? 0) - value).find((difference) => difference !== 0) ?? 0)
    .map(({ route }) => route)
}

function rankOf(match: HTTPMatchRequest | undefined): readonly number[] {
  if (!match) return [-1]
  const { uri, method, headers, queryParams } = match
  const kind = uri?.exact !== undefined ? 3 : uri?.prefix !== undefined ? 2 : uri?.regex !== undefined ? 1 : 0
  const text = uri?.exact ?? uri?.prefix ?? uri?.regex ?? ''
  return [kind, text.length, method ? 1 : 0, Object.keys(headers ?? {}).length, Object.keys(queryParams ?? {}).length]
}
