/** Clusters to which a gateway passes mutual TLS of the mesh as it is, by the server name that names the cluster (AUTO_PASSTHROUGH). */
import type { TrafficPolicy } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { EffectiveRule, Endpoint, MeshSettings, Service, ServicePort } from '@lateen/model'
import type { ClusterContext, ClusterInit } from '../features/cluster-feature.ts'
import { connectionPool } from '../features/connection-pool/connection-pool.ts'
import { loadBalancer } from '../features/load-balancer/load-balancer.ts'
import { outlierDetection } from '../features/outlier-detection/outlier-detection.ts'
import { clusterSni } from '../names.ts'
import { encode } from '../resource.ts'
import { ads } from './config-source.ts'
import { loadAssignment } from './endpoints.ts'
import { policyOf } from './traffic-policy.ts'

export interface SniDnatInput {
  readonly service: Service
  readonly port: ServicePort
  readonly rule: EffectiveRule | undefined
  readonly settings: MeshSettings
  readonly endpoints: readonly Endpoint[]
}

export interface SniDnat {
  readonly subset: string
  readonly name: string
  readonly cluster: Resource
  readonly endpoints: Resource
}

/** The cluster of a port and those of its subsets. Nothing here looks inside the bytes, so that only settings for bytes count. */
export function sniDnatClusters(input: SniDnatInput): SniDnat[] {
  const { service, port, rule } = input
  // Only endpoints that end mutual TLS themselves: whoever connects is known by its certificate, or refused.
  const mutual = input.endpoints.filter((endpoint) => endpoint.tlsMode === 'istio')
  return [{ name: '', labels: {} }, ...(rule?.subsets ?? [])].map((subset) => {
    const name = clusterSni(port.number, subset.name, service.host)
    return {
      subset: subset.name,
      name,
      cluster: encode(ClusterSchema, name, {
        name,
        ...bytesPolicy(input, subset.name, policyOf(rule, subset.name, port.number)),
        clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
        edsClusterConfig: { edsConfig: ads(), serviceName: name },
      }),
      endpoints: loadAssignment({ cluster: name, endpoints: mutual, labels: subset.labels ?? {} }),
    }
  })
}

function bytesPolicy(input: SniDnatInput, subset: string, policy: TrafficPolicy): ClusterInit {
  const { service, port, settings } = input
  const at: ClusterContext = {
    service,
    port,
    subset,
    settings,
    gateway: true,
    identities: [],
    allMutual: true,
    ruleSelects: false,
  }
  const parts = [connectionPool, outlierDetection, loadBalancer].map((feature) => feature(policy, at)?.cluster ?? {})
  const cluster: ClusterInit = Object.assign({}, ...parts)
  // There is no address that the caller dialled.
  return cluster.lbPolicy === Cluster_LbPolicy.CLUSTER_PROVIDED ? { ...cluster, lbPolicy: Cluster_LbPolicy.ROUND_ROBIN } : cluster
}
