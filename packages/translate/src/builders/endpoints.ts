/** Load assignments: the endpoints of a cluster, grouped by locality. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { NO_REVISION, PEER_PARTS, type Peer } from '@lateen/base/call-record'
import type { Resource } from '@lateen/envoy'
import { HealthStatus } from '@lateen/envoy/gen/envoy/config/core/v3/health_check_pb.js'
import type { LbEndpointSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import { ClusterLoadAssignmentSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { type Endpoint, inSubset, localityText, NOWHERE } from '@lateen/model'
import type { Nearness } from '../features/locality/locality.ts'
import { encode } from '../resource.ts'
import { structOf } from './struct.ts'

export type LoadAssignmentInit = Exclude<MessageInitShape<typeof ClusterLoadAssignmentSchema>, { $typeName: string }>
type LbEndpointInit = MessageInitShape<typeof LbEndpointSchema>

export interface AssignmentInput {
  readonly cluster: string
  readonly endpoints: readonly Endpoint[]
  /** Labels of the subset; empty for all. */
  readonly labels: Readonly<Record<string, string>>
  /** Hosts that are to get no new requests are named too, for clients that hold on to them. */
  readonly withDraining?: boolean
  /** Hosts that are not ready are named too. */
  readonly withUnhealthy?: boolean
  /** The client's node, where only endpoints on it count. */
  readonly node?: string | undefined
  /** How near the endpoints are to the client; by default all alike. */
  readonly nearness?: Nearness | undefined
}

/** The load assignment of a cluster as a resource of its own (EDS). */
export function loadAssignment(input: AssignmentInput): Resource {
  return encode(ClusterLoadAssignmentSchema, input.cluster, assignmentInit(input))
}

/** The load assignment of a cluster as a message, for clusters that carry it inline. */
export function assignmentInit(input: AssignmentInput): LoadAssignmentInit {
  const { cluster, nearness } = input
  const used = input.endpoints.filter((endpoint) => isUsed(endpoint, input))
  const weights = nearness?.weights?.(used)
  const groups = new Map<string, { readonly key: string; readonly rank: number; readonly members: Endpoint[] }>()
  for (const endpoint of used) {
    const key = localityText(endpoint.locality)
    if (weights && !weights.has(key)) continue
    const rank = nearness?.priority?.(endpoint) ?? 0
    const group = groups.get(`${rank} ${key}`)
    if (group) group.members.push(endpoint)
    else groups.set(`${rank} ${key}`, { key, rank, members: [endpoint] })
  }
  const ordered = [...groups.values()].sort((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1))
  // Envoy wants priorities without gaps.
  const ranks = [...new Set(ordered.map(({ rank }) => rank))]
  return {
    clusterName: cluster,
    endpoints: ordered.map(({ key, rank, members }) => {
      const locality = members[0]?.locality ?? NOWHERE
      return {
        locality: { region: locality.region, zone: locality.zone, subZone: locality.subzone },
        lbEndpoints: members.map(lbEndpoint),
        loadBalancingWeight: weights?.get(key) ?? members.reduce((sum, endpoint) => sum + endpoint.weight, 0),
        priority: ranks.indexOf(rank),
      }
    }),
  }
}

function isUsed(endpoint: Endpoint, { labels, node, withDraining = false, withUnhealthy = false }: AssignmentInput): boolean {
  if ((endpoint.health === 'unhealthy' && !withUnhealthy) || (endpoint.health === 'draining' && !withDraining)) return false
  if (node !== undefined && endpoint.node !== node) return false
  return inSubset(endpoint, labels)
}

function lbEndpoint(endpoint: Endpoint): LbEndpointInit {
  const canonical =
    endpoint.labels['service.istio.io/canonical-name'] ??
    endpoint.labels['app.kubernetes.io/name'] ??
    endpoint.labels['app'] ??
    endpoint.workload
  const revision =
    endpoint.labels['service.istio.io/canonical-revision'] ??
    endpoint.labels['app.kubernetes.io/version'] ??
    endpoint.labels['version'] ??
    NO_REVISION
  return {
    hostIdentifier: {
      case: 'endpoint',
      value: {
        address: addressInit(endpoint.address, endpoint.port),
        // Envoy tries them one after the other.
        ...(endpoint.otherAddresses.length > 0 && {
          additionalAddresses: endpoint.otherAddresses.map((address) => ({ address: addressInit(address, endpoint.port) })),
        }),
      },
    },
    healthStatus: HEALTH[endpoint.health],
    loadBalancingWeight: endpoint.weight,
    metadata: {
      filterMetadata: {
        ...(endpoint.tlsMode === 'istio' && { 'envoy.transport_socket_match': structOf({ tlsMode: 'istio' }) }),
        ...(endpoint.workload && {
          istio: structOf({ workload: workloadText(endpoint, canonical, revision) }),
        }),
      },
    },
  }
}

/** Who the endpoint is, for the metrics of its callers: Istio's five parts, then the labels `app` and `version` where they are others. */
function workloadText({ workload, namespace, cluster, labels }: Endpoint, service: string, revision: string): string {
  const { app = '', version = '' } = labels
  const values: Peer = { workload, namespace, service, revision, cluster, app, version }
  const told = PEER_PARTS.map((part) => values[part])
  return (app === service && (version || NO_REVISION) === revision ? told.slice(0, 5) : told).join(';')
}

const HEALTH = { healthy: HealthStatus.HEALTHY, unhealthy: HealthStatus.UNHEALTHY, draining: HealthStatus.DRAINING } as const

function addressInit(address: string, port: number) {
  if (address.startsWith('unix://')) return { address: { case: 'pipe' as const, value: { path: address.slice('unix://'.length) } } }
  return {
    address: { case: 'socketAddress' as const, value: { address, portSpecifier: { case: 'portValue' as const, value: port } } },
  }
}
