/** The collection of services: from Kubernetes Services and from ServiceEntries. */

import { type KubeObject, refOf } from '@lateen/api'
import { ownValue } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
import { autoAddressesOf } from './auto-address.ts'
import { canonicalAddress } from './cidr.ts'
import { patternsOver } from './host.ts'
import type { Inputs } from './inputs.ts'
import { kubernetesProtocol, parseProtocol } from './protocol.ts'
import type { Resolution, Service, ServicePort, TrafficDistribution } from './service.ts'
import type { MeshSettings } from './settings.ts'
import type { ServiceEntrySpec, ServiceSpec } from './views.ts'
import { visibilityOf } from './visibility.ts'

const EXPORT_ANNOTATION = 'networking.istio.io/exportTo'
const DISTRIBUTION_ANNOTATION = 'networking.istio.io/traffic-distribution'
/** Service accounts of the own namespace. */
const ACCOUNTS_ANNOTATION = 'alpha.istio.io/kubernetes-serviceaccounts'
/** Identities as they are. */
const IDENTITIES_ANNOTATION = 'alpha.istio.io/canonical-serviceaccounts'

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
  /** Addresses that clients dial. */
  address: (service: Service) => [...service.addresses, ...service.autoAddresses],
  /** Wildcards that cover the host, but for `*`. */
  pattern: (service: Service) => patternsOver(service.host).filter((pattern) => pattern !== service.host && pattern !== '*'),
  /** The service that this one is another name of. */
  alias: (service: Service) => (service.resolution === 'alias' && service.externalName ? [service.externalName] : []),
  /** Services for which it matters where the client is: in which zone, or on which node. */
  nearness: (service: Service) => [
    ...(service.trafficDistribution === undefined ? [] : ['zone']),
    ...(service.trafficDistribution === 'PreferSameNode' || service.internalTrafficPolicy === 'Local' ? ['node'] : []),
  ],
  selecting: (service: Service) => (service.selector ? [service.namespace] : []),
}

export function serviceCollections(graph: Graph, inputs: Inputs): ServiceCollections {
  const kubernetes = graph.collection<KubeObject, Service>(
    'services',
    inputs.kinds['core/Service'],
    (context, object) => {
      const service = fromKubernetes(context, inputs, object)
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

function fromKubernetes(context: Context, inputs: Inputs, object: KubeObject): Service {
  const settings = settingsOf(context, inputs)
  const spec = (object.spec ?? {}) as ServiceSpec
  const namespace = object.metadata.namespace ?? ''
  const annotations = object.metadata.annotations ?? {}
  const headless = spec.clusterIP === 'None'
  const clusterIPs = (spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : [])).filter((ip) => ip !== 'None' && ip !== '')
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
    visibility: visibilityOf(listOf(annotations[EXPORT_ANNOTATION]), namespace, settings.mesh.defaultServiceExportTo ?? ['*']),
    labels: object.metadata.labels ?? {},
    selector: spec.selector && Object.keys(spec.selector).length > 0 ? spec.selector : undefined,
    headless,
    publishNotReady: spec.publishNotReadyAddresses ?? false,
    externalName: spec.type === 'ExternalName' ? spec.externalName?.toLowerCase() : undefined,
    internalTrafficPolicy: spec.internalTrafficPolicy === 'Local' ? 'Local' : 'Cluster',
    trafficDistribution: distributionOf(context, inputs, object, spec.trafficDistribution),
    subjectAltNames: [
      ...listOf(annotations[IDENTITIES_ANNOTATION]),
      ...listOf(annotations[ACCOUNTS_ANNOTATION]).map((name) => `spiffe://${settings.trustDomain}/ns/${namespace}/sa/${name}`),
    ],
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
  DYNAMIC_DNS: 'dynamic-dns',
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
  return [...new Set((spec.hosts ?? []).map((host) => host.toLowerCase()))].map((host) => ({
    key: `ServiceEntry/${namespace}/${object.metadata.name}/${host}`,
    host,
    namespace,
    name: host,
    resolution: ownValue(RESOLUTIONS, spec.resolution ?? 'NONE') ?? 'passthrough',
    external,
    addresses: ipv4First((spec.addresses ?? []).map(plainAddress)),
    autoAddresses: autoAddressesOf(context, inputs.kinds['networking.istio.io/ServiceEntry'], object, host),
    ports,
    visibility: visibilityOf(spec.exportTo, namespace, settings.mesh.defaultServiceExportTo ?? ['*']),
    labels: object.metadata.labels ?? {},
    selector: spec.workloadSelector?.labels,
    headless: false,
    publishNotReady: false,
    externalName: undefined,
    internalTrafficPolicy: 'Cluster',
    trafficDistribution: distributionOf(context, inputs, object, undefined),
    subjectAltNames: spec.subjectAltNames ?? [],
    listed: (spec.endpoints ?? []).flatMap((endpoint) => endpoint.address ?? []),
    created: object.metadata.creationTimestamp ?? '',
    origin: refOf(object),
  }))
}

const ipv4First = (addresses: readonly string[]) => [...addresses].sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))

/** A list in an annotation, its items separated by commas. */
const listOf = (text: string | undefined): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** A range of one address is that address; equal addresses have equal texts. */
const plainAddress = (address: string): string => canonicalAddress(address.replace(address.includes(':') ? /\/128$/ : /\/32$/, ''))

const DISTRIBUTIONS: Readonly<Record<string, TrafficDistribution>> = {
  preferclose: 'PreferSameZone',
  prefersamezone: 'PreferSameZone',
  prefersamenode: 'PreferSameNode',
}

/** What the object's own field says, else its annotation, else its namespace's. */
function distributionOf(context: Context, inputs: Inputs, object: KubeObject, field: string | undefined): TrafficDistribution | undefined {
  const known = (text: string | undefined) => ownValue(DISTRIBUTIONS, (text ?? '').toLowerCase())
  const own = known(field) ?? known(object.metadata.annotations?.[DISTRIBUTION_ANNOTATION])
  if (own) return own
  const namespace = context.get(inputs.kinds['core/Namespace'], object.metadata.namespace ?? '')
  return known(namespace?.metadata.annotations?.[DISTRIBUTION_ANNOTATION])
}
