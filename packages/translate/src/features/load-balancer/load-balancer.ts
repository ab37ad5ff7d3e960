/** `loadBalancer` of a DestinationRule: which host gets the next request. Istio's default is LEAST_REQUEST. */

import type { LoadBalancerSettings } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import { Cluster_LbPolicy } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { ClusterContribution, ClusterFeature, ClusterInit } from '../cluster-feature.ts'

export const loadBalancer: ClusterFeature = (policy, at): ClusterContribution => {
  const settings = policy.loadBalancer
  if (at.service.resolution === 'passthrough' && !at.gateway) return { cluster: { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } }
  if (at.service.resolution === 'dynamic-dns') return { cluster: { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED } }
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

/** A straight rise from a tenth, unless said otherwise. */
const AGGRESSION = 1
const LEAST_PERCENT = 10

function warmup(settings: LoadBalancerSettings | undefined) {
  const warm = settings?.warmup
  if (warm) {
    return {
      slowStartWindow: duration(parseDuration(warm.duration) ?? 0),
      aggression: { defaultValue: warm.aggression ?? AGGRESSION, runtimeKey: 'lateen.slow_start.aggression' },
      minWeightPercent: { value: warm.minimumPercent ?? LEAST_PERCENT },
    }
  }
  if (settings?.warmupDurationSecs) return { slowStartWindow: duration(parseDuration(settings.warmupDurationSecs) ?? 0) }
  return undefined
}

type ConsistentHash = NonNullable<LoadBalancerSettings['consistentHash']>

/** Entries of a hash ring where neither `ringHash` nor `maglev` is given. */
const RING_SIZE = 1024

function hash(settings: ConsistentHash): ClusterInit {
  if (settings.maglev) {
    const { tableSize } = settings.maglev
    return {
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      ...(tableSize && { lbConfig: { case: 'maglevLbConfig' as const, value: { tableSize: BigInt(tableSize) } } }),
    }
  }
  const minimum = settings.ringHash ? settings.ringHash.minimumRingSize : settings.minimumRingSize || RING_SIZE
  return {
    lbPolicy: Cluster_LbPolicy.RING_HASH,
    ...(minimum && { lbConfig: { case: 'ringHashLbConfig' as const, value: { minimumRingSize: BigInt(minimum) } } }),
  }
}
