/** `http[].fault` of a VirtualService: delays and aborts, by Envoy's fault filter. */
import { create } from '@bufbuild/protobuf'
import { grpcStatusCode, type HTTPFaultAbort, type HTTPFaultDelay } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import { FaultDelaySchema } from '@lateen/envoy/gen/envoy/extensions/filters/common/fault/v3/fault_pb.js'
import { FaultAbortSchema, HTTPFaultSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { percentage } from '../../builders/percentage.ts'
import type { RouteFeature } from '../route-feature.ts'

/** Envoy looks per-route faults up by this name only. */
export const FAULT_FILTER = 'envoy.filters.http.fault'

export const fault: RouteFeature = (route) => {
  const { delay, abort } = route.fault ?? {}
  if (!delay && !abort) return undefined
  return {
    filters: {
      [FAULT_FILTER]: packAny(HTTPFaultSchema, {
        ...(delay && { delay: delayOf(delay) }),
        ...(abort && { abort: abortOf(abort) }),
      }),
    },
  }
}

function delayOf(delay: HTTPFaultDelay) {
  const share = delay.percentage?.value ?? (delay.percent || 0)
  return create(FaultDelaySchema, {
    percentage: percentage(share),
    faultDelaySecifier: { case: 'fixedDelay', value: duration(parseDuration(delay.fixedDelay ?? '0s') ?? 0) },
  })
}

function abortOf(abort: HTTPFaultAbort) {
  return create(FaultAbortSchema, {
    // Istio: an abort without a percentage is for every request.
    percentage: percentage(abort.percentage ? (abort.percentage.value ?? 0) : 100),
    errorType:
      abort.grpcStatus !== undefined
        ? { case: 'grpcStatus', value: grpcStatusCode(abort.grpcStatus) ?? 2 }
        : { case: 'httpStatus', value: abort.httpStatus ?? 500 },
  })
}
