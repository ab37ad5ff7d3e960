/** `http[].timeout` of a VirtualService. Without one, requests may take for ever, as in Istio. */
import { parseDuration } from '@lateen/base'
import { duration } from '@lateen/envoy'
import type { RouteFeature } from '../route-feature.ts'

export const timeout: RouteFeature = (route) => {
  const limit = duration(parseDuration(route.timeout ?? '0s') ?? 0)
  // Streams with a deadline of their own (grpc-timeout) are held to the same limit; 0 means the caller's deadline is ignored.
  return { action: { timeout: limit, maxStreamDuration: { maxStreamDuration: limit, grpcTimeoutHeaderMax: limit } } }
}
