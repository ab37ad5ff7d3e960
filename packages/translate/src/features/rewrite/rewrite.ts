/** `http[].rewrite` of a VirtualService, and the host that a header operation sets. */

import { hostOf } from '../headers/headers.ts'
import type { RouteActionInit, RouteFeature } from '../route-feature.ts'

export const rewrite: RouteFeature = (route, at) => {
  const authority = route.rewrite?.authority ?? hostOf(route.headers)
  const host: RouteActionInit = authority ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } } : {}
  const regex = route.rewrite?.uriRegexRewrite
  if (regex?.match !== undefined) {
    return { action: { ...host, regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite ?? '' } } }
  }
  const uri = route.rewrite?.uri
  if (!uri) return authority ? { action: host } : undefined
  const expression = at.match?.uri?.regex
  // A prefix rewrite of an expression's match would have nothing to replace: the whole path is.
  if (expression !== undefined) return { action: { ...host, regexRewrite: { pattern: { regex: expression }, substitution: uri } } }
  return { action: { ...host, prefixRewrite: uri } }
}
