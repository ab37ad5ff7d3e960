/** `http[].match` of a VirtualService: Envoy's route match. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HTTPMatchRequest, StringMatch } from '@lateen/api'
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { RouteSemantics } from '@lateen/model'
import { stringMatcher } from '../../builders/string-match.ts'
import { claimMatcher, claimPath, type MetadataInit } from './claims.ts'

export type RouteMatchInit = Exclude<MessageInitShape<typeof RouteMatchSchema>, { $typeName: string }>
type HeaderInit = MessageInitShape<typeof HeaderMatcherSchema>
type QueryInit = MessageInitShape<typeof QueryParameterMatcherSchema>

/** Every path. */
export const ANY_PATH: RouteMatchInit = { pathSpecifier: { case: 'prefix', value: '/' } }

/** A match without conditions takes every request. */
export function routeMatch(match: HTTPMatchRequest | undefined, semantics: RouteSemantics = 'virtual-service'): RouteMatchInit {
  if (!match) return ANY_PATH
  const named = [
    ...inOrder(match.headers).map(([name, value]) => ({ name, value, invert: false })),
    ...inOrder(match.withoutHeaders).map(([name, value]) => ({ name, value, invert: true })),
  ]
  const dynamicMetadata = named.flatMap(({ name, value, invert }): MetadataInit[] => {
    const path = claimPath(name)
    return path ? [claimMatcher(path, value, invert)] : []
  })
  const headers = [
    ...pseudo(':method', match.method),
    ...pseudo(':authority', match.authority),
    ...pseudo(':scheme', match.scheme),
    ...named.filter(({ name }) => !claimPath(name)).map(({ name, value, invert }) => header(name, value, invert)),
  ]
  const queryParameters = inOrder(match.queryParams).map(([name, value]) => query(name, value))
  return {
    ...path(match.uri, match.ignoreUriCase === true, semantics),
    ...(headers.length > 0 && { headers }),
    ...(queryParameters.length > 0 && { queryParameters }),
    ...(dynamicMetadata.length > 0 && { dynamicMetadata }),
  }
}

/** Whether a match takes every request, so that nothing after it is ever asked. */
export function takesAll(match: RouteMatchInit): boolean {
  const { pathSpecifier, headers, queryParameters, dynamicMetadata } = match
  if (headers?.length || queryParameters?.length || dynamicMetadata?.length) return false
  switch (pathSpecifier?.case) {
    case 'prefix':
    case 'pathSeparatedPrefix':
      return pathSpecifier.value === '/'
    case 'safeRegex':
      return pathSpecifier.value.regex === '.*'
    default:
      return false
  }
}

function path(uri: StringMatch | undefined, ignoreCase: boolean, semantics: RouteSemantics): RouteMatchInit {
  const caseSensitive = ignoreCase ? { caseSensitive: false } : {}
  if (uri?.exact !== undefined) return { pathSpecifier: { case: 'path', value: uri.exact }, ...caseSensitive }
  if (uri?.prefix !== undefined) return { pathSpecifier: prefix(uri.prefix, semantics), ...caseSensitive }
  if (uri?.regex !== undefined) return { pathSpecifier: { case: 'safeRegex', value: { regex: uri.regex } } }
  return ANY_PATH
}

/** Ingress and HTTPRoute mean whole segments of a path: `/shop` is no prefix of `/shopping`. */
function prefix(value: string, semantics: RouteSemantics): NonNullable<RouteMatchInit['pathSpecifier']> {
  const segments = value.replace(/\/$/, '')
  if (semantics === 'virtual-service' || segments === '') return { case: 'prefix', value }
  return { case: 'pathSeparatedPrefix', value: segments }
}

function pseudo(name: string, match: StringMatch | undefined): HeaderInit[] {
  return match ? [header(name, match, false)] : []
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
