/** `http[].redirect` of a VirtualService. */
import type { HTTPRedirect } from '@lateen/api'
import { RedirectAction_RedirectResponseCode as Code } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { RouteContext, RouteInit } from '../route-feature.ts'

const CODES: Readonly<Record<number, Code>> = {
  301: Code.MOVED_PERMANENTLY,
  302: Code.FOUND,
  303: Code.SEE_OTHER,
  307: Code.TEMPORARY_REDIRECT,
  308: Code.PERMANENT_REDIRECT,
}

/** In `uri`, stands for the matched prefix: only that part of the path is replaced. */
const PREFIX_PLACEHOLDER = '%PREFIX()%'

export function redirectAction(redirect: HTTPRedirect, at: RouteContext): NonNullable<RouteInit['action']> {
  const uri = redirect.uri
  return {
    case: 'redirect',
    value: {
      ...(redirect.authority && { hostRedirect: redirect.authority }),
      ...(uri &&
        (uri.startsWith(PREFIX_PLACEHOLDER)
          ? { pathRewriteSpecifier: { case: 'prefixRewrite' as const, value: uri.slice(PREFIX_PLACEHOLDER.length) } }
          : { pathRewriteSpecifier: { case: 'pathRedirect' as const, value: uri } })),
      ...(redirect.scheme && { schemeRewriteSpecifier: { case: 'schemeRedirect' as const, value: redirect.scheme } }),
      ...portOf(redirect, at),
      responseCode: CODES[redirect.redirectCode ?? 301] ?? Code.MOVED_PERMANENTLY,
    },
  }
}

/** A port that the scheme implies is left out: `https://shop.example`, not `https://shop.example:443`. */
function portOf({ port, derivePort, scheme }: HTTPRedirect, at: RouteContext) {
  const wanted = port ?? (derivePort === 'FROM_REQUEST_PORT' ? at.listenPort : undefined)
  if (wanted === undefined) return {}
  const implied = { http: 80, https: 443 }[scheme || (at.encrypted ? 'https' : 'http')]
  return wanted === implied ? {} : { portRedirect: wanted }
}
