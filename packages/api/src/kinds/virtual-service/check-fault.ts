/** The check of faults on purpose. */
import type { At } from '../../diagnostics/at.ts'
import { didYouMean } from '../../diagnostics/suggest.ts'
import { GRPC_STATUSES } from '../../grpc-status.ts'
import { checkDuration } from '../../validation/values.ts'
import type { HTTPFaultAbort, HTTPFaultDelay, HTTPFaultInjection, Percent } from './virtual-service.ts'

export function checkFault(fault: HTTPFaultInjection | undefined, at: At): void {
  if (!fault) return
  if (!fault.abort && !fault.delay) at.say('FaultEmpty')
  checkAbort(fault.abort, at.in('abort'))
  checkDelay(fault.delay, at.in('delay'))
}

function checkAbort(abort: HTTPFaultAbort | undefined, at: At): void {
  if (!abort) return
  checkFraction(abort.percentage, at.in('percentage'))
  if (abort.grpcStatus !== undefined) {
    if (!GRPC_STATUSES.includes(abort.grpcStatus)) {
      at.in('grpcStatus').say('GrpcStatus', { status: abort.grpcStatus, hint: didYouMean(abort.grpcStatus, GRPC_STATUSES) })
    }
  } else if (abort.http2Error !== undefined)
    at.in('http2Error').say('NotSupported', { field: 'http2Error', instead: 'use httpStatus or grpcStatus' })
  else if (abort.httpStatus !== undefined) checkHttpStatus(abort.httpStatus, at.in('httpStatus'))
}

/** 600 is let through, as Istio does: Envoy is what refuses it. */
export function checkHttpStatus(status: number | undefined, at: At): void {
  if (status === undefined || status < 200 || status > 600) at.say('HttpStatusRange', { status: status ?? 0 })
}

function checkDelay(delay: HTTPFaultDelay | undefined, at: At): void {
  if (!delay) return
  checkFraction(delay.percentage, at.in('percentage'))
  checkDuration(delay.fixedDelay, at.in('fixedDelay'))
  if (delay.exponentialDelay !== undefined)
    at.in('exponentialDelay').say('NotSupported', { field: 'exponentialDelay', instead: 'use fixedDelay' })
}

function checkFraction(percentage: Percent | undefined, at: At): void {
  const value = percentage?.value ?? 0
  if (value < 0 || value > 100 || (value > 0 && value < 0.0001)) at.in('value').say('FractionRange', { value })
}
