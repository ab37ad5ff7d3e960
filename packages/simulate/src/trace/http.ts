/** A request in a connection manager: its path brought to one form, its virtual host, its route. */
import {
  VirtualHost_TlsRequirementType as Require,
  type Route,
  type VirtualHost,
} from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { RouteConfiguration } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import {
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  type HttpConnectionManager,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { Configuration } from '../configuration.ts'
import { normalizePath } from '../matching/path.ts'
import type { HttpRequest } from '../matching/request.ts'
import { firstMismatch, type MatchContext, matchText, shareOf } from '../matching/route-match.ts'
import { virtualHostMatch } from '../route.ts'
import type { TraceCall } from './call.ts'
import { type Origin, originsOf } from './origin.ts'
import type { FilterVerdict, PathOutcome, TakenRoute, Trace } from './outcome.ts'
import { routeOutcomes } from './route-outcomes.ts'

export interface HttpWalk {
  readonly configuration: Configuration
  readonly manager: HttpConnectionManager
  readonly call: TraceCall
  readonly request: HttpRequest
  /** The connection came with a client certificate that the chain asked for. */
  readonly mutual: boolean
  /** What filters for connections have said before. */
  readonly verdicts: readonly FilterVerdict[]
}

export function traceHttp(walk: HttpWalk): Omit<Trace, 'listener' | 'filterChain'> {
  const { configuration, manager, call, verdicts } = walk
  const answer = (status: number, why: string, more: { readonly flag?: string; readonly location?: string } = {}): PathOutcome => ({
    share: 1,
    verdicts,
    end: { kind: 'answer', status, why, flag: '', headers: [], ...more },
  })
  if (walk.request.authority === '') return { outcomes: [answer(400, 'the request has no Host header')] }
  const normal = normalizePath(manager, walk.request.path)
  if (normal.kind === 'refused') return { outcomes: [answer(400, normal.why)] }
  if (normal.kind === 'redirect') return { outcomes: [answer(307, 'escaped slashes are decoded', { location: normal.path })] }
  const request = { ...asReceived(walk), path: normal.path }

  const { name: configurationName, routes } = routesOf(configuration, manager)
  const reached = { routeConfiguration: configurationName }
  const hosts = [...(configuration.virtualHosts.get(configurationName) ?? []), ...(routes?.virtualHosts ?? [])]
  const found = virtualHostMatch(hosts, hostToMatch(manager, routes, call, request), routes?.ignorePortInHostMatching ?? false)
  const at = { ...walk, request, routes, host: found?.virtualHost }
  if (!found) {
    const why = routes ? `no virtual host takes the host "${request.authority}"` : `the routes ${configurationName} are not there`
    return { ...reached, outcomes: routeOutcomes(at, undefined, 1, why) }
  }
  const { virtualHost, domain } = found
  const withHost = { ...reached, virtualHost: { name: virtualHost.name, domain, origins: hostOrigins(virtualHost) } }
  if (virtualHost.requireTls !== Require.NONE && request.scheme === 'http' && call.tls === 'plaintext') {
    const location = `https://${request.authority}${request.path}`
    return { ...withHost, outcomes: [answer(301, 'the host wants TLS', { location })] }
  }
  return { ...withHost, outcomes: alongRoutes(at, virtualHost, routes) }
}

/** What the virtual host says of itself, and the objects whose routes it has. */
function hostOrigins({ metadata, routes }: VirtualHost): Origin[] {
  const found = [...originsOf(metadata), ...routes.flatMap((route) => originsOf(route.metadata))]
  const objects = found.map(({ kind, namespace, name }) => [`${kind}/${namespace}/${name}`, { kind, namespace, name }] as const)
  return [...new Map(objects).values()]
}

function routesOf(
  { routes }: Configuration,
  { routeSpecifier: specifier }: HttpConnectionManager,
): { readonly name: string; readonly routes: RouteConfiguration | undefined } {
  if (specifier.case === 'routeConfig') return { name: specifier.value.name, routes: specifier.value }
  const name = specifier.case === 'rds' ? specifier.value.routeConfigName : ''
  return { name, routes: routes.get(name) }
}

/** The request as filters and routes see it: what the connection manager takes away from callers is gone. */
function asReceived({ manager, request, mutual }: HttpWalk): HttpRequest {
  const keepsCertificate =
    (manager.forwardClientCertDetails === Forward.APPEND_FORWARD || manager.forwardClientCertDetails === Forward.FORWARD_ONLY) && mutual
  if (keepsCertificate || manager.forwardClientCertDetails === Forward.ALWAYS_FORWARD_ONLY) return request
  const headers = new Map(request.headers)
  headers.delete('x-forwarded-client-cert')
  return { ...request, headers }
}

function hostToMatch(
  { stripPortMode, stripMatchingHostPort, stripTrailingHostDot }: HttpConnectionManager,
  routes: RouteConfiguration | undefined,
  { destination }: TraceCall,
  request: HttpRequest,
): string {
  const header = routes?.vhostHeader ?? ''
  const host = header === '' ? request.authority : (request.headers.get(header.toLowerCase())?.join(',') ?? '')
  const strips = stripMatchingHostPort || (stripPortMode.case === 'stripAnyHostPort' && stripPortMode.value)
  const [, name = host, port = ''] = (strips && /^(.*?):(\d+)$/.exec(host)) || []
  const bare = stripMatchingHostPort && Number(port) !== destination.port ? host : name
  return stripTrailingHostDot && bare.endsWith('.') ? bare.slice(0, -1) : bare
}

type Passed = TakenRoute['passedOver'][number]

/** The routes in order; one that takes only a share of requests leaves the others to those behind it. */
function alongRoutes(at: Parameters<typeof routeOutcomes>[0], host: VirtualHost, routes: RouteConfiguration | undefined): PathOutcome[] {
  const context: MatchContext = {
    request: at.request,
    tls: at.call.tls !== 'plaintext',
    clientCertificate: at.mutual,
    ignorePathParameters: routes?.ignorePathParametersInPathMatching ?? false,
  }
  const outcomes: PathOutcome[] = []
  const passedOver: Passed[] = []
  let left = 1
  for (const [index, route] of host.routes.entries()) {
    if (!route.match) continue
    const mismatch = firstMismatch(route.match, context)
    if (mismatch?.truth === false) {
      passedOver.push({ name: route.name, condition: mismatch.condition, origins: originsOf(route.metadata) })
      continue
    }
    const share = left * shareOf(route.match)
    const taken = takenRoute(route, index, passedOver, mismatch?.condition)
    if (share > 0) outcomes.push(...routeOutcomes(at, { route, taken }, share, ''))
    left -= share
    if (left <= 0) break
  }
  if (left > 0) outcomes.push(...routeOutcomes(at, undefined, left, `no route of ${host.name} takes the request`))
  return outcomes
}

function takenRoute(route: Route, index: number, passedOver: readonly Passed[], assumed: string | undefined): TakenRoute {
  return {
    name: route.name,
    match: route.match ? matchText(route.match) : '',
    index,
    origins: originsOf(route.metadata),
    passedOver: [...passedOver],
    ...(assumed !== undefined && { assumed }),
  }
}
