/** Service → EndpointSlices (and the older Endpoints): which pods stand behind it. */
import type { KubeObject } from '@lateen/api'
import { familyOf } from '@lateen/base'
import { ignoreMissing, isConflict } from '../kube/api-failure.ts'
import { ENDPOINT_SLICE, ENDPOINTS, SERVICE } from '../kube/kinds.ts'
import { type Container, isReady, isSidecar, isTerminal, type Pod, podSpec } from '../kube/pod.ts'
import { matchesMap } from '../kube/selector.ts'
import {
  type Endpoint,
  type EndpointPort,
  type EndpointSlice,
  isHeadless,
  SERVICE_NAME_LABEL,
  type Service,
  type ServicePort,
} from '../kube/service.ts'
import { Store } from '../kube/store.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, canonical, ownedBy, shortHash } from './context.ts'

const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by'
const MANAGER = 'endpointslice-controller.k8s.io'
/** The API allows 1,000 a slice. */
const SLICE_SIZE = 1000

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a controller is a closure of short steps over its context.
export function endpointsController(context: ControllerContext): Controller {
  const { pods, services, slices } = context.stores
  const { client } = context
  const legacy = new Store<KubeObject>(ENDPOINTS, context.listWatch)
  const queue = new WorkQueue({ name: 'Service', reconcile })
  services.listen((key) => queue.add(key))
  slices.listen((_key, slice, before) => {
    const changed = slice ?? before
    if (changed?.metadata.labels?.[MANAGED_BY] === MANAGER)
      queue.add(`${changed.metadata.namespace}/${changed.metadata.labels[SERVICE_NAME_LABEL]}`)
  })
  pods.listen((_key, pod, before) => {
    const namespace = (pod ?? before)?.metadata.namespace ?? ''
    for (const service of services.inNamespace(namespace)) {
      const { selector } = service.spec ?? {}
      if (matchesMap(selector, pod?.metadata.labels) || matchesMap(selector, before?.metadata.labels))
        queue.add(`${namespace}/${service.metadata.name}`)
    }
  })
  return {
    stop: async () => {
      legacy.stop()
      await queue.stop()
    },
  }

  async function reconcile(key: string): Promise<undefined> {
    const service = services.byKey(key)
    const [namespace = '', name = ''] = key.split('/')
    const existing = [...slices.inNamespace(namespace)].filter(
      (slice) => slice.metadata.labels?.[SERVICE_NAME_LABEL] === name && slice.metadata.labels?.[MANAGED_BY] === MANAGER,
    )
    const managed =
      service &&
      !service.metadata.deletionTimestamp &&
      service.spec?.selector &&
      Object.keys(service.spec.selector).length > 0 &&
      service.spec.type !== 'ExternalName'
    const wanted = managed ? slicesOf(service) : new Map<string, EndpointSlice>()
    for (const slice of wanted.values()) await write(slice)
    for (const slice of existing) {
      if (!wanted.has(slice.metadata.name)) await ignoreMissing(client.delete(ENDPOINT_SLICE, namespace, slice.metadata.name))
    }
    if (managed) await writeLegacy(service, [...wanted.values()])
    else if (!service) await removeLegacy(namespace, name)
    return undefined
  }

  function slicesOf(service: Service): Map<string, EndpointSlice> {
    const result = new Map<string, EndpointSlice>()
    for (const family of service.spec?.ipFamilies ?? ['IPv4'])
      for (const slice of slicesOfFamily(service, family)) result.set(slice.metadata.name, slice)
    return result
  }

  function slicesOfFamily(service: Service, family: string): EndpointSlice[] {
    const groups = new Map<string, { ports: EndpointPort[]; endpoints: Endpoint[] }>()
    for (const pod of [...pods.inNamespace(service.metadata.namespace ?? '')].toSorted((a, b) =>
      a.metadata.name < b.metadata.name ? -1 : 1,
    )) {
      if (!matchesMap(service.spec?.selector, pod.metadata.labels) || isTerminal(pod)) continue
      const address = addressOf(pod, family)
      if (!address) continue
      const ports = portsOf(service, pod)
      if (ports.length === 0 && (service.spec?.ports ?? []).length > 0) continue
      const group = groups.get(canonical(ports)) ?? { ports, endpoints: [] }
      group.endpoints.push(endpointOf(service, pod, address))
      groups.set(canonical(ports), group)
    }
    // A Service always has a slice, so that one can see that nothing is behind it.
    if (groups.size === 0) groups.set('', { ports: [], endpoints: [] })
    const suffix = family === 'IPv4' ? '' : `/${family}`
    return [...groups].flatMap(([key, { ports, endpoints }]) =>
      Array.from({ length: Math.max(1, Math.ceil(endpoints.length / SLICE_SIZE)) }, (_, i) => {
        const index = i * SLICE_SIZE
        const name = `${service.metadata.name}-${shortHash(`${key}/${index}${suffix}`, 5)}`
        return sliceOf(service, { name, family, ports, endpoints: endpoints.slice(index, index + SLICE_SIZE) })
      }),
    )
  }

  async function write(slice: EndpointSlice): Promise<void> {
    const { namespace, name } = slice.metadata
    const known = slices.get(namespace, name)
    const same = (other: EndpointSlice) =>
      canonical([other.endpoints ?? [], other.ports ?? [], other.metadata.labels]) ===
      canonical([slice.endpoints, slice.ports, slice.metadata.labels])
    if (known && same(known)) return
    if (known) {
      const version = known.metadata.resourceVersion
      await client.update(ENDPOINT_SLICE, { ...slice, metadata: { ...slice.metadata, ...(version ? { resourceVersion: version } : {}) } })
    } else {
      await client.create(ENDPOINT_SLICE, slice).catch((error: unknown) => {
        if (!isConflict(error)) throw error
      })
    }
  }

  async function writeLegacy(service: Service, all: readonly EndpointSlice[]): Promise<void> {
    const { namespace = '', name } = service.metadata
    // The older kind knows one family: the Service's first.
    const subsets = all.filter(({ addressType }) => addressType === all[0]?.addressType).flatMap(subsetOf)
    const known = legacy.get(namespace, name)
    if (known && canonical(known.subsets ?? []) === canonical(subsets)) return
    const labels = {
      ...service.metadata.labels,
      'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
      ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
    }
    const object = { apiVersion: 'v1', kind: 'Endpoints', metadata: { name, namespace, labels }, subsets }
    if (!known) {
      await client.create(ENDPOINTS, object).catch((error: unknown) => {
        if (!isConflict(error)) throw error
      })
      return
    }
    const version = known.metadata.resourceVersion
    await client.update(ENDPOINTS, { ...object, metadata: { ...object.metadata, ...(version ? { resourceVersion: version } : {}) } })
  }

  async function removeLegacy(namespace: string, name: string): Promise<void> {
    if (legacy.get(namespace, name)) await ignoreMissing(client.delete(ENDPOINTS, namespace, name))
  }
}

interface SliceContent {
  readonly name: string
  readonly family: string
  readonly ports: readonly EndpointPort[]
  readonly endpoints: readonly Endpoint[]
}

function sliceOf(service: Service, { name, family, ports, endpoints }: SliceContent): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: service.metadata.namespace ?? '',
      labels: {
        ...service.metadata.labels,
        [SERVICE_NAME_LABEL]: service.metadata.name,
        [MANAGED_BY]: MANAGER,
        ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
      },
      ownerReferences: [ownedBy(SERVICE, service)],
    },
    addressType: family,
    endpoints,
    ports,
  }
}

/** The pod's address of a family. */
function addressOf({ status }: Pod, family: string): string | undefined {
  const all = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : [])
  return all.find((ip) => familyOf(ip) === family)
}

function endpointOf(service: Service, pod: Pod, address: string): Endpoint {
  const spec = podSpec(pod)
  const serving = isReady(pod)
  const terminating = pod.metadata.deletionTimestamp !== undefined
  const { name, namespace, uid } = pod.metadata
  return {
    addresses: [address],
    conditions: { ready: service.spec?.publishNotReadyAddresses === true || (serving && !terminating), serving, terminating },
    ...(spec.hostname && spec.subdomain === service.metadata.name ? { hostname: spec.hostname } : {}),
    ...(spec.nodeName ? { nodeName: spec.nodeName } : {}),
    targetRef: { kind: 'Pod', name, ...(namespace ? { namespace } : {}), ...(uid ? { uid } : {}) },
  }
}

/** The ports as this pod has them; a named target port that it lacks is left out. */
function portsOf(service: Service, pod: Pod): EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((port) => {
    const number = targetPort(port, pod)
    if (number === undefined) return []
    return [
      {
        name: port.name ?? '',
        port: number,
        protocol: port.protocol ?? 'TCP',
        ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}),
      },
    ]
  })
}

function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port
  if (typeof target === 'number') return target === 0 ? port.port : target
  const spec = podSpec(pod)
  const containers: readonly Container[] = [...spec.containers, ...(spec.initContainers ?? []).filter(isSidecar)]
  for (const container of containers) {
    const named = container.ports?.find(({ name, protocol }) => name === target && (protocol ?? 'TCP') === (port.protocol ?? 'TCP'))
    if (named) return named.containerPort
  }
  return /^\d+$/.test(target) ? Number(target) : undefined
}

function subsetOf(slice: EndpointSlice): unknown[] {
  const address = (endpoint: Endpoint) => ({
    ip: endpoint.addresses[0],
    ...(endpoint.hostname ? { hostname: endpoint.hostname } : {}),
    ...(endpoint.nodeName ? { nodeName: endpoint.nodeName } : {}),
    targetRef: endpoint.targetRef,
  })
  const endpoints = slice.endpoints ?? []
  const ready = endpoints.filter(({ conditions }) => conditions?.ready).map(address)
  const others = endpoints.filter(({ conditions }) => !conditions?.ready && !conditions?.terminating).map(address)
  if (ready.length + others.length === 0) return []
  const ports = (slice.ports ?? []).map(({ name, ...port }) => (name ? { name, ...port } : port))
  return [
    {
      ...(ready.length > 0 ? { addresses: ready } : {}),
      ...(others.length > 0 ? { notReadyAddresses: others } : {}),
      ...(ports.length > 0 ? { ports } : {}),
    },
  ]
}
