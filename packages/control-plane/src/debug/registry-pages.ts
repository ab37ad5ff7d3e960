/** Pages about services and their endpoints, with the field names of istiod's, which dashboards read. */
import type { Endpoint, Health, Resolution, Service, Visibility } from '@lateen/model'
import { localityText } from '@lateen/model'
import type { DebugContext } from './debug-context.ts'

/** Numbers of istiod. */
const RESOLUTIONS: Readonly<Record<Resolution, number>> = {
  static: 0,
  dns: 1,
  'dns-round-robin': 2,
  passthrough: 3,
  alias: 4,
  'dynamic-dns': 5,
}
const HEALTHS: Readonly<Record<Health, number>> = { healthy: 0, unhealthy: 1, draining: 2 }

/** Every service. */
export function registryz(context: DebugContext): unknown {
  return (context.inspect()?.services() ?? []).map((service) => serviceOf(service, context.clusterId))
}

function serviceOf(service: Service, clusterId: string): unknown {
  const [first = '0.0.0.0'] = [...service.addresses, ...service.autoAddresses]
  return {
    Attributes: {
      ServiceRegistry: registryOf(service),
      Name: service.name,
      Namespace: service.namespace,
      Labels: service.labels,
      ExportTo: exportTo(service.visibility),
      LabelSelectors: service.selector ?? null,
    },
    ports: service.ports.map(({ name, number, protocol }) => ({ name, port: number, protocol: protocol.toUpperCase() })),
    creationTime: service.created,
    hostname: service.host,
    clusterVIPs: { Addresses: { [clusterId]: service.addresses } },
    defaultAddress: first,
    ...(service.autoAddresses.length > 0 && { autoAllocatedAddress: service.autoAddresses[0] }),
    Resolution: RESOLUTIONS[service.resolution],
    MeshExternal: service.external,
  }
}

const registryOf = ({ origin }: Service): string => (origin.kind === 'Service' ? 'Kubernetes' : 'External')

/** Namespaces that may name it, as the keys of a set. */
const exportTo = (visibility: Visibility): Record<string, object> =>
  Object.fromEntries((visibility === '*' ? ['*'] : visibility).map((namespace) => [namespace, {}]))

/** Endpoints by host, namespace and where they were learnt. */
export function endpointShardz(context: DebugContext): unknown {
  const inspection = context.inspect()
  const byHost: Record<string, Record<string, unknown>> = {}
  for (const service of inspection?.services() ?? []) {
    const endpoints = service.ports.flatMap(({ name, number }) =>
      (inspection?.endpoints(service, number) ?? []).map((endpoint) => endpointOf(endpoint, name)),
    )
    if (endpoints.length === 0) continue
    const accounts = new Set(endpoints.map(({ ServiceAccount }) => ServiceAccount).filter((account) => account !== ''))
    const shard = {
      Shards: { [`${registryOf(service)}/${context.clusterId}`]: endpoints },
      ServiceAccounts: Object.fromEntries([...accounts].map((account) => [account, {}])),
    }
    byHost[service.host] = { ...byHost[service.host], [service.namespace]: shard }
  }
  return byHost
}

const endpointOf = (endpoint: Endpoint, portName: string) => ({
  Labels: endpoint.labels,
  Addresses: [endpoint.address, ...endpoint.otherAddresses],
  ServicePortName: portName,
  ServiceAccount: endpoint.serviceAccount,
  Network: endpoint.network,
  Locality: { Label: localityText(endpoint.locality), ClusterID: endpoint.cluster },
  EndpointPort: endpoint.port,
  LbWeight: endpoint.weight,
  TLSMode: endpoint.tlsMode,
  Namespace: endpoint.namespace,
  WorkloadName: endpoint.workload,
  HostName: endpoint.hostname,
  HealthStatus: HEALTHS[endpoint.health],
  NodeName: endpoint.node,
})
