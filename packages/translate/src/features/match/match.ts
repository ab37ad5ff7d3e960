/** `http[].match` of a VirtualService: Envoy's route match. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HTTPMatchRequest, StringMatch } from '@lateen/api'
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { stringMatcher } from '../../builders/string-match.ts'

export type RouteMatchInit = Exclude<MessageInitShape<typeof RouteMatchSchema>, { $typeName: string }>
type HeaderInit = MessageInitShape<typeof HeaderMatcherSchema>
type QueryInit = MessageInitShape<typeof QueryParameterMatcherSchema>

/** Every path. */
export const ANY_PATH: RouteMatchInit = { pathSpecifier: { case: 'prefix', value: '/' } }

/** A match without conditions takes every request. */
export function routeMatch(match: HTTPMatchRequest | undefined): RouteMatchInit {
  if (!match) return ANY_PATH
  const headers = [
    ...pseudo(':method', match.method),
    ...pseudo(':authority', match.authority),
    ...pseudo(':scheme', match.scheme),
    ...inOrder(match.headers).map(([name, value]) => header(name, value, false)),
    ...inOrder(match.withoutHeaders).map(([name, value]) => header(name, value, true)),
  ]
  const queryParameters = inOrder(match.queryParams).map(([name, value]) => query(name, value))
  return {
    ...path(match.uri, match.ignoreUriCase === true),
    ...(headers.length > 0 && { headers }),
    ...(queryParameters.length > 0 && { queryParameters }),
  }
}

/** Whether a match takes every request, so that nothing after it is ever asked. */
export function matchesAll(match: HTTPMatchRequest | undefined): boolean {
  if (!match) return true
  if (match.uri) {
    const everything = match.uri.prefix === '/' || match.uri.regex === '*' || match.uri.regex === '.*'
    if (!everything) return false
  }
  const conditions = [match.headers, match.withoutHeaders, match.queryParams, match.sourceLabels]
  return (
    !match.method &&
    !match.authority &&
    !match.scheme &&
    match.port === undefined &&
    !match.sourceNamespace &&
    conditions.every((map) => Object.keys(map ?? {}).length === 0)
  )
}

function path(uri: StringMatch | undefined, ignoreCase: boolean): RouteMatchInit {
  const caseSensitive = ignoreCase ? { caseSensitive: false } : {}
  if (uri?.exact !== undefined) return { pathSpecifier: { case: 'path', value: uri.exact }, ...caseSensitive }
  if (uri?.prefix !== undefined) return { pathSpecifier: { case: 'prefix', value: uri.prefix }, ...caseSensitive }
  if (uri?.regex !== undefined) return { pathSpecifier: { case: 'safeRegex', value: { regex: uri.regex } } }
  return ANY_PATH
}

function pseudo(name: string, match: StringMatch | undefined): HeaderInit[] {
  const matcher = match && stringMatcher(match)
  return matcher ? [{ name, headerMatchSpecifier: { case: 'stringMatch', value: matcher } }] : []
}

/** An empty match asks only whether the header is there; `*` as a regular expression means the same. */
function header(name: string, match: StringMatch, invert: boolean): HeaderInit {
  const matcher = match.regex === '*' ? undefined : stringMatcher(match)
  if (!matcher) return { name, headerMatchSpecifier: { case: 'presentMatch', value: !invert } }
  return {
    name,
    headerMatchSpecifier: { case: 'stringMatch', value: matcher },
    // Envoy's inverted match of a value is false for a missing header; Istio counts that as "without".
    ...(invert && { invertMatch: true, treatMissingHeaderAsEmpty: true }),
  }
}

function query(name: string, match: StringMatch): QueryInit {
  const matcher = match.regex === '*' ? undefined : stringMatcher(match)
  if (!matcher) return { name, queryParameterMatchSpecifier: { case: 'presentMatch', value: true } }
  return { name, queryParameterMatchSpecifier: { case: 'stringMatch', value: matcher } }
}

/** Maps have no order of their own: by name, so that equal objects give equal bytes. */
function inOrder(map: Readonly<Record<string, StringMatch>> | undefined): [string, StringMatch][] {
  return Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
}
