/** Endpoints of a service's port: from EndpointSlices, from ServiceEntries' own lists, and from the workloads they select. */

import type { KubeObject } from '@lateen/api'
import { ownValue } from '@lateen/base'
import { type Context, Family, type Source } from '@lateen/graph'
import { isIpv6 } from './address-family.ts'
import { type Endpoint, type Health, type Locality, NOWHERE } from './endpoint.ts'
import type { Inputs } from './inputs.ts'
import type { Service, ServicePort } from './service.ts'
import { settingsOf } from './services.ts'
import type { EndpointSliceView, ServiceEntrySpec } from './views.ts'
import { selects, type Workload } from './workload.ts'
import { entryLocality, NETWORK_LABEL, TLS_MODE_LABEL } from './workloads.ts'

export interface EndpointSources {
  readonly inputs: Inputs
  readonly pods: Source<Workload>
  readonly entries: Source<Workload>
  readonly kubernetes: Source<Service>
  readonly serviceEntries: Source<Service>
}

/** Keyed by `service key|port number`; endpoints in address order. */
export type EndpointFamily = Family<string, readonly Endpoint[]>

export function endpointFamily(sources: EndpointSources): EndpointFamily {
  return new Family<string, readonly Endpoint[]>('endpoints', (context, key) => {
    const bar = key.lastIndexOf('|')
    const serviceKey = key.slice(0, bar)
    const service = context.get(sources.kubernetes, serviceKey) ?? context.get(sources.serviceEntries, serviceKey)
    const port = service?.ports.find((candidate) => candidate.number === Number(key.slice(bar + 1)))
    if (!service || !port) return []
    const found =
      service.origin.kind === 'Service' ? fromSlices(context, sources, service, port) : fromEntry(context, sources, service, port)
    return found.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
  })
}

function fromSlices(context: Context, sources: EndpointSources, service: Service, port: ServicePort): Endpoint[] {
  const settings = settingsOf(context, sources.inputs)
  const slices = context.list(sources.inputs.kinds['discovery.k8s.io/EndpointSlice'], 'service', `${service.namespace}/${service.name}`)
  const found = new Map<string, { readonly endpoint: Endpoint; readonly pod: string }>()
  for (const slice of slices) {
    const view = slice as KubeObject & EndpointSliceView
    if (view.addressType === 'FQDN') continue
    const target = view.ports?.find((candidate) => (candidate.name ?? '') === port.name)
    if (target?.port === undefined) continue
    for (const entry of view.endpoints ?? []) {
      const health = healthOf(entry.conditions, service)
      const pod = entry.targetRef?.kind === 'Pod' ? `${entry.targetRef.namespace ?? ''}/${entry.targetRef.name ?? ''}` : ''
      for (const address of entry.addresses) {
        const workload = workloadOf(context, sources, entry.targetRef, address)
        const endpoint: Endpoint = {
          address,
          otherAddresses: [],
          port: target.port,
          health: workload?.draining ? 'draining' : health,
          labels: workload?.labels ?? {},
          locality: workload?.locality ?? zoneOnly(entry.zone),
          network: workload?.network ?? '',
          weight: workload?.weight ?? 1,
          tlsMode: workload?.tlsMode ?? '',
          namespace: workload?.namespace ?? service.namespace,
          serviceAccount: workload?.serviceAccount ?? '',
          workload: workload?.workload ?? '',
          node: workload?.node ?? entry.nodeName ?? '',
          cluster: settings.clusterId,
          hostname: entry.hostname ?? '',
        }
        // One address may be in two slices while endpoints move between them: the better state counts.
        const known = found.get(address)
        if (!known || RANK[known.endpoint.health] > RANK[health]) found.set(address, { endpoint, pod })
      }
    }
  }
  return [...onePerPod([...found.values()]), ...selectedEntries(context, sources, service, port)]
}

/** A pod with addresses of both families, which are in different slices, is one endpoint; its IPv4 address comes first. */
function onePerPod(found: readonly { readonly endpoint: Endpoint; readonly pod: string }[]): Endpoint[] {
  const pods = new Map<string, Endpoint>()
  for (const { endpoint, pod } of [...found].sort((a, b) => Number(isIpv6(a.endpoint.address)) - Number(isIpv6(b.endpoint.address)))) {
    const key = pod === '' ? endpoint.address : `${pod} ${endpoint.port}`
    const known = pods.get(key)
    if (!known) pods.set(key, endpoint)
    else if (isIpv6(known.address) === isIpv6(endpoint.address)) pods.set(endpoint.address, endpoint)
    else pods.set(key, { ...known, otherAddresses: [...known.otherAddresses, endpoint.address] })
  }
  return [...pods.values()]
}

/** WorkloadEntries that a Kubernetes Service selects count as its endpoints (VMs behind a Service), where they have an IP address. */
function selectedEntries(context: Context, sources: EndpointSources, service: Service, port: ServicePort): Endpoint[] {
  const { selector } = service
  if (!selector) return []
  return context
    .list(sources.entries, 'namespace', service.namespace)
    .filter((workload) => selects(selector, workload.labels) && workload.addresses.every(isIp))
    .flatMap((workload) => endpointsOfWorkload(context, sources, workload, port))
}

const RANK: Readonly<Record<Health, number>> = { healthy: 0, draining: 1, unhealthy: 2 }

function healthOf(
  conditions: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean } | undefined,
  service: Service,
): Health {
  // Kubernetes: an absent `ready` counts as true.
  if (conditions?.ready !== false || service.publishNotReady) return 'healthy'
  if (conditions.terminating && conditions.serving !== false) return 'draining'
  return 'unhealthy'
}

function workloadOf(
  context: Context,
  sources: EndpointSources,
  reference: { readonly kind?: string; readonly namespace?: string; readonly name?: string } | undefined,
  address: string,
): Workload | undefined {
  if (reference?.kind === 'Pod' && reference.name) return context.get(sources.pods, `${reference.namespace ?? ''}/${reference.name}`)
  if (reference) return undefined
  const workload = context.list(sources.pods, 'address', address)[0]
  return workload?.hostNetwork ? undefined : workload
}

const zoneOnly = (zone: string | undefined): Locality => (zone ? { region: '', zone, subzone: '' } : NOWHERE)

/** Entries of one namespace for one host are one service: the endpoints of all that have the port are its endpoints. */
function fromEntry(context: Context, sources: EndpointSources, service: Service, port: ServicePort): Endpoint[] {
  const found = new Map<string, Endpoint>()
  for (const entry of context.list(sources.serviceEntries, 'host', service.host)) {
    const own = entry.namespace === service.namespace ? entry.ports.find(({ number }) => number === port.number) : undefined
    if (!own) continue
    for (const endpoint of ofOneEntry(context, sources, entry, own)) {
      if (service.resolution === 'static' && !isDialled(endpoint.address)) continue
      const key = `${endpoint.address} ${endpoint.port}`
      if (!found.has(key)) found.set(key, endpoint)
    }
  }
  return [...found.values()]
}

/** An IP address or the path of a socket; a name must be resolved first. */
const isDialled = (address: string): boolean => address.startsWith('unix://') || isIp(address)

const isIp = (address: string): boolean => !address.startsWith('unix://') && (isIpv6(address) || /^[\d.]+$/.test(address))

function ofOneEntry(context: Context, sources: EndpointSources, service: Service, port: ServicePort): Endpoint[] {
  const { selector } = service
  if (selector) {
    const inNamespace = [
      ...context.list(sources.entries, 'namespace', service.namespace),
      ...context.list(sources.pods, 'namespace', service.namespace),
    ]
    return inNamespace
      .filter((workload) => selects(selector, workload.labels))
      .flatMap((workload) => endpointsOfWorkload(context, sources, workload, port))
  }
  const settings = settingsOf(context, sources.inputs)
  const object = context.get(sources.inputs.kinds['networking.istio.io/ServiceEntry'], `${service.namespace}/${service.origin.name}`)
  const spec = (object?.spec ?? {}) as ServiceEntrySpec
  const endpoints = spec.endpoints ?? []
  // Without endpoints, names are resolved by the proxy: the host itself is the endpoint.
  if (endpoints.length === 0) {
    if (service.resolution !== 'dns' && service.resolution !== 'dns-round-robin') return []
    return [
      {
        ...PLAIN,
        address: service.host,
        port: Number(port.target),
        labels: service.labels,
        namespace: service.namespace,
        cluster: settings.clusterId,
      },
    ]
  }
  return endpoints.map((endpoint) => ({
    ...PLAIN,
    address: endpoint.address ?? '',
    port: endpoint.address?.startsWith('unix://') ? 0 : (endpoint.ports?.[port.name] ?? Number(port.target)),
    labels: endpoint.labels ?? {},
    locality: entryLocality(endpoint, endpoint.labels ?? {}),
    network: endpoint.network || (endpoint.labels?.[NETWORK_LABEL] ?? ''),
    weight: endpoint.weight || 1,
    tlsMode: endpoint.labels?.[TLS_MODE_LABEL] ?? (endpoint.serviceAccount ? 'istio' : ''),
    namespace: service.namespace,
    serviceAccount: endpoint.serviceAccount ?? '',
    cluster: settings.clusterId,
  }))
}

const PLAIN = {
  otherAddresses: [],
  health: 'healthy' as const,
  locality: NOWHERE,
  network: '',
  weight: 1,
  tlsMode: '',
  serviceAccount: '',
  workload: '',
  node: '',
  hostname: '',
}

function endpointsOfWorkload(context: Context, sources: EndpointSources, workload: Workload, port: ServicePort): Endpoint[] {
  const settings = settingsOf(context, sources.inputs)
  const { ports } = workload
  const number = ownValue(ports, port.name) ?? (typeof port.target === 'string' ? ownValue(ports, port.target) : port.target)
  if (number === undefined) return []
  const [address, ...others] = workload.addresses
  if (address === undefined) return []
  return [
    {
      address,
      otherAddresses: others.filter((other) => isIpv6(other) !== isIpv6(address)),
      port: address.startsWith('unix://') ? 0 : number,
      health: workload.draining ? 'draining' : workload.ready ? 'healthy' : 'unhealthy',
      labels: workload.labels,
      locality: workload.locality,
      network: workload.network,
      weight: workload.weight,
      tlsMode: workload.tlsMode,
      namespace: workload.namespace,
      serviceAccount: workload.serviceAccount,
      workload: workload.workload,
      node: workload.node,
      cluster: settings.clusterId,
      hostname: '',
    },
  ]
}
