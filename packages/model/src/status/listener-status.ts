/** The status of one listener, and which routes attach to it. */
import type { KubeObject } from '@lateen/api'
import type { Context } from '@lateen/graph'
import { GATEWAY_GROUP } from '../gateway-api/grants.ts'
import type { Listener } from '../gateway-api/listeners.ts'
import { type ParentSources, parentVerdicts } from '../gateway-api/parents.ts'
import type { Problem } from '../gateway-api/problem.ts'
import type { InputKind } from '../inputs.ts'
import { condition, type WantedListener } from './wanted-status.ts'

const FINE = 'nothing is wrong'
const ROUTE_KINDS = ['HTTPRoute', 'GRPCRoute', 'TCPRoute', 'TLSRoute'] as const satisfies readonly string[]

export function listenerStatus(listener: Listener, attachedRoutes: number): WantedListener {
  const notProgrammed: Problem | undefined = listener.unresolved && {
    reason: 'Invalid',
    message: 'its TLS settings cannot be used: see ResolvedRefs',
  }
  const badKinds: Problem | undefined = listener.badKinds
    ? {
        reason: 'InvalidRouteKinds',
        message: `allowedRoutes.kinds has kinds that a listener of protocol ${listener.protocol} does not take`,
      }
    : undefined
  return {
    name: listener.name,
    attachedRoutes,
    supportedKinds: listener.kinds.map((kind) => ({ group: GATEWAY_GROUP, kind })),
    conditions: [
      condition('Accepted', listener.unsupported, FINE),
      { type: 'Conflicted', status: 'False', reason: 'NoConflicts', message: FINE },
      condition('Programmed', notProgrammed, FINE),
      condition('ResolvedRefs', badKinds ?? listener.unresolved, FINE),
    ],
  }
}

/** How many routes attach to each listener of a Gateway or ListenerSet (`Gateway/namespace/name`), by listener key. */
export function attachedRoutes(context: Context, sources: ParentSources, parent: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const route of routesNaming(context, sources, parent)) {
    const listeners = new Set(parentVerdicts(context, sources, route).flatMap((verdict) => verdict.listeners))
    for (const key of listeners) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

const routesNaming = (context: Context, { inputs }: ParentSources, parent: string): readonly KubeObject[] =>
  ROUTE_KINDS.flatMap((kind) => {
    const input: InputKind = `gateway.networking.k8s.io/${kind}`
    return context.list(inputs.kinds[input], 'parent', parent)
  })
