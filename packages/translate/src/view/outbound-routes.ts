/** Routes of outgoing traffic on the graph: virtual hosts by service namespace, and the configurations that they belong to. */
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type Interned } from '@lateen/graph'
import {
  type AddressFamilies,
  isHttp,
  namespaceOfHost,
  portOf,
  type Service,
  type ServicePort,
  UNIX,
  virtualServicesFor,
} from '@lateen/model'
import { HTTP_PROXY_ROUTES, sniffedRouteName } from '../builders/outbound-listeners.ts'
import { defaultRoute } from '../builders/routes.ts'
import {
  catchAll,
  type HostHeaders,
  hostHeaders,
  routeConfiguration,
  USUAL_HEADERS,
  type VirtualHostInit,
  virtualHostInit,
  virtualHostResource,
  wholeRouteConfiguration,
} from '../builders/virtual-hosts.ts'
import type { RouteInit } from '../features/route-feature.ts'
import { type Part, partOf } from '../resource.ts'
import { createDomains, type Domains, inPortRoutes } from './domains.ts'
import { egressViews } from './egress.ts'
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
  /** The families of the addresses that its agent's DNS gives; undefined where it answers none. */
  readonly capturesDns: AddressFamilies | undefined
  readonly caller: CallerScope
  /** What a Sidecar imports; absent for everything. */
  readonly imports: ChunkScope['imports']
  readonly headers: HostHeaders
}

interface RoutesScope {
  readonly chunk: ChunkScope
  readonly local: string
  readonly capturesDns: AddressFamilies | undefined
  readonly caller: CallerScope
  readonly headers: HostHeaders
  readonly ports: PortChoice
}

/** Ports that a Sidecar's listener is about, and ports that others of its listeners are about. */
interface PortChoice {
  readonly only: number | undefined
  readonly except: readonly number[]
}

const chosen = ({ only, except }: PortChoice, port: number): boolean => (only === undefined ? !except.includes(port) : port === only)

interface ConfigurationKey {
  readonly port: number
  readonly unknown: string
  readonly headers: HostHeaders
  readonly vhds: boolean
}

/** A route configuration of a listener that is an HTTP proxy: every port of every service is in it. */
interface ProxyRoutesKey {
  readonly name: string
  readonly routeScopes: readonly RoutesScope[]
  readonly unknown: string
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

const NO_ROUTES: RouteParts = { routes: [], virtualHosts: [] }

export function createOutboundRoutes(base: OutboundBase): OutboundRoutes {
  const { graph, chunksOf } = base
  const domains = createDomains(base)
  const { virtualHost, virtualHostChunk, sniffedRoutes, sniffedChunk } = createVirtualHosts(base, domains)
  const { portsOfChunk, namespacesOfHosts } = createChunkFacts(base)
  const orphanHosts = createOrphanHosts(base)

  const configuration = new Family<Interned<ConfigurationKey>, Part>(
    'routeConfiguration',
    (_, { value: key }) => partOf([routeConfiguration(String(key.port), catchAll(key.unknown, key.headers), { vhds: key.vhds })]),
    samePart,
  )

  const proxyRoutes = new Family<Interned<ProxyRoutesKey>, Part>(
    'proxyRoutes',
    (context, { value: key }) => partOf([proxyRouteConfiguration(base, domains, context, key)]),
    samePart,
  )

  /** The chunks that a scope sees, as routes look at them. */
  const routeScopesOf = (context: Context, { caller, namespace }: RouteClass, scope: Scope, ports: PortChoice): RoutesScope[] =>
    context.read(chunksOf, graph.intern(scope)).map(({ value: chunk }) => ({
      chunk,
      local: context.read(namespacesOfHosts, graph.intern(chunk)).includes(namespace) ? namespace : '',
      capturesDns: scope.autoAddresses ? scope.families : undefined,
      caller,
      headers: hostHeaders(scope.traffic),
      ports,
    }))

  const viewParts = (context: Context, key: RouteClass, scope: Scope, ports: PortChoice): RouteParts => {
    const routeScopes = routeScopesOf(context, key, scope, ports).map((value) => graph.intern(value))
    const inView = context.read(chunksOf, graph.intern(scope))
    const served = [...new Set(inView.flatMap((chunk) => context.read(portsOfChunk, chunk)))].sort((a, b) => a - b)
    const numbers = served.filter((port) => chosen(ports, port))
    const headers = hostHeaders(scope.traffic)
    const orphans = graph.intern<OrphanKey>({ client: scope.client, imports: scope.imports, ports: numbers, caller: key.caller, headers })
    const fixed = numbers.map((port) =>
      context.read(configuration, graph.intern<ConfigurationKey>({ port, unknown: scope.unknownHosts, headers, vhds: key.vhds })),
    )
    return {
      routes: [...fixed, ...routeScopes.map((value) => context.read(sniffedChunk, value))],
      virtualHosts: [...routeScopes.map((value) => context.read(virtualHostChunk, value)), context.read(orphanHosts, orphans)],
    }
  }

  const proxyParts = (context: Context, key: RouteClass, scope: Scope, name: string): RouteParts => {
    const routeScopes = routeScopesOf(context, key, scope, { only: undefined, except: [] })
    return {
      routes: [context.read(proxyRoutes, graph.intern<ProxyRoutesKey>({ name, routeScopes, unknown: scope.unknownHosts }))],
      virtualHosts: [],
    }
  }

  const routeParts = new Family<Interned<RouteClass>, RouteParts>(
    'routeParts',
    (context, { value: key }) => {
      const views = egressViews(key.scope)
      const except = views.flatMap(({ port }) => (port === undefined ? [] : [port]))
      const seen = new Set<number>()
      const parts = views.map(({ scope, port, protocol, bind }): RouteParts => {
        if (port === undefined) return viewParts(context, key, scope, { only: undefined, except })
        if (bind.startsWith(UNIX)) return proxyParts(context, key, scope, bind)
        // Of two listeners for one port the first says what is behind it.
        if (seen.has(port) || !(isHttp(protocol) || protocol === 'auto')) return NO_ROUTES
        seen.add(port)
        return protocol === 'http_proxy'
          ? proxyParts(context, key, scope, String(port))
          : viewParts(context, key, scope, { only: port, except: [] })
      })
      if (key.scope.httpProxyPort) parts.push(proxyParts(context, key, { ...key.scope, egress: undefined }, HTTP_PROXY_ROUTES))
      return { routes: parts.flatMap(({ routes }) => routes), virtualHosts: parts.flatMap(({ virtualHosts }) => virtualHosts) }
    },
    { equal: (a, b) => sameList(a.routes, b.routes) && sameList(a.virtualHosts, b.virtualHosts) },
  )

  return {
    routes: routeParts,
    visitResources: (visit) => {
      visit(virtualHost, inList)
      visit(sniffedRoutes, inList)
      visit(proxyRoutes, inPart)
      visit(orphanHosts, inPart)
    },
  }
}

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
  const { resolve, settings } = base
  const own = () => resolve(context, key, { host: service.host, port: { number: port.number } }, port.number)
  return spokenRoutes(base, context, service.host, port.number, key) ?? [defaultRoute(own(), settings(context))]
}

/** The routes of the first VirtualService for a host that has any for the caller; undefined when none has. */
function spokenRoutes(base: OutboundBase, context: Context, host: string, port: number, key: RouteKey): readonly RouteInit[] | undefined {
  const { client, imports } = key
  for (const vs of virtualServicesFor(context, base.model.virtualServices, { client, host, imports })) {
    const routes = routesFrom(base, context, vs, port, key)
    if (routes.length > 0) return routes
  }
  return undefined
}

function routeKeysOf(
  { portKeys }: OutboundBase,
  { chunk, local, capturesDns, caller, headers, ports }: RoutesScope,
  service: Service,
): RouteKey[] {
  return portKeys(chunk, service)
    .filter(({ value }) => chosen(ports, value.port))
    .map(({ value }) => ({ ...value, local, capturesDns, caller, headers, imports: chunk.imports }))
}

function createVirtualHosts(base: OutboundBase, domains: Domains) {
  const { graph } = base
  const routeKeys = (scope: RoutesScope, service: Service) => routeKeysOf(base, scope, service).map((key) => graph.intern(key))
  const virtualHost = new Family<Interned<RouteKey>, readonly Resource[]>(
    'virtualHost',
    (context, { value: key }) => virtualHostsOf(base, domains, context, key),
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

/**
 * Requests to a proxy name host and port of their destination; port 80 may be left out. A name that two services have is the first's,
 * by host.
 */
function proxyRouteConfiguration(
  base: OutboundBase,
  domains: Domains,
  context: Context,
  { name, routeScopes, unknown }: ProxyRoutesKey,
): Resource {
  const { graph, servicesOf } = base
  const taken = new Set<string>()
  const hosts = routeScopes.flatMap((scope) =>
    context.read(servicesOf, graph.intern(scope.chunk)).flatMap((service) =>
      routeKeysOf(base, scope, service).flatMap((key) => {
        const port = portOf(service, key.port)
        if (!port || !(isHttp(port.protocol) || port.protocol === 'auto')) return []
        const names = domains.of(context, key, service, port)
        const free = [...(port.number === 80 ? names : []), ...names.map((host) => `${host}:${port.number}`)].filter(
          (host) => !taken.has(host),
        )
        for (const host of free) taken.add(host)
        const routes = free.length > 0 ? routesOf(base, context, service, port, key) : []
        return routes.length > 0 ? [virtualHostInit(`${service.host}:${port.number}`, free, routes, key.headers)] : []
      }),
    ),
  )
  const headers = routeScopes[0]?.headers ?? USUAL_HEADERS
  return wholeRouteConfiguration(name, [...hosts.sort(byName), catchAll(unknown, headers)], { matchPorts: true })
}

const byName = (a: VirtualHostInit, b: VirtualHostInit): number => ((a.name ?? '') < (b.name ?? '') ? -1 : 1)

function virtualHostsOf(base: OutboundBase, domains: Domains, context: Context, key: RouteKey): readonly Resource[] {
  const { find } = base
  const service = find(context, key.service)
  const port = service && portOf(service, key.port)
  if (!service || !port || !inPortRoutes(service, port)) return []
  const name = (host: string) => `${host}:${port.number}`
  const configuration = String(port.number)
  const aliases = domains.aliasesOf(context, key, service, port)
  // A VirtualService for another name of the service speaks for that name alone.
  const spoken = new Map(
    aliases.flatMap((alias) => {
      const routes = spokenRoutes(base, context, alias.host, port.number, key)
      return routes ? [[alias.host, routes] as const] : []
    }),
  )
  const names = [
    ...domains.of(context, key, service, port),
    ...aliases.flatMap((alias) => domains.of(context, key, alias, port).filter((own) => !spoken.has(own))),
  ]
  const hosts = [{ host: service.host, domains: [...new Set(names)], routes: routesOf(base, context, service, port, key) }]
  for (const [host, routes] of spoken) hosts.push({ host, domains: [host], routes })
  return hosts
    .filter(({ routes }) => routes.length > 0)
    .map(({ host, domains: own, routes }) => virtualHostResource(configuration, name(host), own, routes, key.headers))
}

function sniffedRoutesOf(base: OutboundBase, context: Context, key: RouteKey): readonly Resource[] {
  const service = base.find(context, key.service)
  const port = service && portOf(service, key.port)
  if (!service || !port || port.protocol !== 'auto') return []
  const name = sniffedRouteName(service, port.number)
  return [wholeRouteConfiguration(name, [virtualHostInit(name, ['*'], routesOf(base, context, service, port, key), key.headers)])]
}
