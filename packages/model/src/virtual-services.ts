/**
 * VirtualServices with their hosts and destinations fully qualified and their delegates put in, and which of them holds for a
 * host.
 */
import { type HTTPRoute, type KubeObject, objectKey, refOf, type VirtualServiceSpec } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { mergeDelegate } from './delegates.ts'
import { byAge } from './destination-rules.ts'
import { bySpecificity, isWildcard, patternsOver, resolveHost } from './host.ts'
import type { Inputs } from './inputs.ts'
import { settingsOf } from './services.ts'
import { type Import, importsHost } from './sidecars.ts'
import { type Visibility, visibilityOf, visibleTo } from './visibility.ts'

/** The gateway name that stands for all sidecars. */
export const MESH_GATEWAY = 'mesh'

/**
 * How a route's fields are meant. Objects that were made from an Ingress or an HTTPRoute compare path prefixes by whole segments;
 * an HTTPRoute's missing destination answers 500.
 */
export type RouteSemantics = 'virtual-service' | 'ingress' | 'gateway-api'

export interface VirtualService {
  readonly key: string
  readonly semantics: RouteSemantics
  readonly namespace: string
  readonly name: string
  /** Fully qualified. */
  readonly hosts: readonly string[]
  /** `namespace/name`, or `mesh`. */
  readonly gateways: readonly string[]
  readonly visibility: Visibility
  /** Routes with destinations fully qualified and delegates merged in. */
  readonly spec: VirtualServiceSpec
  /**
   * Where each of `spec.http` is written: `spec.http[1]`; with `namespace/name:` before it when it is a delegate's. Absent where it is
   * not known.
   */
  readonly httpPaths?: readonly string[]
  readonly created: string
  /** The object itself and the delegates put into it. */
  readonly origins: readonly ObjectRef[]
  readonly origin: ObjectRef
}

/** All VirtualServices: Istio's own, and those that other kinds stand for. */
export function virtualServiceCollection(graph: Graph, inputs: Inputs, others: readonly Source<VirtualService>[]): Source<VirtualService> {
  const own = graph.collection<KubeObject, VirtualService>(
    'istioVirtualServices',
    inputs.kinds['networking.istio.io/VirtualService'],
    (context, object) => {
      const virtualService = resolve(context, inputs, object)
      return virtualService ? [[objectKey(object), virtualService]] : []
    },
  )
  return graph.union('virtualServices', [own, ...others], {
    host: (vs) => vs.hosts,
    gateway: (vs) => vs.gateways,
    /** Wildcards that cover one of its hosts. */
    pattern: (vs) => [...new Set(vs.hosts.flatMap((host) => patternsOver(host).filter((pattern) => pattern !== host && pattern !== '*')))],
    /** Namespaces for which it is special: it is not exported to all. */
    influence: (vs) => (vs.visibility === '*' ? [] : vs.visibility),
    /** Those whose matches ask for the caller's labels or namespace. */
    source: (vs) => (asksForSource(vs.spec) ? [''] : []),
  })
}

function resolve(context: Context, inputs: Inputs, object: KubeObject): VirtualService | undefined {
  const settings = settingsOf(context, inputs)
  const namespace = object.metadata.namespace ?? ''
  const spec = (object.spec ?? {}) as VirtualServiceSpec
  // One without hosts is a delegate: it takes effect only through those that name it.
  if (!spec.hosts || spec.hosts.length === 0) return undefined
  const origins: ObjectRef[] = [refOf(object)]
  const httpPaths: string[] = []
  const http = (spec.http ?? []).flatMap((route, index) => {
    if (!route.delegate) {
      httpPaths.push(`spec.http[${index}]`)
      return [qualify(route, namespace, settings.domain)]
    }
    const delegateNamespace = route.delegate.namespace || namespace
    const delegate = context.get(inputs.kinds['networking.istio.io/VirtualService'], `${delegateNamespace}/${route.delegate.name ?? ''}`)
    if (!delegate) return []
    const delegated = (delegate.spec ?? {}) as VirtualServiceSpec
    if (delegated.hosts && delegated.hosts.length > 0) return []
    const visibility = visibilityOf(delegated.exportTo, delegateNamespace, settings.mesh.defaultVirtualServiceExportTo ?? ['*'])
    if (!visibleTo(visibility, namespace)) return []
    origins.push(refOf(delegate))
    return (delegated.http ?? []).flatMap((inner, at) => {
      const merged = mergeDelegate(route, inner)
      if (merged) httpPaths.push(`${delegateNamespace}/${delegate.metadata.name}:spec.http[${at}]`)
      return merged ? [qualify(merged, delegateNamespace, settings.domain)] : []
    })
  })
  const bytes = <T extends BytesRoute>(routes: readonly T[] | undefined) =>
    routes?.map((route) => qualifyBytes(route, namespace, settings.domain))
  const gateways = (spec.gateways ?? []).map((name) => gatewayName(name, namespace))
  return {
    key: objectKey(object),
    semantics: 'virtual-service',
    namespace,
    name: object.metadata.name,
    hosts: [...new Set(spec.hosts.map((host) => resolveHost(host, namespace, settings.domain)))],
    gateways: gateways.length > 0 ? gateways : [MESH_GATEWAY],
    visibility: visibilityOf(spec.exportTo, namespace, settings.mesh.defaultVirtualServiceExportTo ?? ['*']),
    spec: {
      ...spec,
      http,
      ...(spec.tcp && { tcp: bytes(spec.tcp) }),
      ...(spec.tls && { tls: bytes(spec.tls) }),
    } as VirtualServiceSpec,
    httpPaths,
    created: object.metadata.creationTimestamp ?? '',
    origins,
    origin: refOf(object),
  }
}

/** A gateway as VirtualServices name it: `name`, `namespace/name`, `name.namespace.svc…` or `mesh`. */
export function gatewayName(name: string, namespace: string): string {
  if (name === MESH_GATEWAY) return name
  if (name.includes('/')) return name.startsWith('./') ? `${namespace}${name.slice(1)}` : name
  const [first = name, second] = name.split('.')
  return second ? `${second}/${first}` : `${namespace}/${name}`
}

interface BytesRoute {
  readonly match?: readonly { readonly gateways?: readonly string[] }[]
  readonly route?: readonly { readonly destination: { readonly host: string } }[]
}

function qualifyBytes<T extends BytesRoute>(route: T, namespace: string, domain: string): T {
  return {
    ...route,
    ...(route.match && {
      match: route.match.map((match) =>
        match.gateways ? { ...match, gateways: match.gateways.map((name) => gatewayName(name, namespace)) } : match,
      ),
    }),
    ...(route.route && {
      route: route.route.map((target) => ({
        ...target,
        destination: { ...target.destination, host: resolveHost(target.destination.host, namespace, domain) },
      })),
    }),
  }
}

function qualify(route: HTTPRoute, namespace: string, domain: string): HTTPRoute {
  const full = (host: string) => resolveHost(host, namespace, domain)
  const gateways = <T extends { readonly gateways?: readonly string[] }>(match: T): T =>
    match.gateways ? { ...match, gateways: match.gateways.map((name) => gatewayName(name, namespace)) } : match
  return {
    ...route,
    ...(route.match && { match: route.match.map(gateways) }),
    ...(route.route && {
      route: route.route.map((target) => ({ ...target, destination: { ...target.destination, host: full(target.destination.host) } })),
    }),
    ...(route.mirror && { mirror: { ...route.mirror, host: full(route.mirror.host) } }),
    ...(route.mirrors && {
      mirrors: route.mirrors.map((mirror) => ({ ...mirror, destination: { ...mirror.destination, host: full(mirror.destination.host) } })),
    }),
  } as HTTPRoute
}

/**
 * VirtualServices with routes for bytes (`tls`, `tcp`) in sidecars for a host: of the most specific host first, then the oldest.
 * For a wildcard host those of narrower hosts count too.
 */
export function bytesVirtualServicesFor(
  context: Context,
  virtualServices: Source<VirtualService>,
  query: RouteQuery,
): readonly VirtualService[] {
  const { client, host } = query
  const fits = (vs: VirtualService) =>
    vs.gateways.includes(MESH_GATEWAY) &&
    visibleTo(vs.visibility, client) &&
    vs.hosts.some((own) => importsHost(query.imports, vs.namespace, own)) &&
    ((vs.spec.tls?.length ?? 0) > 0 || (vs.spec.tcp?.length ?? 0) > 0)
  const narrower = isWildcard(host) ? [...context.list(virtualServices, 'pattern', host)].sort(byPrecedence(client)) : []
  const covering = [...patternsOver(host)]
    .sort(bySpecificity)
    .flatMap((pattern) => [...context.list(virtualServices, 'host', pattern)].sort(byPrecedence(client)))
  return [...new Set([...narrower, ...covering])].filter(fits)
}

/** Of VirtualServices that a namespace sees: its private ones first, then those shown to it by name, then the rest; older before newer. */
export function byPrecedence(client: string): (a: VirtualService, b: VirtualService) => number {
  const rank = ({ visibility, namespace }: VirtualService) => {
    if (visibility === '*') return 2
    return namespace === client && visibility.includes(client) ? 0 : 1
  }
  return (a, b) => rank(a) - rank(b) || byAge(a, b)
}

function asksForSource(spec: VirtualServiceSpec): boolean {
  const asks = (match: { readonly sourceLabels?: unknown; readonly sourceNamespace?: unknown }) =>
    match.sourceLabels !== undefined || match.sourceNamespace !== undefined
  return [...(spec.http ?? []), ...(spec.tcp ?? []), ...(spec.tls ?? [])].some((route) => route.match?.some(asks))
}

export interface RouteQuery {
  /** The client's namespace; empty for one that no export list names. */
  readonly client: string
  readonly host: string
  /** What a Sidecar imports; absent for everything. */
  readonly imports?: readonly Import[] | undefined
}

/**
 * VirtualServices with HTTP routes in sidecars for a host, by precedence: of the most specific host first, then as `byPrecedence` says. The
 * first that has routes for the caller and the port holds.
 */
export function virtualServicesFor(
  context: Context,
  virtualServices: Source<VirtualService>,
  { client, host, imports }: RouteQuery,
): readonly VirtualService[] {
  const fits = (vs: VirtualService) =>
    vs.gateways.includes(MESH_GATEWAY) &&
    (vs.spec.http?.length ?? 0) > 0 &&
    visibleTo(vs.visibility, client) &&
    vs.hosts.some((own) => importsHost(imports, vs.namespace, own))
  const covering = [...patternsOver(host)]
    .sort(bySpecificity)
    .flatMap((pattern) => context.list(virtualServices, 'host', pattern).filter(fits).sort(byPrecedence(client)))
  return [...new Set(covering)]
}
