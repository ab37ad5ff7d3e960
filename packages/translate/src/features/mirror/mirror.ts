/** `http[].mirror` and `mirrors` of a VirtualService: copies of requests whose answers nobody waits for. */
import type { Destination } from '@lateen/api'
import { percentage } from '../../builders/percentage.ts'
import type { RouteContext, RouteFeature } from '../route-feature.ts'

export const mirror: RouteFeature = (route, at) => {
  const share = route.mirrorPercentage ? (route.mirrorPercentage.value ?? 0) : (route.mirrorPercent ?? undefined)
  const copies = [
    ...(route.mirror ? [copy(at, route.mirror, share)] : []),
    ...(route.mirrors ?? []).map((entry) => copy(at, entry.destination, entry.percentage ? (entry.percentage.value ?? 0) : undefined)),
  ]
  const used = copies.filter((entry) => entry !== undefined)
  return used.length > 0 ? { action: { requestMirrorPolicies: used } } : undefined
}

/** Nothing when the share is 0; every request when none is given. */
function copy(at: RouteContext, destination: Destination | undefined, percent: number | undefined) {
  if (!destination || percent === 0) return undefined
  return {
    cluster: at.resolve(destination).cluster,
    runtimeFraction: { defaultValue: percentage(percent ?? 100) },
    traceSampled: false,
  }
}
