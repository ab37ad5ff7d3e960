/** Routes of a virtual host: from a VirtualService, or the default one to a service. */
import type { Any } from '@bufbuild/protobuf/wkt'
import type { Destination, HTTPMatchRequest, HTTPRoute, HTTPRouteDestination } from '@lateen/api'
import { duration } from '@lateen/envoy'
import { MESH_GATEWAY, type MeshSettings, selects, type VirtualService } from '@lateen/model'
import { directResponseAction } from '../features/direct-response/direct-response.ts'
import { hashPolicyOf } from '../features/hash-policy/hash-policy.ts'
import { headerInit, hostOf } from '../features/headers/headers.ts'
import { ANY_PATH, matchesAll, routeMatch } from '../features/match/match.ts'
import { ROUTE_FEATURES } from '../features/order.ts'
import { redirectAction } from '../features/redirect/redirect.ts'
import { retryPolicyOf } from '../features/retries/retries.ts'
import type { RouteActionInit, RouteContext, RouteContribution, RouteInit, Target } from '../features/route-feature.ts'
import { structOf } from './struct.ts'
import { OFFER_CALLER_VERSION } from './upstream-protocol.ts'

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
  readonly resolve: (destination: Destination) => Target
}

/** The routes of a VirtualService that apply to a caller, in order. */
export function virtualServiceRoutes(input: RouteInput): RouteInit[] {
  const routes: RouteInit[] = []
  for (const route of input.virtualService.spec.http ?? []) {
    const matches = route.match?.length ? route.match : [undefined]
    for (const match of matches) {
      if (!applies(match, input)) continue
      routes.push(routeOf(route, match, input))
      // Nothing behind a route that takes everything is ever asked.
      if (matchesAll(match && callerDecided(match))) return routes
    }
  }
  return routes
}

/** A match without the conditions on the caller, which have been found to hold. */
function callerDecided(match: HTTPMatchRequest): HTTPMatchRequest {
  const { sourceLabels: _, sourceNamespace: __, port: ___, gateways: ____, ...rest } = match
  return rest
}

function applies(match: HTTPMatchRequest | undefined, input: RouteInput): boolean {
  if (!match) return true
  const { caller } = input
  if (match.gateways?.length) {
    if (!match.gateways.some((name) => caller.gateways.includes(name))) return false
  }
  if (match.port !== undefined && match.port !== 0 && match.port !== input.listenPort) return false
  if (!caller.gateways.includes(MESH_GATEWAY)) return true
  if (match.sourceNamespace && match.sourceNamespace !== caller.namespace) return false
  return selects(match.sourceLabels ?? {}, caller.labels)
}

function routeOf(route: HTTPRoute, match: HTTPMatchRequest | undefined, input: RouteInput): RouteInit {
  const at: RouteContext = {
    settings: input.settings,
    listenPort: input.listenPort,
    gateway: !input.caller.gateways.includes(MESH_GATEWAY),
    match,
    resolve: input.resolve,
  }
  const contributions = ROUTE_FEATURES.map((feature) => feature(route, at)).filter((contribution) => contribution !== undefined)
  const { namespace, name } = input.virtualService
  const filters: Record<string, Any> = Object.assign(
    {},
    ...contributions.map((contribution) => contribution.filters ?? {}),
    callerVersion(route, at),
  )
  const targets = route.route ?? []
  const first = targets[0] && at.resolve(targets[0].destination)
  return {
    name: [route.name, match?.name].filter((part) => part).join('.'),
    match: routeMatch(match),
    ...Object.assign({}, ...contributions.map((contribution) => contribution.route ?? {})),
    action: actionOf(route, at, contributions),
    ...(match?.statPrefix && { statPrefix: match.statPrefix }),
    metadata: {
      filterMetadata: { istio: structOf({ config: `/apis/networking.istio.io/v1/namespaces/${namespace}/virtual-service/${name}` }) },
    },
    ...(first && {
      decorator: { operation: `${first.service?.host ?? targets[0]?.destination.host ?? ''}:${first.port}${pathText(match)}` },
    }),
    ...(Object.keys(filters).length > 0 && { typedPerFilterConfig: filters }),
  }
}

/** A route to one cluster says itself what that cluster asks; with several, each says it for itself. */
function callerVersion(route: HTTPRoute, at: RouteContext): Readonly<Record<string, Any>> {
  const [only, ...more] = forwarded(route.route ?? [])
  const single = only && more.length === 0 && !only.headers && !route.redirect && !route.directResponse
  return single && at.resolve(only.destination).followsCaller ? OFFER_CALLER_VERSION : {}
}

/** Destinations that get any requests. */
const forwarded = (destinations: readonly HTTPRouteDestination[]) =>
  destinations.length > 1 ? destinations.filter((destination) => (destination.weight ?? 0) > 0) : destinations

/** How a route's path is written in the name of its operation: prefixes end in `*`. */
function pathText(match: HTTPMatchRequest | undefined): string {
  const uri = match?.uri
  return uri?.exact ?? (uri?.prefix !== undefined ? `${uri.prefix}*` : (uri?.regex ?? '/*'))
}

function actionOf(route: HTTPRoute, at: RouteContext, contributions: readonly RouteContribution[]): NonNullable<RouteInit['action']> {
  if (route.redirect) return redirectAction(route.redirect, at)
  if (route.directResponse) return directResponseAction(route.directResponse)
  const common: RouteActionInit = Object.assign({}, ...contributions.map((contribution) => contribution.action ?? {}))
  return { case: 'route', value: { ...common, ...forwardTo(route.route ?? [], at) } }
}

function forwardTo(destinations: readonly HTTPRouteDestination[], at: RouteContext): RouteActionInit {
  const used = forwarded(destinations)
  const [only] = used
  if (!only) return { clusterSpecifier: { case: 'cluster', value: '' } }
  if (used.length === 1 && !only.headers) {
    const target = at.resolve(only.destination)
    const hashPolicy = hashPolicyOf(target, only.destination.subset ?? '')
    return { clusterSpecifier: { case: 'cluster', value: target.cluster }, ...(hashPolicy.length > 0 && { hashPolicy }) }
  }
  const targets = used.map((destination) => at.resolve(destination.destination))
  const hashPolicy =
    used.map((destination, i) => hashOf(targets[i], destination.destination.subset)).find((policy) => policy.length > 0) ?? []
  return {
    clusterSpecifier: {
      case: 'weightedClusters',
      value: {
        clusters: used.map((destination, i) => {
          const host = hostOf(destination.headers)
          return {
            name: targets[i]?.cluster ?? '',
            weight: used.length === 1 ? destination.weight || 100 : (destination.weight ?? 0),
            ...(destination.headers && headerInit(destination.headers)),
            ...(targets[i]?.followsCaller && { typedPerFilterConfig: OFFER_CALLER_VERSION }),
            ...(host && { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: host } }),
          }
        }),
      },
    },
    ...(hashPolicy.length > 0 && { hashPolicy }),
  }
}

const hashOf = (target: Target | undefined, subset: string | undefined) => (target ? hashPolicyOf(target, subset ?? '') : [])

/** The route of a service that no VirtualService speaks of. */
export function defaultRoute(target: Target, settings: MeshSettings): RouteInit {
  const retryPolicy = retryPolicyOf(settings.mesh.defaultHttpRetryPolicy)
  const hashPolicy = hashPolicyOf(target, '')
  return {
    name: 'default',
    match: ANY_PATH,
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: target.cluster },
        timeout: duration(0),
        maxStreamDuration: { maxStreamDuration: duration(0), grpcTimeoutHeaderMax: duration(0) },
        ...(retryPolicy && { retryPolicy }),
        ...(hashPolicy.length > 0 && { hashPolicy }),
      },
    },
    decorator: { operation: `${target.service?.host ?? ''}:${target.port}/*` },
    ...(target.followsCaller && { typedPerFilterConfig: OFFER_CALLER_VERSION }),
  }
}
