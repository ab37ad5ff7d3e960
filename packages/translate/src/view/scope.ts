/**
 * Scopes: what of a proxy the translation of outgoing traffic depends on, and nothing more. Proxies whose scopes are equal share
 * every resource made from them. A scope is computed by reading; the translation behind it sees only the scope.
 */
import type { VirtualServiceSpec } from '@lateen/api'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import {
  type Import,
  type MeshModel,
  namespaceOfHost,
  type Proxy,
  type Service,
  selects,
  settingsOf,
  sidecarFor,
  visibleTo,
} from '@lateen/model'

/** Every service namespace. */
export const EVERYWHERE = '*'

export interface Scope {
  /** The proxy's namespace where that namespace sees something of its own; empty for all others, which see the same. */
  readonly client: string
  /** Service namespaces in which the client's view differs from everyone's. */
  readonly touched: readonly string[]
  /** What a Sidecar object imports; absent for everything. */
  readonly imports: readonly Import[] | undefined
  readonly allowAny: boolean
  readonly gateway: boolean
  /** Rules that select the client by its labels. */
  readonly selectedRules: readonly string[]
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
  readonly scopeOf: Family<Interned<Proxy>, Interned<Scope>>
  readonly callerOf: Family<Interned<Proxy>, Interned<CallerScope>>
  readonly namespaces: Family<string, readonly string[]>
  chunk(scope: Scope, namespace: string): Interned<ChunkScope>
}

export function createScopes(graph: Graph, model: MeshModel): Scopes {
  const touched = new Family<string, readonly string[]>('touched', (context, namespace) => touchedBy(context, model, namespace))
  const namespaces = new Family<string, readonly string[]>('serviceNamespaces', (context) =>
    [...new Set([...context.texts(model.kubernetesServices, 'namespace'), ...context.texts(model.serviceEntries, 'namespace')])].sort(),
  )
  const scopeOf = new Family<Interned<Proxy>, Interned<Scope>>('scope', (context, key) => {
    const proxy = key.value
    const settings = settingsOf(context, model.inputs)
    const sidecar = proxy.type === 'sidecar' ? sidecarFor(context, model.inputs, model.sidecars, proxy.namespace, proxy.labels) : undefined
    const mode = sidecar?.spec.outboundTrafficPolicy?.mode ?? settings.mesh.outboundTrafficPolicy?.mode ?? 'ALLOW_ANY'
    const special = context.read(touched, proxy.namespace)
    const selectedRules = context
      .list(model.destinationRules, 'selecting', proxy.namespace)
      .filter((rule) => rule.selector && selects(rule.selector, proxy.labels))
      .map((rule) => rule.key)
    const scope: Scope = {
      client: special.length > 0 || selectedRules.length > 0 ? proxy.namespace : '',
      touched: selectedRules.length > 0 ? [EVERYWHERE] : special,
      imports: sidecar?.imports,
      allowAny: mode !== 'REGISTRY_ONLY',
      gateway: proxy.type === 'router',
      selectedRules,
    }
    return graph.intern(scope)
  })
  const callerOf = new Family<Interned<Proxy>, Interned<CallerScope>>('caller', (context, key) => {
    const asking = context.list(model.virtualServices, 'source', '').flatMap((vs) => callerConditions(vs.spec))
    const names = new Set(asking.flatMap((match) => Object.keys(match.sourceLabels ?? {})))
    const byNamespace = asking.some((match) => match.sourceNamespace)
    const labels = Object.fromEntries(Object.entries(key.value.labels).filter(([name]) => names.has(name)))
    return graph.intern<CallerScope>({ namespace: byNamespace ? key.value.namespace : '', labels })
  })
  return {
    touched,
    scopeOf,
    callerOf,
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

interface CallerCondition {
  readonly sourceLabels?: Readonly<Record<string, string>>
  readonly sourceNamespace?: string
}

function callerConditions(spec: VirtualServiceSpec): readonly CallerCondition[] {
  const routes: readonly { readonly match?: readonly CallerCondition[] }[] = [...(spec.http ?? []), ...(spec.tcp ?? []), ...(spec.tls ?? [])]
  return routes.flatMap((route) => route.match ?? [])
}

/**
 * Where a namespace's own view differs: objects exported to it alone, rules of its own for others' hosts, hosts of its own that
 * others have too.
 */
function touchedBy(context: Context, model: MeshModel, namespace: string): readonly string[] {
  const found = new Set<string>()
  const touch = (host: string) => found.add(namespaceOfHost(host) ?? EVERYWHERE)
  for (const source of [model.kubernetesServices, model.serviceEntries]) {
    for (const service of context.list(source, 'influence', namespace)) found.add(service.namespace)
  }
  for (const rule of context.list(model.destinationRules, 'influence', namespace)) touch(rule.host)
  for (const vs of context.list(model.virtualServices, 'influence', namespace)) for (const host of vs.hosts) touch(host)
  for (const entry of context.list(model.serviceEntries, 'namespace', namespace)) {
    for (const other of claimants(context, model, entry.host)) if (other.namespace !== namespace) found.add(other.namespace).add(namespace)
  }
  return found.has(EVERYWHERE) ? [EVERYWHERE] : [...found].sort()
}

/** All services with a host, wherever they are. */
export function claimants(context: Context, model: MeshModel, host: string): readonly Service[] {
  return [...context.list(model.kubernetesServices, 'host', host), ...context.list(model.serviceEntries, 'host', host)]
}

/**
 * The service that a host means to a client: one of its own namespace, else a Kubernetes Service, else the oldest; of those it may
 * see.
 */
export function serviceFor(context: Context, model: MeshModel, client: string, host: string): Service | undefined {
  const visible = claimants(context, model, host).filter((service) => visibleTo(service.visibility, client))
  return [...visible].sort((a, b) => rank(a, client) - rank(b, client) || (a.created < b.created ? -1 : a.created > b.created ? 1 : a.key < b.key ? -1 : 1))[0]
}

function rank(service: Service, client: string): number {
  if (client !== '' && service.namespace === client) return 0
  return service.origin.kind === 'Service' ? 1 : 2
}
