/** `http[].mirror` and `mirrors` of a VirtualService: copies of requests whose answers nobody waits for. */
import type { Destination } from '@lateen/api'
import { percentage } from '../../builders/percentage.ts'
import type { RouteContext, RouteFeature } from '../route-feature.ts'

export const mirror: RouteFeature = (route, at) => {
  const copies = route.mirrors?.length
    ? route.mirrors.map((entry) => copy(at, entry.destination, entry.percentage?.value))
    : route.mirror
      ? [copy(at, route.mirror, route.mirrorPercentage ? (route.mirrorPercentage.value ?? 0) : (route.mirrorPercent ?? undefined))]
      : []
  const used = copies.filter((entry) => entry !== undefined)
  return used.length > 0 ? { action: { requestMirrorPolicies: used } } : undefined
}

/** Nothing when the share is 0; every request when none is given. */
function copy(at: RouteContext, destination: Destination, percent: number | undefined) {
  if (percent === 0) return undefined
  return {
    cluster: at.resolve(destination).cluster,
    runtimeFraction: { defaultValue: percentage(percent ?? 100) },
    traceSampled: false,
  }
}
