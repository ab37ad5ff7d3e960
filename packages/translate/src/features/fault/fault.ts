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
  const delay = delayOf(route.fault?.delay)
  const abort = abortOf(route.fault?.abort)
  if (!delay && !abort) return undefined
  return { filters: { [FAULT_FILTER]: packAny(HTTPFaultSchema, { ...(delay && { delay }), ...(abort && { abort }) }) } }
}

/** Only a fixed delay is one that Envoy knows; without a share no request is delayed. */
function delayOf(delay: HTTPFaultDelay | undefined) {
  const length = delay?.fixedDelay === undefined ? undefined : parseDuration(delay.fixedDelay)
  if (!delay || length === undefined) return undefined
  return create(FaultDelaySchema, {
    percentage: percentage(delay.percentage ? (delay.percentage.value ?? 0) : (delay.percent ?? 0)),
    faultDelaySecifier: { case: 'fixedDelay', value: duration(length) },
  })
}

/** Without a share no request is aborted, as in Istio. */
function abortOf(abort: HTTPFaultAbort | undefined) {
  const errorType = abort && errorOf(abort)
  if (!errorType) return undefined
  return create(FaultAbortSchema, { ...(abort.percentage && { percentage: percentage(abort.percentage.value ?? 0) }), errorType })
}

function errorOf({ grpcStatus, httpStatus }: HTTPFaultAbort) {
  if (httpStatus !== undefined) return { case: 'httpStatus' as const, value: httpStatus }
  const code = grpcStatus === undefined ? undefined : grpcStatusCode(grpcStatus)
  return code === undefined ? undefined : { case: 'grpcStatus' as const, value: code }
}
