/**
 * How requests spread over endpoints, as Envoy spreads them: priorities take what those before them cannot carry, localities and endpoints
 * share by weight.
 */
import type { LbEndpoint, LocalityLbEndpoints } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'

/** A priority carries all requests while this many times its healthy share is at least everything. */
const OVERPROVISIONING = 1.4

export function shares(
  groups: readonly LocalityLbEndpoints[],
  healthy: (endpoint: LbEndpoint) => boolean,
  byLocality: boolean,
): ReadonlyMap<LbEndpoint, number> {
  const result = new Map<LbEndpoint, number>()
  const loads = priorityLoads(groups, healthy)
  for (const [priority, load] of loads) {
    const members = groups.filter((group) => group.priority === priority)
    const localities = byLocality
      ? members.map((group) => ({ endpoints: group.lbEndpoints, weight: localityWeight(group, healthy) }))
      : [{ endpoints: members.flatMap((group) => group.lbEndpoints), weight: 1 }]
    const total = localities.reduce((sum, { weight }) => sum + weight, 0)
    for (const { endpoints, weight } of localities) {
      const up = endpoints.filter(healthy)
      const sum = up.reduce((all, endpoint) => all + weightOf(endpoint), 0)
      for (const endpoint of up) result.set(endpoint, total > 0 ? (load * (weight / total) * weightOf(endpoint)) / sum : 0)
    }
  }
  return result
}

const weightOf = ({ loadBalancingWeight }: LbEndpoint): number => loadBalancingWeight ?? 1

function localityWeight(group: LocalityLbEndpoints, healthy: (endpoint: LbEndpoint) => boolean): number {
  const up = group.lbEndpoints.filter(healthy).length
  const availability = group.lbEndpoints.length === 0 ? 0 : Math.min(1, (OVERPROVISIONING * up) / group.lbEndpoints.length)
  return (group.loadBalancingWeight ?? 0) * availability
}

function priorityLoads(groups: readonly LocalityLbEndpoints[], healthy: (endpoint: LbEndpoint) => boolean): ReadonlyMap<number, number> {
  const priorities = [...new Set(groups.map(({ priority }) => priority))].sort((a, b) => a - b)
  const loads = new Map<number, number>()
  const capacities = priorities.map((priority) => {
    const all = groups.filter((group) => group.priority === priority).flatMap(({ lbEndpoints }) => lbEndpoints)
    return all.length === 0 ? 0 : Math.min(1, (OVERPROVISIONING * all.filter(healthy).length) / all.length)
  })
  // When all of them together cannot carry everything, each gets its part of what there is.
  const scale =
    Math.min(
      1,
      capacities.reduce((sum, capacity) => sum + capacity, 0),
    ) || 1
  let left = 1
  for (const [index, priority] of priorities.entries()) {
    const load = Math.min(left, (capacities[index] ?? 0) / scale)
    loads.set(priority, load)
    left -= load
  }
  return loads
}
