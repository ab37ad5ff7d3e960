/** How a connection manager brings paths to one form before anything matches them, and rewrites them afterwards. */
import {
  HttpConnectionManager_PathWithEscapedSlashesAction as Escaped,
  type HttpConnectionManager,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { RegexMatchAndSubstitute } from '@lateen/envoy/gen/envoy/type/matcher/v3/regex_pb.js'
import { replaceAll } from './regex.ts'
import { pathOnly, queryOf } from './request.ts'

export type NormalPath =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'redirect'; readonly path: string }
  | { readonly kind: 'refused'; readonly why: string }

/** The path as routes see it. */
export function normalizePath(manager: HttpConnectionManager, path: string): NormalPath {
  if (!path.startsWith('/') && path !== '*') return { kind: 'refused', why: 'the path does not begin with "/"' }
  if (path.includes('#')) return { kind: 'refused', why: 'the path has a fragment (#…)' }
  let result = path
  const slashes = unescapeSlashes(pathOnly(result))
  if (slashes !== pathOnly(result)) {
    const action = manager.pathWithEscapedSlashesAction
    const next = slashes + queryOf(result)
    if (action === Escaped.REJECT_REQUEST) return { kind: 'refused', why: 'the path has an escaped slash' }
    if (action === Escaped.UNESCAPE_AND_REDIRECT) return { kind: 'redirect', path: next }
    if (action === Escaped.UNESCAPE_AND_FORWARD) result = next
  }
  if (manager.normalizePath === true) {
    const bare = pathOnly(result)
    if (/%00/.test(bare)) return { kind: 'refused', why: 'the path has an escaped NUL' }
    result = canonical(bare) + queryOf(result)
  }
  if (manager.mergeSlashes) result = pathOnly(result).replace(/\/{2,}/g, '/') + queryOf(result)
  return { kind: 'path', path: result }
}

const unescapeSlashes = (path: string): string => path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\')

/** RFC 3986 as Envoy applies it: dot segments removed, unreserved characters decoded, other escapes in capitals, `\` as `/`. */
function canonical(path: string): string {
  const decoded = path.replace(/\\/g, '/').replace(/%([0-9a-fA-F]{2})/g, (written, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9\-._~]/.test(character) ? character : written.toUpperCase()
  })
  const kept: string[] = []
  const segments = decoded.split('/').slice(1)
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1
    if (segment === '..') kept.pop()
    if (segment === '.' || segment === '..') {
      if (last) kept.push('')
    } else kept.push(segment)
  })
  return `/${kept.join('/')}`
}

/** A path after `regexRewrite`; the query is left as it is. */
export function rewriteByExpression(path: string, { pattern, substitution }: RegexMatchAndSubstitute): string {
  return replaceAll(pathOnly(path), pattern?.regex ?? '', substitution) + queryOf(path)
}
