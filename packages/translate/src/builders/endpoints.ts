/** Load assignments: the endpoints of a cluster, grouped by locality. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Resource } from '@lateen/envoy'
import { HealthStatus } from '@lateen/envoy/gen/envoy/config/core/v3/health_check_pb.js'
import { ClusterLoadAssignmentSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import type { LbEndpointSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import { type Endpoint, type Locality, localityText, selects } from '@lateen/model'
import { encode } from '../resource.ts'
import { structOf } from './struct.ts'

export type LoadAssignmentInit = Exclude<MessageInitShape<typeof ClusterLoadAssignmentSchema>, { $typeName: string }>
type LbEndpointInit = MessageInitShape<typeof LbEndpointSchema>

export interface AssignmentInput {
  readonly cluster: string
  readonly endpoints: readonly Endpoint[]
  /** Labels of the subset; empty for all. */
  readonly labels: Readonly<Record<string, string>>
  /** Priority and weight of each locality; by default all alike. */
  readonly rank?: (locality: Locality) => { readonly priority: number; readonly weight: number | undefined }
}

/** The load assignment of a cluster as a resource of its own (EDS). */
export function loadAssignment(input: AssignmentInput): Resource {
  return encode(ClusterLoadAssignmentSchema, input.cluster, assignmentInit(input))
}

/** The load assignment of a cluster as a message, for clusters that carry it inline. */
export function assignmentInit(input: AssignmentInput): LoadAssignmentInit {
  const groups = new Map<string, Endpoint[]>()
  for (const endpoint of input.endpoints) {
    if (endpoint.health === 'unhealthy' || !selects(input.labels, endpoint.labels)) continue
    const key = localityText(endpoint.locality)
    const group = groups.get(key)
    if (group) group.push(endpoint)
    else groups.set(key, [endpoint])
  }
  return {
    clusterName: input.cluster,
    endpoints: [...groups]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, endpoints]) => {
        const locality = endpoints[0]?.locality ?? { region: '', zone: '', subzone: '' }
        const rank = input.rank?.(locality)
        return {
          locality: { region: locality.region, zone: locality.zone, subZone: locality.subzone },
          lbEndpoints: endpoints.map(lbEndpoint),
          loadBalancingWeight: rank?.weight ?? endpoints.reduce((sum, endpoint) => sum + endpoint.weight, 0),
          priority: rank?.priority ?? 0,
        }
      }),
  }
}

function lbEndpoint(endpoint: Endpoint): LbEndpointInit {
  const canonical = endpoint.labels['service.istio.io/canonical-name'] ?? endpoint.labels['app.kubernetes.io/name'] ?? endpoint.labels['app'] ?? endpoint.workload
  const revision = endpoint.labels['service.istio.io/canonical-revision'] ?? endpoint.labels['app.kubernetes.io/version'] ?? endpoint.labels['version'] ?? 'latest'
  return {
    hostIdentifier: {
      case: 'endpoint',
      value: { address: addressInit(endpoint) },
    },
    healthStatus: endpoint.health === 'draining' ? HealthStatus.DRAINING : HealthStatus.HEALTHY,
    loadBalancingWeight: endpoint.weight,
    metadata: {
      filterMetadata: {
        ...(endpoint.tlsMode === 'istio' && { 'envoy.transport_socket_match': structOf({ tlsMode: 'istio' }) }),
        ...(endpoint.workload && {
          istio: structOf({ workload: [endpoint.workload, endpoint.namespace, canonical, revision, endpoint.cluster].join(';') }),
        }),
      },
    },
  }
}

function addressInit(endpoint: Endpoint) {
  if (endpoint.address.startsWith('unix://')) return { address: { case: 'pipe' as const, value: { path: endpoint.address.slice('unix://'.length) } } }
  return { address: { case: 'socketAddress' as const, value: { address: endpoint.address, portSpecifier: { case: 'portValue' as const, value: endpoint.port } } } }
}
