/** Paths and hosts after a route's rewrites, and where its redirects lead. */
import type { RedirectAction, RouteAction, RouteMatch } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RedirectAction_RedirectResponseCode as Code } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { rewriteByExpression } from '../matching/path.ts'
import { replaceAll } from '../matching/regex.ts'
import { type HttpRequest, pathOnly, queryOf } from '../matching/request.ts'
import { type FormatContext, formatText } from './format.ts'

/** The path that the upstream sees. */
export function rewrittenPath(action: RouteAction, match: RouteMatch | undefined, at: FormatContext): string {
  const { path } = at.request
  if (action.prefixRewrite !== '') return replaceMatched(path, match, action.prefixRewrite)
  if (action.regexRewrite) return rewriteByExpression(path, action.regexRewrite)
  if (action.pathRewrite !== '') return formatText(action.pathRewrite, at) + queryOf(path)
  return path
}

/** What the route matched of the path is replaced: a prefix, else the whole path. */
function replaceMatched(path: string, match: RouteMatch | undefined, replacement: string): string {
  const specifier = match?.pathSpecifier
  const isPrefix = specifier?.case === 'prefix' || specifier?.case === 'pathSeparatedPrefix'
  const length = isPrefix ? specifier.value.length : pathOnly(path).length
  return replacement + path.slice(length)
}

/** The host that the upstream sees, of one as it is so far; undefined when it is the name by which the endpoint was found. */
export function rewrittenHost(action: RouteAction, request: HttpRequest): string | undefined {
  const specifier = action.hostRewriteSpecifier
  switch (specifier.case) {
    case 'hostRewriteLiteral':
      return specifier.value || request.authority
    case 'autoHostRewrite':
      return specifier.value.value ? undefined : request.authority
    case 'hostRewriteHeader':
      return request.headers.get(specifier.value.toLowerCase())?.[0] || request.authority
    case 'hostRewritePathRegex':
      return replaceAll(pathOnly(request.path), specifier.value.pattern?.regex ?? '', specifier.value.substitution)
    default:
      return request.authority
  }
}

const STATUS: Readonly<Record<Code, number>> = {
  [Code.MOVED_PERMANENTLY]: 301,
  [Code.FOUND]: 302,
  [Code.SEE_OTHER]: 303,
  [Code.TEMPORARY_REDIRECT]: 307,
  [Code.PERMANENT_REDIRECT]: 308,
}

export const redirectStatus = (redirect: RedirectAction): number => STATUS[redirect.responseCode]

/** The `location` of a redirect. */
export function redirectLocation(redirect: RedirectAction, match: RouteMatch | undefined, request: HttpRequest): string {
  const scheme = schemeOf(redirect, request)
  const port = redirect.portRedirect ? `:${redirect.portRedirect}` : ''
  const host = redirect.hostRedirect || requestHost(request, scheme, port)
  return `${scheme}://${host}${port}${redirectPath(redirect, match, request.path)}`
}

function schemeOf({ schemeRewriteSpecifier: specifier }: RedirectAction, request: HttpRequest): string {
  if (specifier.case === 'schemeRedirect' && specifier.value !== '') return specifier.value
  if (specifier.case === 'httpsRedirect' && specifier.value) return 'https'
  return request.scheme
}

/** The port goes when another is given, and when it is the usual one of the scheme that is left behind. */
function requestHost({ authority, scheme }: HttpRequest, next: string, port: string): string {
  const end = authority.startsWith('[') ? authority.lastIndexOf(']:') + 1 || -1 : authority.lastIndexOf(':')
  if (end < 0) return authority
  const own = authority.slice(end)
  const usual = (scheme === 'https' && own === ':443') || (scheme === 'http' && own === ':80')
  return port !== '' || (next !== scheme && usual) ? authority.slice(0, end) : authority
}

function redirectPath(redirect: RedirectAction, match: RouteMatch | undefined, path: string): string {
  const specifier = redirect.pathRewriteSpecifier
  const query = redirect.stripQuery ? '' : queryOf(path)
  const bare = pathOnly(path)
  switch (specifier.case) {
    case 'pathRedirect':
      if (specifier.value === '') return bare + query
      return specifier.value.includes('?') ? specifier.value : specifier.value + query
    case 'prefixRewrite':
      return specifier.value === '' ? bare + query : replaceMatched(bare, match, specifier.value) + query
    case 'regexRewrite':
      return rewriteByExpression(bare, specifier.value) + query
    default:
      return bare + query
  }
}
