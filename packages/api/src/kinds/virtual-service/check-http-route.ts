/** The check of one HTTP route. */
import type { At } from '../../diagnostics/at.ts'
import type { StringMatch } from '../../messages/string-match.ts'
import { checkPort } from '../../validation/addresses.ts'
import { checkHeaders, checkMatchHeaderName, isAuthority } from '../../validation/headers.ts'
import { isDnsLabel } from '../../validation/hosts.ts'
import { checkDuration, checkLabels, checkRegex } from '../../validation/values.ts'
import { checkCors } from './check-cors.ts'
import { checkFault } from './check-fault.ts'
import { checkDestination, checkGatewayNames, checkWeights } from './check-l4-routes.ts'
import { checkDirectResponse, checkRedirect, checkRewrite } from './check-response.ts'
import { checkRetries } from './check-retries.ts'
import type { HTTPMatchRequest, HTTPRoute } from './virtual-service.ts'

interface Options {
  /** The VirtualService has no hosts: others take its routes. */
  readonly isDelegate: boolean
  readonly fromGatewayApi: boolean
}

export function checkHttpRoute(route: HTTPRoute, at: At, { isDelegate, fromGatewayApi }: Options): void {
  checkAction(route, at, isDelegate)
  at.in('match').each(route.match, checkMatch)
  checkHeaders(route.headers, at.in('headers'))
  checkCors(route.corsPolicy, at.in('corsPolicy'))
  checkFault(route.fault, at.in('fault'))
  checkMirrors(route, at)
  checkRedirect(route.redirect, at.in('redirect'))
  checkDirectResponse(route.directResponse, at.in('directResponse'))
  checkRetries(route.retries, at.in('retries'))
  checkRewrite(route.rewrite, at.in('rewrite'))
  checkAuthorityOnce(route, at)
  at.in('route').each(route.route, ({ destination, headers }, place) => {
    if (!destination) place.in('destination').say('DestinationMissing')
    checkHeaders(headers, place.in('headers'))
    if (!fromGatewayApi) checkDestination(destination, place.in('destination'))
  })
  checkWeights(route.route, at.in('route'))
  checkDuration(route.timeout, at.in('timeout'))
}

/** Exactly one of route, redirect, directResponse and delegate says what happens. */
function checkAction(route: HTTPRoute, at: At, isDelegate: boolean): void {
  if (route.delegate && !isDelegate) {
    for (const field of ['redirect', 'route'] as const) if (route[field]) at.in(field).say('RootRouteWith', { field })
    return
  }
  if (route.delegate) at.in('delegate').say('DelegateInDelegate')
  const action = route.redirect ? 'redirect' : route.directResponse ? 'directResponse' : undefined
  if (action) {
    const others = {
      route: route.route?.length,
      fault: route.fault,
      rewrite: route.rewrite,
      directResponse: action === 'redirect' && route.directResponse,
    }
    for (const [second, set] of Object.entries(others)) if (set) at.say('RouteConflict', { first: action, second })
  } else if (!route.route?.length) at.say('RouteActionMissing')
  if (route.mirror && route.mirrors?.length) at.say('RouteConflict', { first: 'mirror', second: 'mirrors' })
}

function checkMatch(match: HTTPMatchRequest, at: At): void {
  at.in('headers').entries(match.headers, (value, place, name) => {
    checkMatchHeaderName(name, place)
    checkStringMatch(value, place)
  })
  at.in('withoutHeaders').entries(match.withoutHeaders, (value, place, name) => {
    checkMatchHeaderName(name, place)
    // "*" is no regular expression: it asks that the header is there at all.
    if (value.regex !== '*') checkStringMatch(value, place)
  })
  // An empty prefix of the path matches every path; Envoy takes it there alone.
  if (match.uri?.regex !== undefined) checkRegex(match.uri.regex, at.in('uri', 'regex'))
  for (const field of ['scheme', 'method', 'authority'] as const) checkStringMatch(match[field], at.in(field))
  at.in('queryParams').entries(match.queryParams, checkStringMatch)
  if (match.port) checkPort(match.port, at.in('port'))
  checkLabels(match.sourceLabels, at.in('sourceLabels'))
  checkGatewayNames(match.gateways, at.in('gateways').withoutWarnings(), { fromGatewayApi: false })
  if (match.sourceNamespace && !isDnsLabel(match.sourceNamespace))
    at.in('sourceNamespace').say('BadLabelName', { name: match.sourceNamespace })
}

function checkStringMatch(match: StringMatch | undefined, at: At): void {
  if (match?.prefix === '') at.in('prefix').say('EmptyPrefix')
  if (match?.regex !== undefined) checkRegex(match.regex, at.in('regex'))
}

function checkMirrors(route: HTTPRoute, at: At): void {
  if (route.mirrorPercent !== undefined) {
    const place = at.in('mirrorPercent')
    if (route.mirrorPercent > 100) place.say('PercentRange', { value: route.mirrorPercent })
    place.say('DeprecatedField', { field: 'mirrorPercent', better: 'mirrorPercentage' })
  }
  checkMirrorShare(route.mirrorPercentage?.value, at.in('mirrorPercentage'))
  checkDestination(route.mirror, at.in('mirror'))
  at.in('mirrors').each(route.mirrors, ({ destination, percentage }, place) => {
    if (!destination) return place.in('destination').say('DestinationMissing')
    checkDestination(destination, place.in('destination'))
    checkMirrorShare(percentage?.value, place.in('percentage'))
  })
}

function checkMirrorShare(value: number | undefined, at: At): void {
  if (value !== undefined && (value < 0 || value > 100)) at.in('value').say('PercentRange', { value })
}

/** The host is rewritten in one place only: which would win is not defined. */
function checkAuthorityOnce(route: HTTPRoute, at: At): void {
  let current = route.rewrite?.authority
  for (const action of ['set', 'add'] as const) {
    for (const [name, value] of Object.entries(route.headers?.request?.[action] ?? {})) {
      if (!isAuthority(name)) continue
      if (current) return at.in('headers', 'request', action).key(name).say('AuthorityTwice', { first: current, second: value })
      current = value
    }
  }
}
