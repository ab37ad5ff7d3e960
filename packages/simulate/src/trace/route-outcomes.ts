/** What a route does with a request: filters first, then a cluster, a redirect or an answer. */
import type {
  Route,
  RouteAction,
  VirtualHost,
  WeightedCluster_ClusterWeight,
} from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteAction_ClusterNotFoundResponseCode as NotFound } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { RouteConfiguration } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { runFilters } from '../filters/http-filters.ts'
import { headerOf } from '../matching/request.ts'
import type { FormatContext } from './format.ts'
import { forwardPolicy } from './forward-policy.ts'
import { changeRequestHeaders, type HeaderLevel, responseHeaderChanges } from './header-changes.ts'
import type { HttpWalk } from './http.ts'
import type { End, ForwardedRequest, PathOutcome, TakenRoute } from './outcome.ts'
import { redirectLocation, redirectStatus, rewrittenHost, rewrittenPath } from './rewrite.ts'

export interface RouteWalk extends HttpWalk {
  readonly routes: RouteConfiguration | undefined
  readonly host: VirtualHost | undefined
}

interface Chosen {
  readonly route: Route
  readonly taken: TakenRoute
}

/** A cluster that a route may choose. */
interface Choice {
  readonly share: number
  readonly cluster: string
  readonly entry: WeightedCluster_ClusterWeight | undefined
}

/** Outcomes of a route that takes a share of requests; without a route (`why` says so) filters still run, then the answer is 404. */
export function routeOutcomes(walk: RouteWalk, chosen: Chosen | undefined, share: number, why: string): PathOutcome[] {
  const choices = chosen?.route.action.case === 'route' ? choicesOf(chosen.route.action.value, walk) : [NOWHERE]
  const outcomes = choices.flatMap((choice) => {
    const format: FormatContext = {
      request: walk.request,
      routeName: chosen?.route.name ?? '',
      cluster: walk.configuration.clusters.get(choice.cluster) ? choice.cluster : '',
      sourceAddress: walk.call.sourceAddress,
    }
    const levels = chosen ? [choice.entry, chosen.route, walk.host, walk.routes] : []
    const match = { request: walk.request, tls: walk.call.tls !== 'plaintext', clientCertificate: walk.mutual, ignorePathParameters: false }
    return runFilters(walk.manager.httpFilters, levels, { call: walk.call, match, format, notes: new Map() }).map(
      (outcome): PathOutcome => {
        const end = outcome.end
          ? answered(outcome.end, walk, chosen, choice, format)
          : chosen
            ? endOf(walk, chosen.route, choice, format)
            : notFound(why)
        return {
          share: share * choice.share * outcome.share,
          ...(chosen && { route: chosen.taken }),
          verdicts: [...walk.verdicts, ...outcome.verdicts],
          ...(outcome.delayMs > 0 && { delayMs: outcome.delayMs }),
          end,
        }
      },
    )
  })
  return joined(outcomes)
}

const NOWHERE: Choice = { share: 1, cluster: '', entry: undefined }

const notFound = (why: string): End => ({ kind: 'answer', status: 404, why, flag: 'NR', headers: [] })

function choicesOf({ clusterSpecifier: specifier }: RouteAction, { request }: RouteWalk): Choice[] {
  const one = (cluster: string): Choice[] => [{ share: 1, cluster, entry: undefined }]
  switch (specifier.case) {
    case 'cluster':
      return one(specifier.value)
    case 'clusterHeader':
      return one(headerOf(request, specifier.value) ?? '')
    case 'weightedClusters': {
      const used = specifier.value.clusters.filter(({ weight }) => (weight ?? 0) > 0)
      const total = used.reduce((sum, { weight }) => sum + (weight ?? 0), 0)
      return used.map((entry) => ({
        share: (entry.weight ?? 0) / total,
        cluster: entry.name || (headerOf(request, entry.clusterHeader) ?? ''),
        entry,
      }))
    }
    default:
      return one('')
  }
}

function endOf(walk: RouteWalk, route: Route, choice: Choice, format: FormatContext): End {
  const levels = levelsOf(walk, route, choice)
  const headers = responseHeaderChanges(levels, format)
  switch (route.action.case) {
    case 'redirect': {
      const redirect = route.action.value
      const location = redirectLocation(redirect, route.match, walk.request)
      return { kind: 'answer', status: redirectStatus(redirect), why: 'redirect', location, flag: '', headers }
    }
    case 'directResponse': {
      const { status, body } = route.action.value
      const text = body?.specifier.case === 'inlineString' ? body.specifier.value : undefined
      return { kind: 'answer', status, why: 'direct response', ...(text !== undefined && { body: text }), flag: '', headers }
    }
    case 'route':
      return forward(walk, route, route.action.value, choice, format)
    default:
      return { kind: 'answer', status: 500, why: 'the route has no action that is understood', flag: '', headers: [] }
  }
}

/** Answers of filters get what a forwarding route says of headers of answers, others do not. */
function answered(end: End, walk: RouteWalk, chosen: Chosen | undefined, choice: Choice, format: FormatContext): End {
  if (end.kind !== 'answer' || chosen?.route.action.case !== 'route') return end
  return { ...end, headers: [...end.headers, ...responseHeaderChanges(levelsOf(walk, chosen.route, choice), format)] }
}

/** Header changes by level: the most specific first, unless they are to win; those of a weighted cluster come first in any case. */
function levelsOf({ host, routes }: RouteWalk, route: Route, { entry }: Choice): HeaderLevel[] {
  const levels = routes?.mostSpecificHeaderMutationsWins ? [entry, routes, host, route] : [entry, route, host, routes]
  return levels.filter((level) => level !== undefined)
}

function forward(walk: RouteWalk, route: Route, action: RouteAction, choice: Choice, format: FormatContext): End {
  const levels = levelsOf(walk, route, choice)
  if (choice.cluster === '' || !walk.configuration.clusters.get(choice.cluster)) {
    const status = { [NotFound.SERVICE_UNAVAILABLE]: 503, [NotFound.NOT_FOUND]: 404, [NotFound.INTERNAL_SERVER_ERROR]: 500 }
    const why = choice.cluster === '' ? 'the route leads to no cluster' : `the cluster ${choice.cluster} is not there`
    const headers = responseHeaderChanges(levels, format)
    return { kind: 'answer', status: status[action.clusterNotFoundResponseCode], why, flag: 'NC', headers }
  }
  const { headers, changes } = changeRequestHeaders(levels, walk.request.headers, format)
  const literal = choice.entry?.hostRewriteSpecifier.case === 'hostRewriteLiteral' ? choice.entry.hostRewriteSpecifier.value : ''
  const request: ForwardedRequest = {
    method: walk.request.method,
    authority:
      rewrittenHost(action, { ...walk.request, headers, authority: literal || walk.request.authority }) ?? 'the name of the endpoint',
    path: rewrittenPath(action, route.match, format),
    headers,
    requestChanges: changes,
    responseChanges: responseHeaderChanges(levels, { ...format, request: { ...format.request, headers } }),
  }
  return { kind: 'forward', cluster: choice.cluster, request, policy: forwardPolicy(action, walk.host) }
}

/** Answers that do not depend on the cluster that chance would have chosen are one outcome. */
function joined(outcomes: readonly PathOutcome[]): PathOutcome[] {
  const result = new Map<string, PathOutcome>()
  for (const [index, outcome] of outcomes.entries()) {
    const key = outcome.end.kind === 'forward' ? String(index) : JSON.stringify([outcome.end, outcome.verdicts, outcome.delayMs])
    const known = result.get(key)
    result.set(key, known ? { ...known, share: known.share + outcome.share } : outcome)
  }
  return [...result.values()]
}
