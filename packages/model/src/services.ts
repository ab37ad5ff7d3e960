/** The collection of services: from Kubernetes Services and from ServiceEntries. */
import { type KubeObject, refOf } from '@lateen/api'
import type { Context, Graph, Source } from '@lateen/graph'
import { autoAddressOf } from './auto-address.ts'
import { patternsOver } from './host.ts'
import type { Inputs } from './inputs.ts'
import { kubernetesProtocol, parseProtocol } from './protocol.ts'
import type { Resolution, Service, ServicePort } from './service.ts'
import type { MeshSettings } from './settings.ts'
import type { ServiceEntrySpec, ServiceSpec } from './views.ts'
import { visibilityOf } from './visibility.ts'

const EXPORT_ANNOTATION = 'networking.istio.io/exportTo'
const SANS_ANNOTATION = 'alpha.istio.io/kubernetes-serviceaccounts'

export interface ServiceCollections {
  /** Keyed by `Service/ns/name`. */
  readonly kubernetes: Source<Service>
  /** Keyed by `ServiceEntry/ns/name/host`. */
  readonly entries: Source<Service>
}

const INDEXES = {
  host: (service: Service) => [service.host],
  namespace: (service: Service) => [service.namespace],
  port: (service: Service) => [...new Set(service.ports.map((port) => String(port.number)))],
  /** Namespaces for which this service is special: named in exportTo. */
  influence: (service: Service) => (service.visibility === '*' ? [] : service.visibility),
  object: (service: Service) => [`${service.namespace}/${service.origin.name}`],
  /** Addresses of endpoints that the object itself lists. */
  endpoint: (service: Service) => service.listed,
  /** Wildcards that cover the host, but for `*`. */
  pattern: (service: Service) => patternsOver(service.host).filter((pattern) => pattern !== service.host && pattern !== '*'),
  /** The service that this one is another name of. */
  alias: (service: Service) => (service.resolution === 'alias' && service.externalName ? [service.externalName] : []),
  /** Services that want near endpoints used first. */
  nearness: (service: Service) => (service.trafficDistribution === undefined ? [] : ['']),
  selecting: (service: Service) => (service.selector ? [service.namespace] : []),
}

export function serviceCollections(graph: Graph, inputs: Inputs): ServiceCollections {
  const kubernetes = graph.collection<KubeObject, Service>(
    'services',
    inputs.kinds['core/Service'],
    (context, object) => {
      const service = fromKubernetes(object, settingsOf(context, inputs))
      return [[service.key, service]]
    },
    INDEXES,
  )
  const entries = graph.collection<KubeObject, Service>(
    'serviceEntries',
    inputs.kinds['networking.istio.io/ServiceEntry'],
    (context, object) => fromServiceEntry(context, inputs, object).map((service) => [service.key, service] as const),
    INDEXES,
  )
  return { kubernetes, entries }
}

/** The mesh settings; they are written before anything else. */
export function settingsOf(context: Context, inputs: Inputs): MeshSettings {
  const settings = context.get(inputs.settings, '')
  if (!settings) throw new Error('the mesh settings are not set')
  return settings
}

function fromKubernetes(object: KubeObject, settings: MeshSettings): Service {
  const spec = (object.spec ?? {}) as ServiceSpec
  const namespace = object.metadata.namespace ?? ''
  const annotations = object.metadata.annotations ?? {}
  const headless = spec.clusterIP === 'None'
  const clusterIPs = (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])).filter((ip) => ip !== 'None' && ip !== '')
  const exportTo = annotations[EXPORT_ANNOTATION]?.split(',').map((name) => name.trim())
  return {
    key: `Service/${namespace}/${object.metadata.name}`,
    host: `${object.metadata.name}.${namespace}.svc.${settings.domain}`,
    namespace,
    name: object.metadata.name,
    resolution: spec.type === 'ExternalName' ? 'alias' : headless ? 'passthrough' : 'static',
    external: spec.type === 'ExternalName',
    addresses: ipv4First([...clusterIPs, ...(spec.externalIPs ?? [])]),
    autoAddresses: [],
    ports: (spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      number: port.port,
      protocol: kubernetesProtocol(port),
      target: port.targetPort ?? port.port,
    })),
    visibility: visibilityOf(exportTo, namespace, settings.mesh.defaultServiceExportTo ?? ['*']),
    labels: object.metadata.labels ?? {},
    selector: spec.selector && Object.keys(spec.selector).length > 0 ? spec.selector : undefined,
    headless,
    publishNotReady: spec.publishNotReadyAddresses ?? false,
    externalName: spec.type === 'ExternalName' ? spec.externalName : undefined,
    internalTrafficPolicy: spec.internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    trafficDistribution: spec.trafficDistribution,
    subjectAltNames: (annotations[SANS_ANNOTATION] ?? '')
      .split(',')
      .filter((name) => name !== '')
      .map((name) => `spiffe://${settings.trustDomain}/ns/${namespace}/sa/${name}`),
    listed: [],
    created: object.metadata.creationTimestamp ?? '',
    origin: refOf(object),
  }
}

const RESOLUTIONS: Readonly<Record<string, Resolution>> = {
  NONE: 'passthrough',
  STATIC: 'static',
  DNS: 'dns',
  DNS_ROUND_ROBIN: 'dns-round-robin',
}

function fromServiceEntry(context: Context, inputs: Inputs, object: KubeObject): Service[] {
  const settings = settingsOf(context, inputs)
  const spec = (object.spec ?? {}) as ServiceEntrySpec
  const namespace = object.metadata.namespace ?? ''
  const ports = (spec.ports ?? []).map(
    (port): ServicePort => ({
      name: port.name,
      number: port.number,
      protocol: parseProtocol(port.protocol ?? ''),
      target: port.targetPort || port.number,
    }),
  )
  const external = spec.location !== 'MESH_INTERNAL'
  const autoAddresses = (host: string): readonly string[] => {
    const address = autoAddressOf(context, inputs.kinds['networking.istio.io/ServiceEntry'], object, host)
    return address === undefined ? [] : [address]
  }
  return (spec.hosts ?? []).map((host) => ({
    key: `ServiceEntry/${namespace}/${object.metadata.name}/${host}`,
    host,
    namespace,
    name: host,
    resolution: RESOLUTIONS[spec.resolution ?? 'NONE'] ?? 'passthrough',
    external,
    addresses: ipv4First(spec.addresses ?? []),
    autoAddresses: autoAddresses(host),
    ports,
    visibility: visibilityOf(spec.exportTo, namespace, settings.mesh.defaultServiceExportTo ?? ['*']),
    labels: object.metadata.labels ?? {},
    selector: spec.workloadSelector?.labels,
    headless: false,
    publishNotReady: false,
    externalName: undefined,
    internalTrafficPolicy: 'Cluster',
    trafficDistribution: object.metadata.annotations?.['networking.istio.io/traffic-distribution'],
    subjectAltNames: spec.subjectAltNames ?? [],
    listed: (spec.endpoints ?? []).flatMap((endpoint) => endpoint.address ?? []),
    created: object.metadata.creationTimestamp ?? '',
    origin: refOf(object),
  }))
}

const ipv4First = (addresses: readonly string[]) => [...addresses].sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
