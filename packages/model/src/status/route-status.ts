/** The status of HTTPRoutes, GRPCRoutes, TCPRoutes and TLSRoutes: for each parent whether it lets the route in, and what is missing. */
import { type KubeObject, refOf } from '@lateen/api'
import type { Context } from '@lateen/graph'
import { type BackendSources, backendProblem } from '../gateway-api/backends.ts'
import { GATEWAY_CONTROLLER } from '../gateway-api/classes.ts'
import { GATEWAY_GROUP } from '../gateway-api/grants.ts'
import { SUPPORTED_FILTERS, unsupportedFilter } from '../gateway-api/http-rules.ts'
import { type ParentSources, parentVerdicts } from '../gateway-api/parents.ts'
import type { Problem } from '../gateway-api/problem.ts'
import type { ParentReference, RouteRule, RouteSpec } from '../gateway-api/specs.ts'
import { condition, type WantedParent, type WantedStatus } from './wanted-status.ts'

export type RouteStatusSources = ParentSources & BackendSources

export function routeStatus(context: Context, sources: RouteStatusSources, route: KubeObject): WantedStatus {
  const problem = referenceProblem(context, sources, route)
  const parents = new Map<string, WantedParent>()
  for (const { ref, listeners, denial } of parentVerdicts(context, sources, route)) {
    const attached = listeners.length > 1 ? `attached to ${listeners.length} listeners` : 'attached'
    const conditions = [
      condition('Accepted', denial, attached),
      condition('ResolvedRefs', problem, 'everything that is referred to is there'),
    ]
    parents.set(referenceKey(ref, route.metadata.namespace ?? ''), { parentRef: ref, controllerName: GATEWAY_CONTROLLER, conditions })
  }
  return { object: refOf(route), generation: route.metadata.generation, parents: [...parents.values()] }
}

/** Equal for references that mean the same parent. */
export const referenceKey = (ref: ParentReference, namespace: string): string =>
  [
    ref.group ?? GATEWAY_GROUP,
    ref.kind ?? 'Gateway',
    ref.namespace ?? namespace,
    ref.name,
    ref.sectionName ?? '',
    ref.port === undefined ? '' : String(ref.port),
  ].join('/')

/** What is wrong with the references of a route; of several, an unusable rule before a backend, and else the last. */
function referenceProblem(context: Context, sources: RouteStatusSources, route: KubeObject): Problem | undefined {
  const from = { group: GATEWAY_GROUP, kind: route.kind, namespace: route.metadata.namespace ?? '' }
  const { rules = [] } = (route.spec ?? {}) as RouteSpec<unknown>
  let found: Problem | undefined
  for (const rule of rules) {
    const unknown = unknownFilter(rule)
    if (unknown) return unknown
    for (const ref of [...mirrorsOf(rule), ...(rule.backendRefs ?? [])]) found = backendProblem(context, sources, from, ref) ?? found
  }
  return found
}

const mirrorsOf = (rule: RouteRule<unknown>) => (rule.filters ?? []).flatMap(({ requestMirror }) => requestMirror?.backendRef ?? [])

function unknownFilter(rule: RouteRule<unknown>): Problem | undefined {
  const type = unsupportedFilter(rule)
  const known = [...SUPPORTED_FILTERS].join(', ')
  return type === undefined
    ? undefined
    : { reason: 'InvalidFilter', message: `filters of type ${type} are not supported, so the rule answers 500; use one of ${known}` }
}
