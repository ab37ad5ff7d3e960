/** Envoy's route match: the path, then every other condition. */
import type { RouteMatch } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { FractionalPercent } from '@lateen/envoy/gen/envoy/type/v3/percent_pb.js'
import { FractionalPercent_DenominatorType as Denominator } from '@lateen/envoy/gen/envoy/type/v3/percent_pb.js'
import { headerMatches, headerText, queryMatches, queryText } from './header-match.ts'
import { matchesWhole } from './regex.ts'
import { type HttpRequest, headerOf, pathOnly } from './request.ts'
import { stringMatcherText, stringMatches } from './string-match.ts'
import type { Truth } from './verdict.ts'

export interface MatchContext {
  readonly request: HttpRequest
  /** The connection came with TLS, which the filter chain terminated. */
  readonly tls: boolean
  /** A client certificate was shown and accepted. */
  readonly clientCertificate: boolean
  /** `;parameters` of path segments do not count in paths. */
  readonly ignorePathParameters: boolean
}

/** Whether a request fits, leaving aside the share of requests that the match takes ({@link shareOf}). */
export function routeMatches(match: RouteMatch, at: MatchContext): Truth {
  return firstMismatch(match, at)?.truth ?? true
}

export interface Mismatch {
  readonly truth: false | 'unknown'
  /** The condition for people. */
  readonly condition: string
}

/** The first condition that does not hold, or that cannot be decided when all others hold. */
export function firstMismatch(match: RouteMatch, at: MatchContext): Mismatch | undefined {
  let open: Mismatch | undefined
  for (const { ask, text } of conditionsOf(match)) {
    const truth = ask(at)
    if (truth === false) return { truth, condition: text }
    if (truth === 'unknown') open ??= { truth, condition: text }
  }
  return open
}

interface Condition {
  readonly text: string
  ask(at: MatchContext): Truth
}

function conditionsOf(match: RouteMatch): Condition[] {
  return [
    { text: pathText(match), ask: (at) => pathMatches(match, at) },
    ...match.headers.map((matcher) => ({ text: headerText(matcher), ask: ({ request }: MatchContext) => headerMatches(matcher, request) })),
    ...match.queryParameters.map((matcher) => ({
      text: queryText(matcher),
      ask: ({ request }: MatchContext) => queryMatches(matcher, request.path),
    })),
    ...(match.grpc ? [{ text: 'a gRPC request', ask: ({ request }: MatchContext) => isGrpc(request) }] : []),
    ...match.cookies.map(({ name, stringMatch, invertMatch }) => ({
      text: `cookie ${name} ${invertMatch ? 'not ' : ''}${stringMatch ? stringMatcherText(stringMatch) : 'present'}`,
      ask: ({ request }: MatchContext) => {
        const value = cookieOf(request, name)
        return value === undefined ? invertMatch : (stringMatch ? stringMatches(stringMatch, value) : true) !== invertMatch
      },
    })),
    ...tlsConditions(match),
    ...(match.dynamicMetadata.length + match.filterState.length > 0 ? [{ text: 'metadata of filters', ask: (): Truth => 'unknown' }] : []),
  ]
}

function tlsConditions({ tlsContext }: RouteMatch): Condition[] {
  const { presented, validated } = tlsContext ?? {}
  return [presented, validated].flatMap((wanted) =>
    wanted === undefined
      ? []
      : [
          {
            text: `client certificate ${wanted ? 'shown' : 'not shown'}`,
            ask: (at: MatchContext) => at.tls && at.clientCertificate === wanted,
          },
        ],
  )
}

function pathMatches(match: RouteMatch, { request, ignorePathParameters }: MatchContext): Truth {
  const specifier = match.pathSpecifier
  if (request.method === 'CONNECT') return specifier.case === 'connectMatcher'
  const bare = pathOnly(request.path)
  const path = ignorePathParameters ? bare.replace(/;[^/]*/g, '') : bare
  const fold = (text: string) => (match.caseSensitive === false ? text.toLowerCase() : text)
  switch (specifier.case) {
    case 'path':
      return fold(path) === fold(specifier.value)
    case 'prefix':
      return fold(path).startsWith(fold(specifier.value))
    case 'pathSeparatedPrefix':
      return fold(path) === fold(specifier.value) || fold(path).startsWith(`${fold(specifier.value)}/`)
    case 'safeRegex':
      return matchesWhole(specifier.value.regex, path)
    case 'pathMatchPolicy':
      return 'unknown'
    case 'connectMatcher':
    case undefined:
      return false
  }
}

/** The path condition for people. */
export function pathText({ pathSpecifier: specifier, caseSensitive }: RouteMatch): string {
  const fold = caseSensitive === false ? ', any case' : ''
  switch (specifier.case) {
    case 'path':
      return `path "${specifier.value}"${fold}`
    case 'prefix':
      return `path prefix "${specifier.value}"${fold}`
    case 'pathSeparatedPrefix':
      return `path "${specifier.value}" or below${fold}`
    case 'safeRegex':
      return `path expression "${specifier.value.regex}"`
    case 'pathMatchPolicy':
      return `path by extension ${specifier.value.name}`
    case 'connectMatcher':
      return 'method CONNECT'
    case undefined:
      return 'no path'
  }
}

/** All conditions for people; a match of everything is `any request`. */
export function matchText(match: RouteMatch): string {
  const texts = conditionsOf(match).map(({ text }) => text)
  const telling = texts.filter((text) => text !== 'path prefix "/"')
  return telling.length === 0 ? 'any request' : telling.join(', ')
}

/** The share of fitting requests that a match takes, from 0 to 1. */
export const shareOf = (match: RouteMatch): number => fractionOf(match.runtimeFraction?.defaultValue, 1)

/** A fraction as a number from 0 to 1. */
export function fractionOf(fraction: FractionalPercent | undefined, absent: number): number {
  if (!fraction) return absent
  const of = { [Denominator.HUNDRED]: 100, [Denominator.TEN_THOUSAND]: 10_000, [Denominator.MILLION]: 1_000_000 }
  return Math.min(1, fraction.numerator / of[fraction.denominator])
}

function isGrpc(request: HttpRequest): boolean {
  const type = headerOf(request, 'content-type') ?? ''
  return type === 'application/grpc' || type.startsWith('application/grpc+')
}

function cookieOf(request: HttpRequest, name: string): string | undefined {
  for (const pair of (headerOf(request, 'cookie') ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}
