/** `http[].timeout` of a VirtualService. Without one, requests may take for ever, as in Istio. */
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import type { RouteActionInit, RouteFeature } from '../route-feature.ts'

export const timeout: RouteFeature = (route) => ({ action: limitOf(parseDuration(route.timeout ?? '0s') ?? 0) })

/**
 * The limit of a route in milliseconds, 0 for none. A caller's own deadline (`grpc-timeout`) is held to it; with none, the deadline
 * does not count. Not `maxStreamDuration`: that would end streams while their requests are still being sent.
 */
export function limitOf(milliseconds: number): RouteActionInit {
  const limit = duration(milliseconds)
  return { timeout: limit, maxGrpcTimeout: limit }
}
