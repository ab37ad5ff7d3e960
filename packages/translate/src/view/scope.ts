/**
 * Scopes: what of a proxy the translation of outgoing traffic depends on, and nothing more. Proxies whose scopes are equal share
 * every resource made from them. A scope is computed by reading; the translation behind it sees only the scope.
 */
import type { VirtualServiceSpec } from '@lateen/api'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import {
  type AddressFamilies,
  type EgressListener,
  familiesOf,
  type Import,
  importsOf,
  importsPort,
  importsService,
  inboundPort,
  isIpv6,
  isWildcard,
  type MeshModel,
  type MeshProxy,
  type MeshSettings,
  NOWHERE,
  namespaceOfHost,
  outboundPort,
  type ProxyTraffic,
  policiesOf,
  resolveHost,
  type Service,
  type ServicePort,
  type SidecarConfig,
  selects,
  settingsOf,
  sidecarFor,
  trafficOf,
  visibleTo,
} from '@lateen/model'
import { askedLabels, type Near } from '../features/locality/locality.ts'
import { BLACK_HOLE, clusterName, PASSTHROUGH, RESOLVED } from '../names.ts'

/** Every service namespace. */
export const EVERYWHERE = '*'

export interface Scope {
  /** The proxy's namespace where that namespace sees something of its own; empty for all others, which see the same. */
  readonly client: string
  /** Service namespaces in which the client's view differs from everyone's. */
  readonly touched: readonly string[]
  /** What a Sidecar object imports; absent for everything. */
  readonly imports: readonly Import[] | undefined
  /** Its listeners, one by one; absent for one that takes every port. */
  readonly egress: readonly EgressListener[] | undefined
  /** The cluster to which everything goes that is for nobody known; the black hole where that is refused. */
  readonly unknown: string
  /** The same for requests, whose host may be looked up. */
  readonly unknownHosts: string
  readonly traffic: ProxyTraffic
  /** Port of a listener that is an HTTP proxy; 0 for none. */
  readonly httpProxyPort: number
  /** Connections are captured with their addresses left as they are. */
  readonly transparent: boolean
  /** Outgoing connections are captured and come by one listener for all addresses. */
  readonly captured: boolean
  /** Ports that the proxy itself listens on, at every address. */
  readonly reservedPorts: readonly number[]
  readonly gateway: boolean
  /** The agent answers DNS: hosts without an address have one of ours. */
  readonly autoAddresses: boolean
  /** Rules that select the client by its labels. */
  readonly selectedRules: readonly string[]
  /** What the client can reach. */
  readonly families: AddressFamilies
  /** Where the client is, where some rule asks for it. */
  readonly near: Near | undefined
}

/** What routes may ask of the caller, reduced to what some route does ask. */
export interface CallerScope {
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
}

/** One service namespace as seen in a scope. */
export interface ChunkScope {
  readonly client: string
  readonly namespace: string
  readonly imports: readonly Import[] | undefined
  readonly gateway: boolean
  readonly selectedRules: readonly string[]
}

export interface Scopes {
  readonly touched: Family<string, readonly string[]>
  readonly scopeOf: Family<Interned<MeshProxy>, Interned<Scope>>
  readonly callerOf: Family<Interned<MeshProxy>, Interned<CallerScope>>
  /** The same for routes of bytes, which listeners are made from. */
  readonly bytesCallerOf: Family<Interned<MeshProxy>, Interned<CallerScope>>
  readonly namespaces: Family<string, readonly string[]>
  chunk(scope: Scope, namespace: string): Interned<ChunkScope>
}

export function createScopes(graph: Graph, model: MeshModel): Scopes {
  const touched = new Family<string, readonly string[]>('touched', (context, namespace) => touchedBy(context, model, namespace))
  const namespaces = new Family<string, readonly string[]>('serviceNamespaces', (context) =>
    [...new Set([...context.texts(model.kubernetesServices, 'namespace'), ...context.texts(model.serviceEntries, 'namespace')])].sort(),
  )
  const scopeOf = new Family<Interned<MeshProxy>, Interned<Scope>>('scope', (context, key) => {
    const proxy = key.value
    const settings = settingsOf(context, model.inputs)
    const sidecar = proxy.type === 'sidecar' ? sidecarFor(context, model.inputs, model.sidecars, proxy.namespace, proxy.labels) : undefined
    const special = context.read(touched, proxy.namespace)
    const selectedRules = context
      .list(model.destinationRules, 'selecting', proxy.namespace)
      .filter((rule) => rule.selector && selects(rule.selector, proxy.labels))
      .map((rule) => rule.key)
    const scope: Scope = {
      client: special.length > 0 || selectedRules.length > 0 ? proxy.namespace : '',
      touched: selectedRules.length > 0 ? [EVERYWHERE] : special,
      imports: importsOf(sidecar?.imports, proxy.namespace),
      egress: sidecar?.egress?.map((listener) => ({ ...listener, imports: importsOf(listener.imports, proxy.namespace) ?? [] })),
      unknown: unknownCluster(sidecar, settings),
      unknownHosts: resolvesHosts(proxy, sidecar, settings) ? RESOLVED : unknownCluster(sidecar, settings),
      traffic: trafficOf(proxy, settings),
      httpProxyPort: proxy.type === 'sidecar' ? (proxy.httpProxyPort ?? settings.mesh.proxyHttpPort ?? 0) : 0,
      transparent: proxy.interceptionMode === 'TPROXY',
      captured: proxy.interceptionMode !== 'NONE',
      reservedPorts: [...proxy.ownPorts, outboundPort(settings.mesh), inboundPort(settings.mesh)],
      gateway: proxy.type === 'router',
      autoAddresses: proxy.dnsCapture && (proxy.dnsAutoAllocate ?? settings.switches.allocatesAddresses),
      selectedRules,
      families: familiesOf(proxy.addresses),
      near: nearOf(context, model, proxy),
    }
    return graph.intern(scope)
  })
  const callers = (name: string, conditions: (spec: VirtualServiceSpec) => readonly CallerCondition[]) =>
    new Family<Interned<MeshProxy>, Interned<CallerScope>>(name, (context, key) => {
      const asking = context.list(model.virtualServices, 'source', '').flatMap((vs) => conditions(vs.spec))
      const names = new Set(asking.flatMap((match) => Object.keys(match.sourceLabels ?? {})))
      const byNamespace = asking.some((match) => match.sourceNamespace)
      const labels = Object.fromEntries(Object.entries(key.value.labels).filter(([label]) => names.has(label)))
      return graph.intern<CallerScope>({ namespace: byNamespace ? key.value.namespace : '', labels })
    })
  return {
    touched,
    scopeOf,
    callerOf: callers('caller', (spec) => conditionsOf(spec.http)),
    bytesCallerOf: callers('bytesCaller', (spec) => [...conditionsOf(spec.tcp), ...conditionsOf(spec.tls)]),
    namespaces,
    chunk: (scope, namespace) => {
      const special = scope.touched.includes(namespace) || scope.touched.includes(EVERYWHERE)
      return graph.intern<ChunkScope>({
        client: special ? scope.client : '',
        namespace,
        imports: scope.imports,
        gateway: scope.gateway,
        selectedRules: special ? scope.selectedRules : [],
      })
    },
  }
}

/** Where traffic to unknown destinations goes: on as it is, to the egress proxy of a Sidecar, or nowhere. */
function unknownCluster(sidecar: SidecarConfig | undefined, settings: MeshSettings): string {
  const policy = sidecar?.spec.outboundTrafficPolicy
  const mode = policy?.mode ?? (policy ? 'REGISTRY_ONLY' : (settings.mesh.outboundTrafficPolicy?.mode ?? 'ALLOW_ANY'))
  if (mode === 'REGISTRY_ONLY') return BLACK_HOLE
  const proxy = policy?.egressProxy
  if (!proxy?.host) return PASSTHROUGH
  return clusterName(
    'outbound',
    proxy.port?.number ?? 0,
    proxy.subset ?? '',
    resolveHost(proxy.host, sidecar?.namespace ?? '', settings.domain),
  )
}

/** Whether requests for hosts that nobody knows go to where DNS says, not to the address dialled; only the mesh can ask for that. */
const resolvesHosts = (proxy: MeshProxy, sidecar: SidecarConfig | undefined, { mesh }: MeshSettings): boolean =>
  proxy.type === 'sidecar' && !sidecar?.spec.outboundTrafficPolicy && mesh.outboundTrafficPolicy?.mode === 'ALLOW_ANY_DYNAMIC_DNS'

/** Where a proxy is, as far as some rule, service or the mesh looks at it; labels only as far as some rule names them. */
function nearOf(context: Context, model: MeshModel, proxy: MeshProxy): Near | undefined {
  const { mesh, clusterId } = settingsOf(context, model.inputs)
  const rules = context.list(model.destinationRules, 'nearness', '')
  const services = [model.kubernetesServices, model.serviceEntries].flatMap((source) => context.texts(source, 'nearness'))
  const byPlace = rules.length > 0 || Boolean(mesh.localityLbSetting?.distribute?.length) || services.includes('zone')
  const settings = [
    mesh.localityLbSetting,
    ...rules.flatMap((rule) => policiesOf(rule.spec).map((policy) => policy.loadBalancer?.localityLbSetting)),
  ]
  const names = [...new Set(settings.flatMap(askedLabels))].sort()
  const byNode = services.includes('node') || names.includes('kubernetes.io/hostname')
  if (!byPlace && !byNode) return undefined
  const labels = Object.fromEntries(
    names.flatMap((name) => (proxy.labels[name] === undefined ? [] : [[name, proxy.labels[name]] as const])),
  )
  const pod = context.get(model.pods, `${proxy.namespace}/${proxy.name}`)
  const locality = proxy.locality.region === '' ? (pod?.locality ?? proxy.locality) : proxy.locality
  return {
    locality: byPlace ? locality : NOWHERE,
    network: byPlace ? proxy.network : '',
    cluster: byPlace ? proxy.cluster || clusterId : '',
    node: byNode ? (pod?.node ?? '') : '',
    labels,
  }
}

interface CallerCondition {
  readonly sourceLabels?: Readonly<Record<string, string>>
  readonly sourceNamespace?: string
}

function conditionsOf(routes: readonly { readonly match?: readonly CallerCondition[] }[] | undefined): readonly CallerCondition[] {
  return (routes ?? []).flatMap((route) => route.match ?? [])
}

/**
 * Where a namespace's own view differs: objects exported to it alone, rules of its own for others' hosts, hosts of its own that
 * others have too.
 */
function touchedBy(context: Context, model: MeshModel, namespace: string): readonly string[] {
  const found = new Set<string>()
  const touch = (host: string) => found.add(namespaceOfHost(host) ?? EVERYWHERE)
  for (const source of [model.kubernetesServices, model.serviceEntries]) {
    for (const service of context.list(source, 'influence', namespace)) {
      found.add(service.namespace)
      if (mayBeShort(service.host)) found.add(EVERYWHERE)
      // Another name of a service is among that service's names.
      if (service.resolution === 'alias' && service.externalName) touch(service.externalName)
    }
  }
  for (const rule of context.list(model.destinationRules, 'influence', namespace)) touch(rule.host)
  for (const vs of context.list(model.virtualServices, 'influence', namespace)) for (const host of vs.hosts) touch(host)
  for (const entry of context.list(model.serviceEntries, 'namespace', namespace)) {
    for (const other of claimants(context, model, entry.host)) if (other.namespace !== namespace) found.add(other.namespace).add(namespace)
  }
  return found.has(EVERYWHERE) ? [EVERYWHERE] : [...found].sort()
}

/**
 * Whether a host may be what another is called by as well: a short name (`cart`, `cart.shop`, `cart.shop.svc`), a full one with its last
 * dot, a pattern, an address.
 */
export function mayBeShort(host: string): boolean {
  if (isWildcard(host) || host.endsWith('.') || isIpv6(host)) return true
  const labels = host.split('.')
  return labels.length < 3 || (labels.length === 3 && labels[2] === 'svc') || (labels.length === 4 && /^[\d.]+$/.test(host))
}

/** All services with a host, wherever they are. */
export function claimants(context: Context, model: MeshModel, host: string): readonly Service[] {
  return [...context.list(model.kubernetesServices, 'host', host), ...context.list(model.serviceEntries, 'host', host)]
}

/** Who asks for a host. */
export interface Viewer {
  readonly client: string
  /** What a Sidecar imports; absent for everything. */
  readonly imports: readonly Import[] | undefined
}

/**
 * The services that a host means to a client: one of its own namespace, else a Kubernetes Service, else the oldest ServiceEntry; of
 * those that it may see. Entries of one namespace for one host are one service: each adds the ports that older ones lack.
 */
export function servicesFor(context: Context, model: MeshModel, viewer: Viewer, host: string): readonly Service[] {
  const all = claimants(context, model, host)
  const seen = all.filter((service) => visibleTo(service.visibility, viewer.client) && importsService(viewer.imports, service))
  if (seen.length < 2) return seen
  const sorted = [...seen].sort(
    (a, b) =>
      rank(a, viewer.client) - rank(b, viewer.client) || (a.created < b.created ? -1 : a.created > b.created ? 1 : a.key < b.key ? -1 : 1),
  )
  const [first] = sorted
  if (first?.origin.kind !== 'ServiceEntry') return first ? [first] : []
  return sorted.filter((service) => service === first || (service.namespace === first.namespace && service.origin.kind === 'ServiceEntry'))
}

/** The service that serves a port of a host, or, where none does, the one that the host means. */
export function serviceFor(context: Context, model: MeshModel, viewer: Viewer, host: string, port?: number): Service | undefined {
  const found = servicesFor(context, model, viewer, host)
  return found.find((service) => service.ports.some((candidate) => candidate.number === port)) ?? found[0]
}

/** The ports of a service that are its own: not those that an older entry for the same host has. */
export function ownPorts(context: Context, model: MeshModel, viewer: Viewer, service: Service): readonly ServicePort[] {
  const found = servicesFor(context, model, viewer, service.host)
  const at = found.findIndex((candidate) => candidate.key === service.key)
  if (at < 0) return []
  const taken = new Set(found.slice(0, at).flatMap((older) => older.ports.map((port) => port.number)))
  return service.ports.filter((port) => !taken.has(port.number) && importsPort(viewer.imports, service, port.number))
}

function rank(service: Service, client: string): number {
  if (client !== '' && service.namespace === client) return 0
  return service.origin.kind === 'Service' ? 1 : 2
}

/**
 * Whether a service is meant by an address: where several that the viewer sees have it for such a port, it is the oldest of them.
 */
export function holdsAddress(
  context: Context,
  model: MeshModel,
  viewer: Viewer,
  service: Service,
  address: string,
  rivals: (service: Service, port: ServicePort) => boolean,
): boolean {
  const others = [...context.list(model.kubernetesServices, 'address', address), ...context.list(model.serviceEntries, 'address', address)]
  return others.every(
    (other) =>
      other.key === service.key || isOlder(service, other) || !ownPorts(context, model, viewer, other).some((port) => rivals(other, port)),
  )
}

const isOlder = (one: Service, other: Service): boolean =>
  one.created === other.created ? one.key < other.key : one.created < other.created
