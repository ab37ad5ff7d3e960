/** `http[].rewrite` of a VirtualService, and the host that header operations set. */
import { hostOf } from '../headers/headers.ts'
import type { RouteActionInit, RouteContext, RouteFeature } from '../route-feature.ts'

export const rewrite: RouteFeature = (route, at) => {
  const [only, ...more] = route.route ?? []
  // The route's own word counts more than that of its only destination.
  const authority = route.rewrite?.authority || hostOf(route.headers) || (more.length === 0 ? hostOf(only?.headers) : undefined)
  const host: RouteActionInit = authority ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } } : {}
  return { action: { ...host, ...path(route.rewrite ?? {}, at) } }
}

interface PathRewrite {
  readonly uri?: string
  readonly uriRegexRewrite?: { readonly match?: string; readonly rewrite?: string }
}

function path({ uri, uriRegexRewrite: regex }: PathRewrite, at: RouteContext): RouteActionInit {
  if (regex?.match !== undefined) return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite ?? '' } }
  if (!uri) return {}
  const prefix = at.match?.uri?.prefix?.replace(/\/$/, '')
  if (at.semantics === 'gateway-api' && uri === '/' && prefix) {
    // Replacing a prefix of whole segments by "/" must neither double the slash that follows nor leave nothing.
    return { regexRewrite: { pattern: { regex: `^${literal(prefix)}(/?)(.*)` }, substitution: '/\\2' } }
  }
  // What an exact path or an expression matched is replaced whole, but for the query.
  return { prefixRewrite: uri }
}

const literal = (text: string): string => text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')
