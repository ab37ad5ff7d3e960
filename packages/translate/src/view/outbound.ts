/**
 * Outgoing traffic on the graph: clusters, endpoints, listeners and routes, in chunks by service namespace, so that a change looks
 * at one chunk and every scope that sees the chunk alike shares it.
 */
import type { Family, Graph, Interned } from '@lateen/graph'
import type { MeshModel } from '@lateen/model'
import { createOutboundBase, inPart, type OutboundBase, type PartsFamily, type ResourceVisitor } from './outbound-base.ts'
import { createOutboundClusters } from './outbound-clusters.ts'
import { createOutboundListeners, type ListenerScope } from './outbound-listeners.ts'
import { createOutboundRoutes, type RouteClass, type RouteParts } from './outbound-routes.ts'
import type { Scope, Scopes } from './scope.ts'

export type { ListenerScope, ResourceVisitor, RouteClass }
export { inPart }

export interface Outbound extends Pick<OutboundBase, 'resolve' | 'servicesOf' | 'find' | 'ruleFor'> {
  readonly clusters: PartsFamily<Scope>
  readonly endpoints: PartsFamily<Scope>
  readonly listeners: PartsFamily<ListenerScope>
  readonly routes: Family<Interned<RouteClass>, RouteParts>
  /** Shows every family in which resources are made: what leads from a resource back to its objects. */
  visitResources(visit: ResourceVisitor): void
}

export function createOutbound(graph: Graph, model: MeshModel, scopes: Scopes): Outbound {
  const base = createOutboundBase(graph, model, scopes)
  const { clusters, endpoints, ...clusterFamilies } = createOutboundClusters(base)
  const { listeners, ...listenerFamilies } = createOutboundListeners(base)
  const { routes, ...routeFamilies } = createOutboundRoutes(base)
  return {
    resolve: base.resolve,
    servicesOf: base.servicesOf,
    find: base.find,
    ruleFor: base.ruleFor,
    clusters,
    endpoints,
    listeners,
    routes,
    visitResources: (visit) => {
      for (const families of [clusterFamilies, listenerFamilies, routeFamilies]) families.visitResources(visit)
    },
  }
}
