/** The collection of workloads: from Pods and WorkloadEntries. */

import { type KubeObject, objectKey, refOf } from '@lateen/api'
import { ownValue } from '@lateen/base'
import type { Graph, Source } from '@lateen/graph'
import { type Locality, NOWHERE, parseLocality } from './endpoint.ts'
import type { Inputs } from './inputs.ts'
import type { NodeLabels, PodSpec, PodStatus, WorkloadEntrySpec } from './views.ts'
import { type Workload, workloadName } from './workload.ts'

/** Set by the injector: a sidecar of this pod terminates mutual TLS. */
export const TLS_MODE_LABEL = 'security.istio.io/tlsMode'
/** The newer name counts first. */
const LOCALITY_LABELS = ['topology.istio.io/locality', 'istio-locality']
const DRAINING_LABEL = 'istio.io/draining'
/** Set on entries whose agent reports whether the workload is well; until it has, it is not. */
const HEALTH_CHECKED = 'proxy.istio.io/health-checks-enabled'
export const NETWORK_LABEL = 'topology.istio.io/network'

/** All workloads, indexed by address, and for pods by `namespace/name`. */
export function workloadCollections(graph: Graph, inputs: Inputs): { readonly pods: Source<Workload>; readonly entries: Source<Workload> } {
  const indexes = {
    address: (workload: Workload) => workload.addresses,
    namespace: (workload: Workload) => [workload.namespace],
  }
  const pods = graph.collection<KubeObject, Workload>(
    'workloads',
    inputs.kinds['core/Pod'],
    (context, pod, key) => {
      const spec = (pod.spec ?? {}) as PodSpec
      const node = spec.nodeName ? context.get(inputs.kinds['core/Node'], spec.nodeName) : undefined
      const workload = podWorkload(pod, node?.metadata.labels ?? {})
      return workload ? [[key, workload]] : []
    },
    indexes,
  )
  const entries = graph.collection<KubeObject, Workload>(
    'workloadEntries',
    inputs.kinds['networking.istio.io/WorkloadEntry'],
    (_, entry, key) => [[key, entryWorkload(entry)]],
    indexes,
  )
  return { pods, entries }
}

function podWorkload(pod: KubeObject, nodeLabels: NodeLabels): Workload | undefined {
  const spec = (pod.spec ?? {}) as PodSpec
  const status = (pod.status ?? {}) as PodStatus
  const addresses = status.podIPs?.map((entry) => entry.ip) ?? (status.podIP ? [status.podIP] : [])
  if (addresses.length === 0 || status.phase === 'Succeeded' || status.phase === 'Failed') return undefined
  const labels = pod.metadata.labels ?? {}
  const ports: Record<string, number> = {}
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    for (const port of container.ports ?? [])
      if (port.name && ownValue(ports, port.name) === undefined) ports[port.name] = port.containerPort
  }
  return {
    key: objectKey(pod),
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name,
    workload: workloadName(pod.metadata),
    addresses,
    labels,
    serviceAccount: spec.serviceAccountName ?? 'default',
    node: spec.nodeName ?? '',
    locality: podLocality(labels, nodeLabels),
    network: labels[NETWORK_LABEL] ?? '',
    weight: 1,
    tlsMode: labels[TLS_MODE_LABEL] ?? '',
    ports,
    ready: status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false,
    draining: Boolean(labels[DRAINING_LABEL]),
    hostNetwork: spec.hostNetwork ?? false,
    origin: refOf(pod),
  }
}

function podLocality(labels: Readonly<Record<string, string>>, node: NodeLabels): Locality {
  const own = labelledLocality(labels)
  if (own) return parseLocality(own)
  const region = node['topology.kubernetes.io/region'] ?? node['failure-domain.beta.kubernetes.io/region'] ?? ''
  const zone = node['topology.kubernetes.io/zone'] ?? node['failure-domain.beta.kubernetes.io/zone'] ?? ''
  const subzone = node['topology.istio.io/subzone'] ?? ''
  return region || zone || subzone ? { region, zone, subzone } : NOWHERE
}

/** A workload from a WorkloadEntry, or from an endpoint written inline in a ServiceEntry. */
export function entryWorkload(entry: KubeObject): Workload {
  const spec = (entry.spec ?? {}) as WorkloadEntrySpec
  const labels = { ...entry.metadata.labels, ...spec.labels }
  return {
    key: objectKey(entry),
    namespace: entry.metadata.namespace ?? '',
    name: entry.metadata.name,
    workload: entry.metadata.name,
    addresses: spec.address ? [spec.address] : [],
    labels,
    serviceAccount: spec.serviceAccount ?? '',
    node: '',
    locality: entryLocality(spec, labels),
    network: spec.network || (labels[NETWORK_LABEL] ?? ''),
    weight: spec.weight || 1,
    // An entry with a service account takes part in the mesh, unless its label says otherwise.
    tlsMode: labels[TLS_MODE_LABEL] ?? (spec.serviceAccount ? 'istio' : ''),
    ports: spec.ports ?? {},
    ready: isHealthy(entry),
    draining: Boolean(labels[DRAINING_LABEL]),
    hostNetwork: false,
    origin: refOf(entry),
  }
}

const labelledLocality = (labels: Readonly<Record<string, string>>): string | undefined =>
  LOCALITY_LABELS.map((name) => labels[name]).find((text) => text !== undefined && text !== '')

/** Where an entry is: what it says, else what its labels say. */
export function entryLocality(spec: Pick<WorkloadEntrySpec, 'locality'>, labels: Readonly<Record<string, string>>): Locality {
  const text = spec.locality || labelledLocality(labels)
  return text ? parseLocality(text) : NOWHERE
}

function isHealthy(entry: KubeObject): boolean {
  if ((entry.metadata.annotations?.[HEALTH_CHECKED] ?? '').toLowerCase() !== 'true') return true
  const conditions: unknown =
    typeof entry.status === 'object' && entry.status !== null ? Reflect.get(entry.status, 'conditions') : undefined
  if (!Array.isArray(conditions)) return false
  return conditions.some(
    (condition: unknown) =>
      typeof condition === 'object' &&
      condition !== null &&
      Reflect.get(condition, 'type') === 'Healthy' &&
      Reflect.get(condition, 'status') === 'True',
  )
}
