/** `loadBalancer` of a DestinationRule: which host gets the next request. Istio's default is LEAST_REQUEST. */

import type { LoadBalancerSettings } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import { Cluster_LbPolicy, Cluster_RingHashLbConfig_HashFunction } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { ClusterContribution, ClusterFeature, ClusterInit } from '../cluster-feature.ts'

export const loadBalancer: ClusterFeature = (policy, at): ClusterContribution => {
  const settings = policy.loadBalancer
  if (at.service.resolution === 'passthrough' && !at.gateway) return { cluster: { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } }
  if (settings?.consistentHash) return { cluster: hash(settings.consistentHash) }
  const slowStart = warmup(settings)
  switch (settings?.simple) {
    case 'ROUND_ROBIN':
      return {
        cluster: {
          lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
          ...(slowStart && { lbConfig: { case: 'roundRobinLbConfig', value: { slowStartConfig: slowStart } } }),
        },
      }
    case 'RANDOM':
      return { cluster: { lbPolicy: Cluster_LbPolicy.RANDOM } }
    case 'PASSTHROUGH':
      return { cluster: { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } }
    default:
      return {
        cluster: {
          lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
          ...(slowStart && { lbConfig: { case: 'leastRequestLbConfig', value: { slowStartConfig: slowStart } } }),
        },
      }
  }
}

function warmup(settings: LoadBalancerSettings | undefined) {
  const warm = settings?.warmup
  if (warm?.duration) {
    return {
      slowStartWindow: duration(parseDuration(warm.duration) ?? 0),
      ...(warm.aggression && { aggression: { defaultValue: warm.aggression, runtimeKey: 'lateen.slow_start.aggression' } }),
      ...(warm.minimumPercent && { minWeightPercent: { value: warm.minimumPercent } }),
    }
  }
  if (settings?.warmupDurationSecs) return { slowStartWindow: duration(parseDuration(settings.warmupDurationSecs) ?? 0) }
  return undefined
}

type ConsistentHash = NonNullable<LoadBalancerSettings['consistentHash']>

function hash(settings: ConsistentHash): ClusterInit {
  if (settings.maglev) {
    return {
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      lbConfig: { case: 'maglevLbConfig', value: settings.maglev.tableSize ? { tableSize: BigInt(settings.maglev.tableSize) } : {} },
    }
  }
  const minimum = settings.ringHash?.minimumRingSize ?? settings.minimumRingSize
  return {
    lbPolicy: Cluster_LbPolicy.RING_HASH,
    lbConfig: {
      case: 'ringHashLbConfig',
      value: { hashFunction: Cluster_RingHashLbConfig_HashFunction.XX_HASH, ...(minimum ? { minimumRingSize: BigInt(minimum) } : {}) },
    },
  }
}
