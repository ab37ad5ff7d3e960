/** Hosts of VirtualServices that no service has, and routes from a VirtualService to destinations that a client sees. */
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type Interned } from '@lateen/graph'
import {
  byPrecedence,
  importsHost,
  importsService,
  isHttp,
  isWildcard,
  MESH_GATEWAY,
  type MeshModel,
  type VirtualService,
  visibleTo,
} from '@lateen/model'
import { virtualServiceRoutes } from '../builders/routes.ts'
import { domainOf, type HostHeaders, virtualHostResource } from '../builders/virtual-hosts.ts'
import type { RouteInit } from '../features/route-feature.ts'
import { type Part, partOf } from '../resource.ts'
import { callerInput, type OutboundBase, samePart } from './outbound-base.ts'
import { type CallerScope, claimants, type Scope, servicesFor } from './scope.ts'

export interface OrphanKey {
  readonly client: string
  readonly imports: Scope['imports']
  readonly ports: readonly number[]
  readonly caller: CallerScope
  readonly headers: HostHeaders
}

/** The routes of a VirtualService on a port, as a caller gets them. */
export function routesFrom(
  { resolve, settings }: OutboundBase,
  context: Context,
  vs: VirtualService,
  port: number,
  key: { readonly caller: CallerScope; readonly client: string; readonly selectedRules: readonly string[] },
): readonly RouteInit[] {
  return virtualServiceRoutes({
    virtualService: vs,
    settings: settings(context),
    listenPort: port,
    caller: callerInput(key.caller),
    resolve: (destination) => resolve(context, key, destination, port),
  })
}

/** Who asks for such hosts. */
export type OrphanQuery = Pick<OrphanKey, 'client' | 'imports' | 'caller'>

/**
 * Hosts of VirtualServices that no service has: on the ports of the VirtualService's other hosts, which a Sidecar may have
 * narrowed, else on port 80.
 */
export function createOrphanHosts(base: OutboundBase): Family<Interned<OrphanKey>, Part> {
  return new Family<Interned<OrphanKey>, Part>(
    'orphanHosts',
    (context, { value: key }) => {
      const resources = new Map<string, Resource>()
      for (const vs of speaking(key, context.list(base.model.virtualServices, 'gateway', MESH_GATEWAY))) {
        const served = servedHosts(base, context, key, vs)
        for (const port of key.ports) {
          for (const host of orphansOf(served, port)) {
            const name = `${host}:${port}`
            if (resources.has(name)) continue
            const routes = routesFrom(base, context, vs, port, { ...key, selectedRules: [] })
            // One without routes for the caller leaves the host to the next.
            if (routes.length > 0) resources.set(name, virtualHostResource(String(port), name, [domainOf(host)], routes, key.headers))
          }
        }
      }
      return partOf(resources.values())
    },
    samePart,
  )
}

/** Whether a host is such a one on a port, and has routes for the caller. */
export function isOrphanHost(base: OutboundBase, context: Context, query: OrphanQuery, host: string, port: number): boolean {
  const naming = context.list(base.model.virtualServices, 'host', host).filter((vs) => vs.gateways.includes(MESH_GATEWAY))
  return speaking(query, naming).some(
    (vs) =>
      orphansOf(servedHosts(base, context, query, vs), port).includes(host) &&
      routesFrom(base, context, vs, port, { ...query, selectedRules: [] }).length > 0,
  )
}

/** Of VirtualServices those with routes that a client sees, by precedence. Routes of the Gateway API speak of their services alone. */
function speaking({ client, imports }: OrphanQuery, all: readonly VirtualService[]): readonly VirtualService[] {
  return all
    .filter(
      (vs) =>
        vs.semantics !== 'gateway-api' &&
        visibleTo(vs.visibility, client) &&
        vs.spec.http?.length &&
        vs.hosts.some((host) => importsHost(imports, vs.namespace, host)),
    )
    .sort(byPrecedence(client))
}

interface ServedHost {
  readonly host: string
  readonly ports: ReadonlySet<number>
}

const servedHosts = ({ model }: OutboundBase, context: Context, query: OrphanQuery, { hosts }: VirtualService): readonly ServedHost[] =>
  hosts.map((host) => ({ host, ports: portsServing(model, context, query, host) }))

/** The hosts of a VirtualService that no service has on a port where the VirtualService is heard. */
function orphansOf(served: readonly ServedHost[], port: number): readonly string[] {
  if (port !== 80 && !served.some(({ ports }) => ports.has(port))) return []
  return served
    .filter(({ host, ports }) => host !== '*' && !ports.has(port) && !(isWildcard(host) && ports.size > 0))
    .map(({ host }) => host)
}

/** Ports on which services with a host, or under a wildcard, are called by HTTP. */
function portsServing(model: MeshModel, context: Context, key: OrphanQuery, host: string): ReadonlySet<number> {
  const under = isWildcard(host)
    ? [...context.list(model.kubernetesServices, 'pattern', host), ...context.list(model.serviceEntries, 'pattern', host)]
    : []
  const seen = [...claimants(context, model, host), ...under].filter(
    (service) => visibleTo(service.visibility, key.client) && importsService(key.imports, service),
  )
  const concrete = seen.flatMap((service) =>
    service.resolution === 'alias' && service.externalName ? servicesFor(context, model, key, service.externalName) : [service],
  )
  return new Set(
    concrete.flatMap((service) =>
      service.ports.filter((port) => isHttp(port.protocol) || port.protocol === 'auto').map((port) => port.number),
    ),
  )
}
