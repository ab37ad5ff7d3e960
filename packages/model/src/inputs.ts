/**
 * The inputs of the mesh: one graph source for each kind of object, keyed by `namespace/name`, with the indexes by which the model
 * looks objects up. Nothing downstream knows where an object came from.
 */
import { type KubeObject, objectKey } from '@lateen/api'
import type { Graph, Indexes, Source } from '@lateen/graph'
import { autoSlots } from './auto-address.ts'
import type { MeshSettings } from './settings.ts'

const byNamespace = (object: KubeObject) => [object.metadata.namespace ?? '']

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {}
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => (typeof value === 'string' ? value : '')

const NAMESPACED: Indexes<KubeObject> = { namespace: byNamespace }

/** `Gateway/namespace/name` and the like of what an object names as its parents. */
const parentKeys = (object: KubeObject, refs: readonly unknown[]) =>
  refs
    .map(record)
    .map((ref) => `${text(ref['kind']) || 'Gateway'}/${text(ref['namespace']) || (object.metadata.namespace ?? '')}/${text(ref['name'])}`)

const ROUTE: Indexes<KubeObject> = { ...NAMESPACED, parent: (route) => parentKeys(route, list(record(route.spec)['parentRefs'])) }

/** Kinds read, by `group/kind`, with their indexes. Versions of a kind are read alike. */
const KINDS = {
  'core/Service': NAMESPACED,
  'core/Pod': {
    ip: (pod) => list(record(pod.status)['podIPs']).map((entry) => text(record(entry)['ip'])),
    namespace: byNamespace,
  },
  'core/Node': {},
  'core/Namespace': {},
  'core/Secret': {},
  'core/ConfigMap': {},
  'discovery.k8s.io/EndpointSlice': {
    service: (slice) => {
      const name = slice.metadata.labels?.['kubernetes.io/service-name']
      return name ? [`${slice.metadata.namespace ?? ''}/${name}`] : []
    },
    address: (slice) => list(slice['endpoints']).flatMap((endpoint) => list(record(endpoint)['addresses']).map(text)),
  },
  'networking.k8s.io/Ingress': NAMESPACED,
  'networking.k8s.io/IngressClass': {},
  'gateway.networking.k8s.io/GatewayClass': {},
  'gateway.networking.k8s.io/Gateway': NAMESPACED,
  'gateway.networking.k8s.io/ListenerSet': { ...NAMESPACED, parent: (set) => parentKeys(set, [record(set.spec)['parentRef']]) },
  'gateway.networking.k8s.io/HTTPRoute': ROUTE,
  'gateway.networking.k8s.io/GRPCRoute': ROUTE,
  'gateway.networking.k8s.io/TCPRoute': ROUTE,
  'gateway.networking.k8s.io/TLSRoute': ROUTE,
  'gateway.networking.k8s.io/ReferenceGrant': NAMESPACED,
  'gateway.networking.k8s.io/BackendTLSPolicy': NAMESPACED,
  'networking.istio.io/VirtualService': NAMESPACED,
  'networking.istio.io/DestinationRule': NAMESPACED,
  'networking.istio.io/Gateway': NAMESPACED,
  'networking.istio.io/ServiceEntry': { ...NAMESPACED, autoSlot: autoSlots },
  'networking.istio.io/WorkloadEntry': NAMESPACED,
  'networking.istio.io/WorkloadGroup': NAMESPACED,
  'networking.istio.io/Sidecar': NAMESPACED,
  'networking.istio.io/EnvoyFilter': NAMESPACED,
  'networking.istio.io/ProxyConfig': NAMESPACED,
  'security.istio.io/PeerAuthentication': NAMESPACED,
  'security.istio.io/RequestAuthentication': NAMESPACED,
  'security.istio.io/AuthorizationPolicy': NAMESPACED,
  'telemetry.istio.io/Telemetry': NAMESPACED,
  'extensions.istio.io/WasmPlugin': NAMESPACED,
  'extensions.istio.io/TrafficExtension': NAMESPACED,
} satisfies Record<string, Indexes<KubeObject>>

const CLUSTER_SCOPED: ReadonlySet<string> = new Set([
  'core/Node',
  'core/Namespace',
  'networking.k8s.io/IngressClass',
  'gateway.networking.k8s.io/GatewayClass',
])

export type InputKind = keyof typeof KINDS

export interface Inputs {
  readonly kinds: Readonly<Record<InputKind, Source<KubeObject>>>
  /** One value under the empty key. */
  readonly settings: Source<MeshSettings>
  /** Fetched public keys (JSON Web Key Sets, as text), by the name under which they were asked for. */
  readonly keySets: Source<string>
}

/** `networking.istio.io/VirtualService` of an object; the core group is called `core`. */
export function inputKind(object: { readonly apiVersion: string; readonly kind: string }): InputKind | undefined {
  const slash = object.apiVersion.indexOf('/')
  const kind = `${slash < 0 ? 'core' : object.apiVersion.slice(0, slash)}/${object.kind}`
  return isInputKind(kind) ? kind : undefined
}

function isInputKind(kind: string): kind is InputKind {
  return Object.hasOwn(KINDS, kind)
}

export function createInputs(graph: Graph): Inputs {
  const sources = Object.entries<Indexes<KubeObject>>(KINDS).map(
    ([kind, indexes]) => [kind, graph.source<KubeObject>(kind, indexes)] as const,
  )
  const kinds = Object.fromEntries(sources)
  return { kinds: kinds as Inputs['kinds'], settings: graph.source<MeshSettings>('settings'), keySets: graph.source<string>('keySets') }
}

/** Writes one change to its source; kinds that the mesh does not read are passed over. Call inside `Graph.batch`. */
export function applyChange(inputs: Inputs, change: { readonly operation: 'set' | 'delete'; readonly object: KubeObject }): boolean {
  const kind = inputKind(change.object)
  if (kind === undefined) return false
  const source = inputs.kinds[kind]
  // Readers of a file may have put these into a namespace.
  const key = CLUSTER_SCOPED.has(kind) ? change.object.metadata.name : objectKey(change.object)
  return change.operation === 'delete' ? source.delete(key) : source.set(key, change.object)
}
