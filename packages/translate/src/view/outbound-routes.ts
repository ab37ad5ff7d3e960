/** Routes of outgoing traffic on the graph: virtual hosts by service namespace, and the configurations that they belong to. */
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type Interned } from '@lateen/graph'
import { isHttp, namespaceOfHost, portOf, type Service, type ServicePort, virtualServiceFor, visibleTo } from '@lateen/model'
import { sniffedRouteName } from '../builders/outbound-listeners.ts'
import { defaultRoute } from '../builders/routes.ts'
import {
  catchAll,
  routeConfiguration,
  serviceDomains,
  virtualHostInit,
  virtualHostResource,
  wholeRouteConfiguration,
} from '../builders/virtual-hosts.ts'
import type { RouteInit } from '../features/route-feature.ts'
import { type Part, partOf } from '../resource.ts'
import { createOrphanHosts, type OrphanKey, routesFrom } from './orphan-hosts.ts'
import {
  chunkPart,
  inList,
  inPart,
  type OutboundBase,
  type PortKey,
  type ResourceVisitor,
  sameList,
  samePart,
  sameResources,
} from './outbound-base.ts'
import type { CallerScope, ChunkScope, Scope } from './scope.ts'

interface RouteKey extends PortKey {
  /** The client's namespace where the service is of that namespace: short names count there. */
  readonly local: string
  readonly caller: CallerScope
}

interface RoutesScope {
  readonly chunk: ChunkScope
  readonly local: string
  readonly caller: CallerScope
}

interface ConfigurationKey {
  readonly port: number
  readonly allowAny: boolean
  readonly vhds: boolean
}

/** What the routes of a proxy depend on, besides the services: proxies of one namespace share it. */
export interface RouteClass {
  readonly scope: Scope
  readonly caller: CallerScope
  readonly namespace: string
  readonly vhds: boolean
}

export interface RouteParts {
  readonly routes: readonly Part[]
  readonly virtualHosts: readonly Part[]
}

export interface OutboundRoutes {
  readonly routes: Family<Interned<RouteClass>, RouteParts>
  visitResources(visit: ResourceVisitor): void
}

export function createOutboundRoutes(base: OutboundBase): OutboundRoutes {
  const { graph, settings, chunksOf } = base
  const { virtualHost, virtualHostChunk, sniffedRoutes, sniffedChunk } = createVirtualHosts(base)
  const { portsOfChunk, namespacesOfHosts } = createChunkFacts(base)
  const orphanHosts = createOrphanHosts(base)

  const configuration = new Family<Interned<ConfigurationKey>, Part>(
    'routeConfiguration',
    (context, { value: key }) =>
      partOf([routeConfiguration(String(key.port), catchAll(settings(context), key.allowAny), { vhds: key.vhds })]),
    samePart,
  )

  const routeParts = new Family<Interned<RouteClass>, RouteParts>(
    'routeParts',
    (context, { value: { scope, caller, namespace, vhds } }) => {
      const inView = context.read(chunksOf, graph.intern(scope))
      const ports = [...new Set(inView.flatMap((chunk) => context.read(portsOfChunk, chunk)))].sort((a, b) => a - b)
      const routeScopes = inView.map(({ value: chunk }) =>
        graph.intern<RoutesScope>({
          chunk,
          local: context.read(namespacesOfHosts, graph.intern(chunk)).includes(namespace) ? namespace : '',
          caller,
        }),
      )
      const orphans = graph.intern<OrphanKey>({ client: scope.client, imports: scope.imports, ports, caller })
      const fixed = ports.map((port) =>
        context.read(configuration, graph.intern<ConfigurationKey>({ port, allowAny: scope.allowAny, vhds })),
      )
      return {
        routes: [...fixed, ...routeScopes.map((key) => context.read(sniffedChunk, key))],
        virtualHosts: [...routeScopes.map((key) => context.read(virtualHostChunk, key)), context.read(orphanHosts, orphans)],
      }
    },
    { equal: (a, b) => sameList(a.routes, b.routes) && sameList(a.virtualHosts, b.virtualHosts) },
  )

  return {
    routes: routeParts,
    visitResources: (visit) => {
      visit(virtualHost, inList)
      visit(sniffedRoutes, inList)
      visit(orphanHosts, inPart)
    },
  }
}

/** A port whose requests are in the route configuration that all services of the port number share. */
const inPortRoutes = (service: Service, port: ServicePort): boolean =>
  isHttp(port.protocol) || (port.protocol === 'auto' && service.addresses.length === 0)

function createChunkFacts({ model, servicesOf }: OutboundBase) {
  /** Ports of a chunk that have a route configuration of their own. */
  const portsOfChunk = new Family<Interned<ChunkScope>, readonly number[]>('portsOfChunk', (context, chunk) => {
    const ports = context
      .read(servicesOf, chunk)
      .flatMap((service) => service.ports.filter((port) => inPortRoutes(service, port)).map((port) => port.number))
    return [...new Set(ports)].sort((a, b) => a - b)
  })

  /** Namespaces whose short names may mean a host of a chunk: its own, and those that hosts of entries and other names lie in. */
  const namespacesOfHosts = new Family<Interned<ChunkScope>, readonly string[]>('namespacesOfHosts', (context, chunk) => {
    const found = new Set([chunk.value.namespace])
    for (const service of context.read(servicesOf, chunk)) {
      const names = [service, ...(service.resolution === 'alias' ? [] : context.list(model.kubernetesServices, 'alias', service.host))]
      for (const { host } of names) found.add(namespaceOfHost(host) ?? chunk.value.namespace)
    }
    return [...found].sort()
  })

  return { portsOfChunk, namespacesOfHosts }
}

/** The routes of a service's port: its VirtualService's, else the one to itself. */
function routesOf(base: OutboundBase, context: Context, service: Service, port: ServicePort, key: RouteKey): readonly RouteInit[] {
  const { model, resolve, settings } = base
  const vs = virtualServiceFor(context, model.virtualServices, { client: key.client, host: service.host })
  const own = () => resolve(context, key.client, { host: service.host, port: { number: port.number } }, port.number, key.selectedRules)
  if (!vs?.spec.http?.length) return [defaultRoute(own(), settings(context))]
  return routesFrom(base, context, vs, port.number, key)
}

function createVirtualHosts(base: OutboundBase) {
  const { graph, portKeys } = base
  const routeKeys = (scope: RoutesScope, service: Service) =>
    portKeys(scope.chunk, service).map((key) => graph.intern<RouteKey>({ ...key.value, local: scope.local, caller: scope.caller }))
  const virtualHost = new Family<Interned<RouteKey>, readonly Resource[]>(
    'virtualHost',
    (context, { value: key }) => virtualHostsOf(base, context, key),
    sameResources,
  )
  const sniffedRoutes = new Family<Interned<RouteKey>, readonly Resource[]>(
    'sniffedRoutes',
    (context, { value: key }) => sniffedRoutesOf(base, context, key),
    sameResources,
  )

  const virtualHostChunk = new Family<Interned<RoutesScope>, Part>(
    'virtualHostChunk',
    (context, { value: scope }) => chunkPart(base, context, scope.chunk, (service) => routeKeys(scope, service), virtualHost),
    samePart,
  )

  const sniffedChunk = new Family<Interned<RoutesScope>, Part>(
    'sniffedChunk',
    (context, { value: scope }) => chunkPart(base, context, scope.chunk, (service) => routeKeys(scope, service), sniffedRoutes),
    samePart,
  )

  return { virtualHost, virtualHostChunk, sniffedRoutes, sniffedChunk }
}

function virtualHostsOf(base: OutboundBase, context: Context, key: RouteKey): readonly Resource[] {
  const { model, settings, find } = base
  const service = find(context, key.service)
  const port = service && portOf(service, key.port)
  if (!service || !port || !inPortRoutes(service, port)) return []
  const { domain } = settings(context)
  const name = (host: string) => `${host}:${port.number}`
  const configuration = String(port.number)
  // A VirtualService for another name of the service speaks for that name alone.
  const aliases = context.list(model.kubernetesServices, 'alias', service.host).filter((alias) => visibleTo(alias.visibility, key.client))
  const spoken = new Map(
    aliases.flatMap((alias) => {
      const vs = virtualServiceFor(context, model.virtualServices, { client: key.client, host: alias.host })
      return vs?.spec.http?.length ? [[alias.host, vs] as const] : []
    }),
  )
  const names = [
    ...serviceDomains(service, key.local, domain),
    ...aliases.flatMap((alias) => serviceDomains(alias, key.local, domain).filter((own) => !spoken.has(own))),
  ]
  const hosts = [{ host: service.host, domains: [...new Set(names)], routes: routesOf(base, context, service, port, key) }]
  for (const [host, vs] of spoken) hosts.push({ host, domains: [host], routes: routesFrom(base, context, vs, port.number, key) })
  return hosts
    .filter(({ routes }) => routes.length > 0)
    .map(({ host, domains, routes }) => virtualHostResource(configuration, name(host), domains, routes))
}

function sniffedRoutesOf(base: OutboundBase, context: Context, key: RouteKey): readonly Resource[] {
  const service = base.find(context, key.service)
  const port = service && portOf(service, key.port)
  if (!service || !port || port.protocol !== 'auto') return []
  const name = sniffedRouteName(service, port.number)
  return [wholeRouteConfiguration(name, [virtualHostInit(name, ['*'], routesOf(base, context, service, port, key))])]
}
