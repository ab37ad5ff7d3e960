/** Endpoints of a service's port: from EndpointSlices, from ServiceEntries' own lists, and from the workloads they select. */
import type { KubeObject } from '@lateen/api'
import { type Context, Family, type Source } from '@lateen/graph'
import { type Endpoint, type Health, type Locality, NOWHERE, parseLocality } from './endpoint.ts'
import type { Inputs } from './inputs.ts'
import type { Service, ServicePort } from './service.ts'
import { settingsOf } from './services.ts'
import type { EndpointSliceView, ServiceEntrySpec } from './views.ts'
import { selects, type Workload } from './workload.ts'

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
  const found = new Map<string, Endpoint>()
  for (const slice of slices) {
    const view = slice as KubeObject & EndpointSliceView
    if (view.addressType === 'FQDN') continue
    const target = view.ports?.find((candidate) => (candidate.name ?? '') === port.name)
    if (target?.port === undefined) continue
    for (const entry of view.endpoints ?? []) {
      const health = healthOf(entry.conditions, service)
      for (const address of entry.addresses) {
        const workload = workloadOf(context, sources, entry.targetRef, address)
        const endpoint: Endpoint = {
          address,
          port: target.port,
          health,
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
        }
        // One address may be in two slices while endpoints move between them: the better state counts.
        const known = found.get(address)
        if (!known || RANK[known.health] > RANK[health]) found.set(address, endpoint)
      }
    }
  }
  return [...found.values(), ...selectedEntries(context, sources, service, port)]
}

/** WorkloadEntries that a Kubernetes Service selects count as its endpoints (VMs behind a Service). */
function selectedEntries(context: Context, sources: EndpointSources, service: Service, port: ServicePort): Endpoint[] {
  const { selector } = service
  if (!selector) return []
  return context
    .list(sources.entries, 'namespace', service.namespace)
    .filter((workload) => selects(selector, workload.labels))
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

function fromEntry(context: Context, sources: EndpointSources, service: Service, port: ServicePort): Endpoint[] {
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
    locality: endpoint.locality ? parseLocality(endpoint.locality) : NOWHERE,
    network: endpoint.network ?? '',
    weight: endpoint.weight ?? 1,
    tlsMode: endpoint.labels?.['security.istio.io/tlsMode'] ?? (endpoint.serviceAccount ? 'istio' : ''),
    namespace: service.namespace,
    serviceAccount: endpoint.serviceAccount ?? '',
    cluster: settings.clusterId,
  }))
}

const PLAIN = {
  health: 'healthy' as const,
  locality: NOWHERE,
  network: '',
  weight: 1,
  tlsMode: '',
  serviceAccount: '',
  workload: '',
  node: '',
}

function endpointsOfWorkload(context: Context, sources: EndpointSources, workload: Workload, port: ServicePort): Endpoint[] {
  const settings = settingsOf(context, sources.inputs)
  const number = workload.ports[port.name] ?? (typeof port.target === 'string' ? workload.ports[port.target] : port.target)
  if (number === undefined) return []
  return workload.addresses.slice(0, 1).map((address) => ({
    address,
    port: number,
    health: workload.ready ? 'healthy' : 'unhealthy',
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
  }))
}
