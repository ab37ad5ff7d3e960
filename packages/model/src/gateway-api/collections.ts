/**
 * The Gateway API as the Gateways and VirtualServices that it stands for. HTTP routes for one host at one listener (in the mesh: of
 * one namespace) become one VirtualService, whatever objects they come from.
 */
import { type HTTPRoute, type KubeObject, objectKey, refOf } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { byAge } from '../destination-rules.ts'
import type { GatewayConfig } from '../gateways.ts'
import type { Inputs } from '../inputs.ts'
import type { Service } from '../service.ts'
import { MESH_GATEWAY, type VirtualService } from '../virtual-services.ts'
import type { Visibility } from '../visibility.ts'
import { bytesVirtualServices } from './bytes-routes.ts'
import { GATEWAY_GROUP } from './grants.ts'
import { grpcMatch, httpMatch, inPrecedence, routesOfRule } from './http-rules.ts'
import { gatewayListenersOf, type Listener, listenerSetListenersOf } from './listeners.ts'
import { attachmentsOf, type ParentSources } from './parents.ts'
import type { GrpcMatch, HttpMatch, RouteSpec } from './specs.ts'

export interface GatewayApiCollections {
  readonly listeners: Source<Listener>
  readonly gateways: Source<GatewayConfig>
  readonly virtualServices: readonly Source<VirtualService>[]
}

/** What one route object brings to a VirtualService. */
interface Share {
  readonly key: string
  /** The VirtualService that it is part of. */
  readonly of: string
  readonly gateway: string
  readonly host: string
  readonly namespace: string
  readonly routes: readonly HTTPRoute[]
  readonly visibility: Visibility
  readonly created: string
  readonly origin: ObjectRef
}

export function gatewayApiCollections(graph: Graph, inputs: Inputs, services: Source<Service>): GatewayApiCollections {
  const { kinds } = inputs
  const listeners = listenerCollection(graph, inputs)
  const gateways = graph.collection<Listener, GatewayConfig>('apiGateways', listeners, (_, { gateway }, key) =>
    gateway ? [[key, gateway]] : [],
  )
  const sources: ParentSources = { inputs, listeners, services }
  const shares = graph.union<Share>(
    'routeShares',
    [
      graph.collection<KubeObject, Share>('httpRouteShares', kinds['gateway.networking.k8s.io/HTTPRoute'], (context, route) =>
        sharesOf(context, sources, route, (spec: RouteSpec<HttpMatch>, source) =>
          (spec.rules ?? []).flatMap((rule, i) => routesOfRule(source, rule, i, httpMatch)),
        ),
      ),
      graph.collection<KubeObject, Share>('grpcRouteShares', kinds['gateway.networking.k8s.io/GRPCRoute'], (context, route) =>
        sharesOf(context, sources, route, (spec: RouteSpec<GrpcMatch>, source) =>
          (spec.rules ?? []).flatMap((rule, i) => routesOfRule(source, rule, i, grpcMatch)),
        ),
      ),
    ],
    { of: (share) => [share.of] },
  )
  const merged = graph.collection<Share, VirtualService>('apiVirtualServices', shares, (context, share) => {
    const all = [...context.list(shares, 'of', share.of)].sort(byAge)
    const merged = all[0]?.key === share.key ? virtualServiceOf(all) : undefined
    return merged ? [[merged.key, merged]] : []
  })
  const bytes = (['TCPRoute', 'TLSRoute'] as const).map((kind) =>
    graph.collection<KubeObject, VirtualService>(`${kind}s`, kinds[`gateway.networking.k8s.io/${kind}`], (context, route) =>
      bytesVirtualServices(context, sources, route).map((vs) => [vs.key, vs] as const),
    ),
  )
  return { listeners, gateways, virtualServices: [merged, ...bytes] }
}

function listenerCollection(graph: Graph, inputs: Inputs): Source<Listener> {
  const keyed = (listeners: readonly Listener[]) => listeners.map((listener) => [listener.key, listener] as const)
  return graph.union<Listener>(
    'listeners',
    [
      graph.collection<KubeObject, Listener>('gatewayListeners', inputs.kinds['gateway.networking.k8s.io/Gateway'], (context, gateway) =>
        keyed(gatewayListenersOf(context, inputs, gateway)),
      ),
      graph.collection<KubeObject, Listener>('listenerSets', inputs.kinds['gateway.networking.k8s.io/ListenerSet'], (context, set) =>
        keyed(listenerSetListenersOf(context, inputs, set)),
      ),
    ],
    { parent: (listener) => [listener.parent] },
  )
}

/** A VirtualService for each host at each place where a route attaches. */
function sharesOf<M>(
  context: Context,
  sources: ParentSources,
  route: KubeObject,
  convert: (spec: RouteSpec<M>, source: Parameters<typeof routesOfRule>[0]) => readonly HTTPRoute[],
): [string, Share][] {
  const { name, namespace = '', creationTimestamp = '' } = route.metadata
  const from = { group: GATEWAY_GROUP, kind: route.kind, namespace }
  const routes = convert((route.spec ?? {}) as RouteSpec<M>, { context, inputs: sources.inputs, services: sources.services, from, name })
  if (routes.length === 0) return []
  const shares = new Map<string, Share>()
  for (const { gateway, hosts, port, visibility } of attachmentsOf(context, sources, route)) {
    const place =
      gateway === MESH_GATEWAY ? [namespace, ...(port === undefined ? [] : [String(port)])].join('~') : gateway.replace('/', '~')
    for (const host of hosts.map((text) => text.toLowerCase())) {
      const of = `${place}~${host}`
      const key = `${route.kind}/${objectKey(route)}/${of}`
      const own = port === undefined ? routes : onPort(routes, port)
      shares.set(key, {
        key,
        of,
        gateway,
        host,
        namespace,
        routes: own,
        visibility,
        created: creationTimestamp,
        origin: refOf(route),
      })
    }
  }
  return [...shares]
}

const onPort = (routes: readonly HTTPRoute[], port: number): HTTPRoute[] =>
  routes.map((route) => ({ ...route, match: (route.match ?? [{}]).map((match) => ({ ...match, port })) }))

function virtualServiceOf(shares: readonly Share[]): VirtualService {
  const [first] = shares
  if (!first) throw new Error('a VirtualService of no routes')
  const gateways = [first.gateway]
  return {
    key: `${first.namespace}/${first.of}`,
    semantics: 'gateway-api',
    namespace: first.namespace,
    name: first.of,
    hosts: [first.host],
    gateways,
    visibility: first.visibility,
    spec: { hosts: [first.host], gateways, http: inPrecedence(shares.flatMap((share) => share.routes)) },
    created: first.created,
    origins: shares.map((share) => share.origin),
    origin: first.origin,
  }
}
