/**
 * Outgoing traffic on the graph: clusters, endpoints, listeners and routes, in chunks by service namespace, so that a change looks
 * at one chunk and every scope that sees the chunk alike shares it.
 */
import type { Destination } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type FamilyKey, type Graph, type Interned } from '@lateen/graph'
import {
  bytesVirtualServicesFor,
  type EffectiveRule,
  type Endpoint,
  effectiveRule,
  importsHost,
  isHttp,
  isWildcard,
  MESH_GATEWAY,
  type MeshModel,
  modeOfPort,
  namespaceOfHost,
  peerPolicyOf,
  portOf,
  type Service,
  type ServicePort,
  settingsOf,
  type VirtualService,
  virtualServiceFor,
  visibleTo,
} from '@lateen/model'
import { outboundClusters } from '../builders/cluster.ts'
import { assignmentInit, loadAssignment } from '../builders/endpoints.ts'
import { outboundListeners, type PortService, sniffedRouteName, virtualOutbound } from '../builders/outbound-listeners.ts'
import { defaultRoute, virtualServiceRoutes } from '../builders/routes.ts'
import { policyOf } from '../builders/traffic-policy.ts'
import { upstreamVersion } from '../builders/upstream-protocol.ts'
import {
  catchAll,
  hostDomains,
  routeConfiguration,
  serviceDomains,
  virtualHostInit,
  virtualHostResource,
  wholeRouteConfiguration,
} from '../builders/virtual-hosts.ts'
import { asksForNearness, type Near, nearnessOf } from '../features/locality/locality.ts'
import type { RouteInit, Target } from '../features/route-feature.ts'
import { clusterName, spiffeId } from '../names.ts'
import { equalParts, equalResources, type Part, partOf } from '../resource.ts'
import { bytesRoutes } from './bytes-routes.ts'
import {
  type CallerScope,
  type ChunkScope,
  claimants,
  ownPorts,
  type Scope,
  type Scopes,
  serviceFor,
  servicesFor,
  type Viewer,
} from './scope.ts'

/** One port of a service in a chunk: what its resources are keyed by. */
interface PortKey {
  readonly service: string
  readonly port: number
  readonly client: string
  readonly gateway: boolean
  readonly selectedRules: readonly string[]
}

/** Where the client is, for ports whose policy looks at it: endpoints are ranked by it. */
interface EndpointKey extends PortKey {
  readonly near: Near | undefined
}

/** A chunk with the client's place, for what endpoints are in. */
interface NearChunk {
  readonly chunk: ChunkScope
  readonly near: Near | undefined
}

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

interface ListenerKey {
  readonly scope: Scope
  readonly caller: CallerScope
  readonly port: number
}

interface ConfigurationKey {
  readonly port: number
  readonly allowAny: boolean
  readonly vhds: boolean
}

interface OrphanKey {
  readonly client: string
  readonly imports: Scope['imports']
  readonly ports: readonly number[]
  readonly caller: CallerScope
}

/** Called with a family and with what tells whether one of its values holds a resource. */
export type ResourceVisitor = <K extends FamilyKey, V>(family: Family<K, V>, holds: (value: V, resource: Resource) => boolean) => void

const inList = (list: readonly Resource[], wanted: Resource): boolean => list.some((resource) => equalResources(resource, wanted))

/** Whether a part holds a resource in the same version. */
export const inPart = (part: Part, wanted: Resource): boolean => equalResources(part.get(wanted.name), wanted)

/** What the routes of a proxy depend on, besides the services: proxies of one namespace share it. */
export interface RouteClass {
  readonly scope: Scope
  readonly caller: CallerScope
  readonly namespace: string
  readonly vhds: boolean
}

/** What the listeners of a proxy depend on. */
export interface ListenerScope {
  readonly scope: Scope
  /** Of routes of bytes. */
  readonly caller: CallerScope
}

export interface RouteParts {
  readonly routes: readonly Part[]
  readonly virtualHosts: readonly Part[]
}

/** Parts that hold all resources of a type in a scope; the list is the same object as long as its parts are. */
export type PartsFamily<K> = Family<Interned<K>, readonly Part[]>

export interface Outbound {
  readonly clusters: PartsFamily<Scope>
  readonly endpoints: PartsFamily<Scope>
  readonly listeners: PartsFamily<ListenerScope>
  readonly routes: Family<Interned<RouteClass>, RouteParts>
  /** Where a destination leads, for routes of gateways too. */
  resolve(context: Context, client: string, destination: Destination, listenPort: number): Target
  /** Services of a namespace as a client sees them. */
  readonly servicesOf: Family<Interned<ChunkScope>, readonly Service[]>
  /** Shows every family in which resources are made: what leads from a resource back to its objects. */
  visitResources(visit: ResourceVisitor): void
}

const samePart = { equal: equalParts }
const sameResources = {
  equal: (a: readonly Resource[], b: readonly Resource[]) =>
    a.length === b.length && a.every((resource, i) => equalResources(resource, b[i])),
}

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: families that read each other stand in one closure, each a few lines long
export function createOutbound(graph: Graph, model: MeshModel, scopes: Scopes): Outbound {
  const settings = (context: Context) => settingsOf(context, model.inputs)
  const find = (context: Context, key: string): Service | undefined =>
    context.get(model.kubernetesServices, key) ?? context.get(model.serviceEntries, key)

  const servicesOf = new Family<Interned<ChunkScope>, readonly Service[]>('services', (context, { value: chunk }) => {
    const all = [
      ...context.list(model.kubernetesServices, 'namespace', chunk.namespace),
      ...context.list(model.serviceEntries, 'namespace', chunk.namespace),
    ]
    return all.flatMap((service) => {
      const ports = ownPorts(context, model, chunk, service)
      if (ports.length === 0 && service.resolution !== 'alias') return []
      return [ports.length === service.ports.length ? service : { ...service, ports }]
    })
  })

  const ruleFor = (context: Context, service: Service, key: Pick<PortKey, 'client' | 'selectedRules'>): EffectiveRule | undefined =>
    effectiveRule(context, model.inputs, model.destinationRules, {
      client: key.client,
      host: service.host,
      namespace: service.namespace,
      selected: key.selectedRules,
    })

  const portKeys = (chunk: ChunkScope, service: Service): Interned<PortKey>[] =>
    (service.resolution === 'alias' ? [] : service.ports)
      .filter((port) => port.protocol !== 'udp')
      .map((port) =>
        graph.intern<PortKey>({
          service: service.key,
          port: port.number,
          client: chunk.client,
          gateway: chunk.gateway,
          selectedRules: chunk.selectedRules,
        }),
      )

  /** Identities of a port's endpoints; they change seldom, so that endpoints come and go without touching the cluster. */
  const identities = new Family<string, readonly string[]>('identities', (context, key) => {
    const { trustDomain, trustDomainAliases } = settings(context)
    const accounts = context.read(model.endpoints, key).filter((endpoint) => endpoint.serviceAccount !== '')
    const ids = accounts.flatMap((endpoint) =>
      [trustDomain, ...trustDomainAliases].map((domain) => spiffeId(domain, endpoint.namespace, endpoint.serviceAccount)),
    )
    return [...new Set(ids)].sort()
  })

  /** A workload that may use mutual TLS does not where a policy turns it off: clients must send plain text. */
  const asServed = (context: Context, endpoint: Endpoint): Endpoint => {
    if (endpoint.tlsMode !== 'istio') return endpoint
    const policy = peerPolicyOf(context, model.inputs, model.peerPolicies, endpoint.namespace, endpoint.labels)
    return modeOfPort(policy, endpoint.port) === 'DISABLE' ? { ...endpoint, tlsMode: '' } : endpoint
  }

  /** Whether all endpoints of a port take mutual TLS; changes seldom, as identities do. */
  const allMutual = new Family<string, 'all' | 'some'>('allMutual', (context, key) => {
    const endpoints = context.read(model.endpoints, key)
    return endpoints.length > 0 && endpoints.every((endpoint) => asServed(context, endpoint).tlsMode === 'istio') ? 'all' : 'some'
  })

  /** Keys of a service's ports; the client's place is in them where the policy looks at it. */
  const endpointKeys = (context: Context, { chunk, near }: NearChunk, service: Service): Interned<EndpointKey>[] =>
    portKeys(chunk, service).map(({ value: key }) => {
      const rule = near && ruleFor(context, service, key)
      const policies = near
        ? ['', ...(rule?.subsets ?? []).map((subset) => subset.name)].map((subset) => policyOf(rule, subset, key.port))
        : []
      const asks = policies.some((policy) => asksForNearness(policy, service, settings(context)))
      return graph.intern<EndpointKey>({ ...key, near: asks ? near : undefined })
    })

  const clusters = new Family<Interned<EndpointKey>, readonly Resource[]>(
    'clusters',
    (context, { value: key }) => {
      const service = find(context, key.service)
      const port = service && portOf(service, key.port)
      if (!service || !port) return []
      const rule = ruleFor(context, service, key)
      const endpointKey = `${service.key}|${port.number}`
      const labels = (subset: string) => rule?.subsets.find((candidate) => candidate.name === subset)?.labels ?? {}
      return outboundClusters({
        service,
        port,
        rule,
        settings: settings(context),
        gateway: key.gateway,
        identities: service.external ? [] : context.read(identities, endpointKey),
        allMutual: !service.external && context.read(allMutual, endpointKey) === 'all',
        assignment: (subset) =>
          assignmentInit({
            cluster: clusterName('outbound', port.number, subset, service.host),
            endpoints: context.read(model.endpoints, endpointKey),
            labels: labels(subset),
            nearness: nearnessOf(policyOf(rule, subset, port.number), service, settings(context), key.near),
          }),
      })
    },
    sameResources,
  )

  const clusterChunk = new Family<Interned<NearChunk>, Part>(
    'clusterChunk',
    (context, { value: chunk }) =>
      partOf(
        context
          .read(servicesOf, graph.intern(chunk.chunk))
          .flatMap((service) => endpointKeys(context, chunk, service).flatMap((key) => context.read(clusters, key))),
      ),
    samePart,
  )

  const assignments = new Family<Interned<EndpointKey>, readonly Resource[]>(
    'assignments',
    (context, { value: key }) => {
      const service = find(context, key.service)
      if (!service || !(service.resolution === 'static' || (service.resolution === 'passthrough' && key.gateway))) return []
      const endpoints = context.read(model.endpoints, `${service.key}|${key.port}`).map((endpoint) => asServed(context, endpoint))
      const rule = ruleFor(context, service, key)
      return [{ name: '', labels: {} }, ...(rule?.subsets ?? [])].map((subset) =>
        loadAssignment({
          cluster: clusterName('outbound', key.port, subset.name, service.host),
          endpoints,
          labels: subset.labels ?? {},
          nearness: nearnessOf(policyOf(rule, subset.name, key.port), service, settings(context), key.near),
        }),
      )
    },
    sameResources,
  )

  const endpointChunk = new Family<Interned<NearChunk>, Part>(
    'endpointChunk',
    (context, { value: chunk }) =>
      partOf(
        context
          .read(servicesOf, graph.intern(chunk.chunk))
          .flatMap((service) => endpointKeys(context, chunk, service).flatMap((key) => context.read(assignments, key))),
      ),
    samePart,
  )

  const listeners = new Family<Interned<ListenerKey>, Part>(
    'listeners',
    (context, { value: { scope, caller, port } }) => {
      const text = String(port)
      const all = [...context.list(model.kubernetesServices, 'port', text), ...context.list(model.serviceEntries, 'port', text)]
      const seen = all.flatMap((service): PortService[] => {
        const chunk = scopes.chunk(scope, service.namespace).value
        const servicePort =
          service.resolution === 'alias'
            ? undefined
            : ownPorts(context, model, chunk, service).find((candidate) => candidate.number === port)
        if (!servicePort) return []
        if (isHttp(servicePort.protocol)) return [{ service, port: servicePort, addresses: [], routes: [], target: undefined }]
        const goTo = (destination: Destination) => resolve(context, chunk.client, destination, port, chunk.selectedRules)
        const { routes, complete } = bytesRoutes({
          virtualServices: bytesVirtualServicesFor(context, model.virtualServices, { client: chunk.client, host: service.host }),
          protocol: servicePort.protocol,
          port,
          caller: callerInput(caller),
          resolve: goTo,
        })
        const target = complete ? undefined : { target: goTo({ host: service.host, port: { number: port } }), subset: '', weight: 1 }
        return [{ service, port: servicePort, addresses: addressesOf(context, scope, service, port), routes, target }]
      })
      seen.sort((a, b) =>
        a.service.created < b.service.created ? -1 : a.service.created > b.service.created ? 1 : a.service.key < b.service.key ? -1 : 1,
      )
      return partOf(outboundListeners({ port, services: seen, settings: settings(context), allowAny: scope.allowAny }))
    },
    samePart,
  )

  /** Addresses that clients dial for a port of bytes: those of its pods where a service has none. */
  const addressesOf = (context: Context, scope: Scope, service: Service, port: number): readonly string[] => {
    if (service.addresses.length > 0) return service.addresses
    if (service.headless) return context.read(model.endpoints, `${service.key}|${port}`).map((endpoint) => endpoint.address)
    return scope.autoAddresses ? service.autoAddresses : []
  }

  const outboundListener = new Family<string, Part>(
    'virtualOutbound',
    (context, allow) => partOf([virtualOutbound(settings(context), allow === 'allow')]),
    samePart,
  )

  const resolve = (
    context: Context,
    client: string,
    destination: Destination,
    listenPort: number,
    selectedRules: readonly string[] = [],
  ): Target => {
    const viewer: Viewer = { client, imports: undefined }
    const meant = serviceFor(context, model, viewer, destination.host, destination.port?.number)
    const concrete =
      meant?.resolution === 'alias' && meant.externalName
        ? serviceFor(context, model, viewer, meant.externalName, destination.port?.number)
        : undefined
    const service = concrete ?? meant
    const only = service?.ports.length === 1 ? service.ports[0]?.number : undefined
    const port = destination.port?.number ?? only ?? listenPort
    const rule = service && ruleFor(context, service, { client, selectedRules })
    const servicePort = service && portOf(service, port)
    return {
      cluster: clusterName('outbound', port, destination.subset ?? '', concrete?.host ?? destination.host),
      service,
      port,
      rule,
      followsCaller:
        servicePort !== undefined &&
        upstreamVersion(servicePort, policyOf(rule, destination.subset ?? '', port), settings(context)) === 'caller',
    }
  }

  const callerInput = (caller: CallerScope) => ({ gateways: [MESH_GATEWAY], namespace: caller.namespace, labels: caller.labels })

  /** The routes of a service's port: its VirtualService's, else the one to itself. */
  const routesOf = (context: Context, service: Service, port: ServicePort, key: RouteKey): readonly RouteInit[] => {
    const vs = virtualServiceFor(context, model.virtualServices, { client: key.client, host: service.host })
    const own = () => resolve(context, key.client, { host: service.host, port: { number: port.number } }, port.number, key.selectedRules)
    if (!vs?.spec.http?.length) return [defaultRoute(own(), settings(context))]
    return routesFrom(context, vs, port.number, key)
  }

  const routesFrom = (
    context: Context,
    vs: VirtualService,
    port: number,
    key: Pick<RouteKey, 'caller' | 'client' | 'selectedRules'>,
  ): readonly RouteInit[] =>
    virtualServiceRoutes({
      virtualService: vs,
      settings: settings(context),
      listenPort: port,
      caller: callerInput(key.caller),
      resolve: (destination) => resolve(context, key.client, destination, port, key.selectedRules),
    })

  const inPortRoutes = (service: Service, port: ServicePort): boolean =>
    isHttp(port.protocol) || (port.protocol === 'auto' && service.addresses.length === 0)

  const virtualHost = new Family<Interned<RouteKey>, readonly Resource[]>(
    'virtualHost',
    (context, { value: key }) => {
      const service = find(context, key.service)
      const port = service && portOf(service, key.port)
      if (!service || !port || !inPortRoutes(service, port)) return []
      const { domain } = settings(context)
      const name = (host: string) => `${host}:${port.number}`
      const configuration = String(port.number)
      // A VirtualService for another name of the service speaks for that name alone.
      const aliases = context
        .list(model.kubernetesServices, 'alias', service.host)
        .filter((alias) => visibleTo(alias.visibility, key.client))
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
      const hosts = [{ host: service.host, domains: [...new Set(names)], routes: routesOf(context, service, port, key) }]
      for (const [host, vs] of spoken) hosts.push({ host, domains: [host], routes: routesFrom(context, vs, port.number, key) })
      return hosts
        .filter(({ routes }) => routes.length > 0)
        .map(({ host, domains, routes }) => virtualHostResource(configuration, name(host), domains, routes))
    },
    sameResources,
  )

  const sniffedRoutes = new Family<Interned<RouteKey>, readonly Resource[]>(
    'sniffedRoutes',
    (context, { value: key }) => {
      const service = find(context, key.service)
      const port = service && portOf(service, key.port)
      if (!service || !port || port.protocol !== 'auto') return []
      const name = sniffedRouteName(service, port.number)
      return [wholeRouteConfiguration(name, [virtualHostInit(name, ['*'], routesOf(context, service, port, key))])]
    },
    sameResources,
  )

  const routeKeys = (scope: RoutesScope, service: Service) =>
    portKeys(scope.chunk, service).map((key) => graph.intern<RouteKey>({ ...key.value, local: scope.local, caller: scope.caller }))

  const virtualHostChunk = new Family<Interned<RoutesScope>, Part>(
    'virtualHostChunk',
    (context, { value: scope }) =>
      partOf(
        context
          .read(servicesOf, graph.intern(scope.chunk))
          .flatMap((service) => routeKeys(scope, service).flatMap((key) => context.read(virtualHost, key))),
      ),
    samePart,
  )

  const sniffedChunk = new Family<Interned<RoutesScope>, Part>(
    'sniffedChunk',
    (context, { value: scope }) =>
      partOf(
        context
          .read(servicesOf, graph.intern(scope.chunk))
          .flatMap((service) => routeKeys(scope, service).flatMap((key) => context.read(sniffedRoutes, key))),
      ),
    samePart,
  )

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

  const configuration = new Family<Interned<ConfigurationKey>, Part>(
    'routeConfiguration',
    (context, { value: key }) =>
      partOf([routeConfiguration(String(key.port), catchAll(settings(context), key.allowAny), { vhds: key.vhds })]),
    samePart,
  )

  /**
   * Hosts of VirtualServices that no service has: on the ports of the VirtualService's other hosts, which a Sidecar may have
   * narrowed, else on port 80.
   */
  const orphanHosts = new Family<Interned<OrphanKey>, Part>(
    'orphanHosts',
    (context, { value: key }) => {
      const candidates = context
        .list(model.virtualServices, 'gateway', MESH_GATEWAY)
        .filter((vs) => visibleTo(vs.visibility, key.client) && vs.spec.http?.length)
      const resources: Resource[] = []
      for (const vs of candidates) {
        if (!vs.hosts.some((host) => importsHost(key.imports, vs.namespace, host))) continue
        const served = vs.hosts.map((host) => ({ host, ports: portsServing(context, key, host) }))
        const holds = (host: string) => virtualServiceFor(context, model.virtualServices, { client: key.client, host })?.key === vs.key
        for (const port of key.ports) {
          if (port !== 80 && !served.some(({ ports }) => ports.has(port))) continue
          for (const { host, ports } of served) {
            if (host === '*' || ports.has(port) || (isWildcard(host) && ports.size > 0) || !holds(host)) continue
            const routes = routesFrom(context, vs, port, { client: key.client, caller: key.caller, selectedRules: [] })
            if (routes.length > 0) resources.push(virtualHostResource(String(port), `${host}:${port}`, hostDomains(host), routes))
          }
        }
      }
      return partOf(resources)
    },
    samePart,
  )

  /** Ports on which services with a host, or under a wildcard, are called by HTTP. */
  const portsServing = (context: Context, key: OrphanKey, host: string): ReadonlySet<number> => {
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

  const chunksOf = new Family<Interned<Scope>, readonly Interned<ChunkScope>[]>(
    'chunks',
    (context, scope) => context.read(scopes.namespaces, '').map((namespace) => scopes.chunk(scope.value, namespace)),
    { equal: sameList },
  )

  const clusterParts = new Family<Interned<Scope>, readonly Part[]>(
    'clusterParts',
    (context, scope) =>
      context
        .read(chunksOf, scope)
        .map(({ value: chunk }) => context.read(clusterChunk, graph.intern<NearChunk>({ chunk, near: scope.value.near }))),
    { equal: sameList },
  )

  const endpointParts = new Family<Interned<Scope>, readonly Part[]>(
    'endpointParts',
    (context, scope) =>
      context
        .read(chunksOf, scope)
        .map(({ value: chunk }) => context.read(endpointChunk, graph.intern<NearChunk>({ chunk, near: scope.value.near }))),
    { equal: sameList },
  )

  const listenerParts = new Family<Interned<ListenerScope>, readonly Part[]>(
    'listenerParts',
    (context, { value: { scope, caller } }) => {
      const ports = new Set([...context.texts(model.kubernetesServices, 'port'), ...context.texts(model.serviceEntries, 'port')])
      const numbers = [...ports].map(Number).sort((a, b) => a - b)
      return [
        ...(scope.captured ? [context.read(outboundListener, scope.allowAny ? 'allow' : 'block')] : []),
        ...numbers.map((port) => context.read(listeners, graph.intern<ListenerKey>({ scope, caller, port }))),
      ]
    },
    { equal: sameList },
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
    servicesOf,
    resolve,
    visitResources: (visit) => {
      visit(clusters, inList)
      visit(assignments, inList)
      visit(virtualHost, inList)
      visit(sniffedRoutes, inList)
      visit(listeners, inPart)
      visit(orphanHosts, inPart)
    },
    clusters: clusterParts,
    endpoints: endpointParts,
    listeners: listenerParts,
    routes: routeParts,
  }
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean => a.length === b.length && a.every((item, i) => item === b[i])
