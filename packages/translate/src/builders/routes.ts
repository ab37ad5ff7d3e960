/** Routes of a virtual host: from a VirtualService, or the default one to a service. */
import type { Any } from '@bufbuild/protobuf/wkt'
import type { Destination, HTTPMatchRequest, HTTPRoute, HTTPRouteDestination } from '@lateen/api'
import { RouteAction_ClusterNotFoundResponseCode as NotFoundCode } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { MESH_GATEWAY, type MeshSettings, selects, type VirtualService } from '@lateen/model'
import { directResponseAction } from '../features/direct-response/direct-response.ts'
import { hashPolicyOf } from '../features/hash-policy/hash-policy.ts'
import { headerInit, hostOf } from '../features/headers/headers.ts'
import { ANY_PATH, type RouteMatchInit, routeMatch, takesAll } from '../features/match/match.ts'
import { ROUTE_FEATURES } from '../features/order.ts'
import { redirectAction } from '../features/redirect/redirect.ts'
import { retryPolicyOf } from '../features/retries/retries.ts'
import type { RouteActionInit, RouteContext, RouteContribution, RouteInit, Target } from '../features/route-feature.ts'
import { limitOf } from '../features/timeout/timeout.ts'
import { originMetadata } from './origin.ts'
import { offering } from './upstream-protocol.ts'

/** Who asks: conditions on the caller are decided here, for no request can change them. */
export interface Caller {
  /** `mesh`, or the gateways (`namespace/name`) whose servers these routes are for. */
  readonly gateways: readonly string[]
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

export interface RouteInput {
  readonly virtualService: VirtualService
  readonly settings: MeshSettings
  readonly listenPort: number
  readonly caller: Caller
  /** The routes are for a server that ends the caller's TLS. */
  readonly encrypted?: boolean
  readonly resolve: (destination: Destination) => Target
}

/** The routes of a VirtualService that apply to a caller, in order. */
export function virtualServiceRoutes(input: RouteInput): RouteInit[] {
  const routes: RouteInit[] = []
  for (const [index, route] of (input.virtualService.spec.http ?? []).entries()) {
    const matches = route.match?.length ? route.match : [undefined]
    for (const [number, match] of matches.entries()) {
      if (!applies(match, input)) continue
      const envoyMatch = routeMatch(match, input.virtualService.semantics)
      const origin = routeOrigin(input.virtualService, index, match && number)
      routes.push({ ...routeOf(route, match, envoyMatch, input), metadata: origin })
      // Nothing behind a route that takes everything is ever asked.
      if (takesAll(envoyMatch)) return routes
    }
  }
  return routes
}

/** The object that a route is made from, and the place in it. */
function routeOrigin(vs: VirtualService, index: number, match: number | undefined) {
  const { origin, namespace, name, httpPaths } = vs
  if (vs.semantics === 'gateway-api') return ruleOrigin(vs, vs.spec.http?.[index]?.name)
  const path = httpPaths?.[index]
  const inMatch = match !== undefined && path !== undefined && !path.includes(':') ? `.match[${match}]` : ''
  const named = origin.kind === 'VirtualService' ? { kind: origin.kind, namespace, name } : origin
  return originMetadata(named, path && `${path}${inMatch}`)
}

/** Of several objects that made a VirtualService, the one whose rule a route is: its name ends in the rule's place in the object. */
function ruleOrigin({ origin, origins }: VirtualService, routeName = '') {
  const dot = routeName.lastIndexOf('.')
  const object = origins.find(({ namespace, name }) => `${namespace}.${name}` === routeName.slice(0, dot))
  return object ? originMetadata(object, `spec.rules[${routeName.slice(dot + 1)}]`) : originMetadata(origin)
}

/** Conditions on who calls, and where. One that names gateways asks for nothing else of the caller. */
function applies(match: HTTPMatchRequest | undefined, { caller, listenPort }: RouteInput): boolean {
  if (!match) return true
  if (match.port && match.port !== listenPort) return false
  if (match.gateways?.length) return match.gateways.some((name) => caller.gateways.includes(name))
  if (match.sourceNamespace && match.sourceNamespace !== caller.namespace) return false
  return selects(match.sourceLabels ?? {}, caller.labels)
}

function routeOf(route: HTTPRoute, match: HTTPMatchRequest | undefined, envoyMatch: RouteMatchInit, input: RouteInput): RouteInit {
  const { name, semantics } = input.virtualService
  const at: RouteContext = {
    settings: input.settings,
    listenPort: input.listenPort,
    gateway: !input.caller.gateways.includes(MESH_GATEWAY),
    encrypted: input.encrypted === true,
    semantics,
    match,
    resolve: input.resolve,
  }
  const contributions = ROUTE_FEATURES.map((feature) => feature(route, at)).filter((contribution) => contribution !== undefined)
  const filters: Record<string, Any> = Object.assign(
    {},
    ...contributions.map((contribution) => contribution.filters ?? {}),
    ownOffer(route, at),
  )
  return {
    name: [route.name, match?.name].filter((part) => part).join('.'),
    match: envoyMatch,
    ...Object.assign({}, ...contributions.map((contribution) => contribution.route ?? {})),
    action: actionOf(route, at, contributions),
    ...(match?.statPrefix && { statPrefix: match.statPrefix }),
    decorator: { operation: operationOf(route, at, name) },
    ...(Object.keys(filters).length > 0 && { typedPerFilterConfig: filters }),
  }
}

/** What traces call the route: its only destination, else the VirtualService. */
function operationOf(route: HTTPRoute, at: RouteContext, virtualService: string): string {
  const [only, ...more] = route.redirect || route.directResponse ? [] : (route.route ?? [])
  if (!only || more.length > 0) return `${virtualService}:${at.listenPort}${pathText(at.match)}`
  const target = at.resolve(only.destination)
  return `${target.service?.host ?? only.destination.host}:${target.port}${pathText(at.match)}`
}

/** A route to one cluster says itself what its requests offer; with several, each says it for itself. */
function ownOffer(route: HTTPRoute, at: RouteContext): Readonly<Record<string, Any>> {
  const [only, ...more] = route.redirect || route.directResponse ? [] : (route.route ?? [])
  return only && more.length === 0 ? offering(at.resolve(only.destination).offer) : {}
}

/** How a route's path is written in the name of its operation: prefixes end in `*`. */
function pathText(match: HTTPMatchRequest | undefined): string {
  const uri = match?.uri
  return uri?.exact ?? (uri?.prefix !== undefined ? `${uri.prefix}*` : (uri?.regex ?? '/*'))
}

function actionOf(route: HTTPRoute, at: RouteContext, contributions: readonly RouteContribution[]): NonNullable<RouteInit['action']> {
  if (route.redirect) return redirectAction(route.redirect, at)
  if (route.directResponse) return directResponseAction(route.directResponse)
  const forward = forwardTo(route.route ?? [], at)
  if (!forward) return { case: 'directResponse', value: { status: at.semantics === 'virtual-service' ? 503 : 500 } }
  const common: RouteActionInit = Object.assign({}, ...contributions.map((contribution) => contribution.action ?? {}))
  return {
    case: 'route',
    value: {
      ...common,
      ...forward,
      // An HTTPRoute whose destination does not exist answers 500, a VirtualService 503.
      ...(at.semantics === 'gateway-api' && { clusterNotFoundResponseCode: NotFoundCode.INTERNAL_SERVER_ERROR }),
    },
  }
}

/** Where requests go; undefined when there is no destination that gets any. */
function forwardTo(destinations: readonly HTTPRouteDestination[], at: RouteContext): RouteActionInit | undefined {
  const [only, ...more] = destinations
  if (!only) return undefined
  if (more.length === 0) {
    const target = at.resolve(only.destination)
    const hashPolicy = hashPolicyOf(target, only.destination.subset ?? '')
    return { clusterSpecifier: { case: 'cluster', value: target.cluster }, ...(hashPolicy.length > 0 && { hashPolicy }) }
  }
  const used = destinations
    .filter(({ weight }) => (weight ?? 0) > 0)
    .map((destination) => ({ destination, target: at.resolve(destination.destination) }))
  if (used.length === 0) return undefined
  const hashPolicy = used.flatMap(({ destination, target }) => hashPolicyOf(target, destination.destination.subset ?? ''))
  return {
    clusterSpecifier: {
      case: 'weightedClusters',
      value: {
        clusters: used.map(({ destination, target }) => {
          const host = hostOf(destination.headers)
          return {
            name: target.cluster,
            weight: destination.weight ?? 0,
            ...headerInit(destination.headers ?? {}),
            ...(target.offer && { typedPerFilterConfig: offering(target.offer) }),
            ...(host && { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: host } }),
          }
        }),
      },
    },
    ...(hashPolicy.length > 0 && { hashPolicy }),
  }
}

/** The route of a service that no VirtualService speaks of. */
export function defaultRoute(target: Target, settings: MeshSettings): RouteInit {
  const retryPolicy = retryPolicyOf(settings.mesh.defaultHttpRetryPolicy, false)
  const hashPolicy = hashPolicyOf(target, '')
  return {
    name: 'default',
    match: ANY_PATH,
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: target.cluster },
        ...limitOf(0),
        ...(retryPolicy && { retryPolicy }),
        ...(hashPolicy.length > 0 && { hashPolicy }),
      },
    },
    decorator: { operation: `${target.service?.host ?? ''}:${target.port}/*` },
    ...(target.offer && { typedPerFilterConfig: offering(target.offer) }),
  }
}
