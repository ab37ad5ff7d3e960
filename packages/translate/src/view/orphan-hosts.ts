/** Hosts of VirtualServices that no service has, and routes from a VirtualService to destinations that a client sees. */
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type Interned } from '@lateen/graph'
import { byAge, importsHost, isHttp, isWildcard, MESH_GATEWAY, type MeshModel, type VirtualService, visibleTo } from '@lateen/model'
import { virtualServiceRoutes } from '../builders/routes.ts'
import { type HostHeaders, hostDomains, virtualHostResource } from '../builders/virtual-hosts.ts'
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
    resolve: (destination) => resolve(context, key.client, destination, port, key.selectedRules),
  })
}

/**
 * Hosts of VirtualServices that no service has: on the ports of the VirtualService's other hosts, which a Sidecar may have
 * narrowed, else on port 80.
 */
export function createOrphanHosts(base: OutboundBase): Family<Interned<OrphanKey>, Part> {
  const { model } = base
  return new Family<Interned<OrphanKey>, Part>(
    'orphanHosts',
    (context, { value: key }) => {
      const candidates = context
        .list(model.virtualServices, 'gateway', MESH_GATEWAY)
        .filter((vs) => visibleTo(vs.visibility, key.client) && vs.spec.http?.length)
        .sort(byAge)
      const resources = new Map<string, Resource>()
      for (const vs of candidates) {
        if (!vs.hosts.some((host) => importsHost(key.imports, vs.namespace, host))) continue
        const served = vs.hosts.map((host) => ({ host, ports: portsServing(model, context, key, host) }))
        for (const port of key.ports) {
          if (port !== 80 && !served.some(({ ports }) => ports.has(port))) continue
          for (const { host, ports } of served) {
            const name = `${host}:${port}`
            if (host === '*' || ports.has(port) || (isWildcard(host) && ports.size > 0) || resources.has(name)) continue
            const routes = routesFrom(base, context, vs, port, { client: key.client, caller: key.caller, selectedRules: [] })
            // One without routes for the caller leaves the host to the next.
            if (routes.length > 0) resources.set(name, virtualHostResource(String(port), name, hostDomains(host), routes, key.headers))
          }
        }
      }
      return partOf(resources.values())
    },
    samePart,
  )
}

/** Ports on which services with a host, or under a wildcard, are called by HTTP. */
function portsServing(model: MeshModel, context: Context, key: OrphanKey, host: string): ReadonlySet<number> {
  const under = isWildcard(host)
    ? [...context.list(model.kubernetesServices, 'pattern', host), ...context.list(model.serviceEntries, 'pattern', host)]
    : []
  const seen = [...claimants(context, model, host), ...under].filter(
    (service) => visibleTo(service.visibility, key.client) && importsHost(key.imports, service.namespace, service.host),
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
