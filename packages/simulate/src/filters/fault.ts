/** The fault filter: delays and aborts for a share of requests. */
import { type HTTPFault, HTTPFaultSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { headerMatches } from '../matching/header-match.ts'
import { fractionOf } from '../matching/route-match.ts'
import { every } from '../matching/verdict.ts'
import { milliseconds } from '../trace/milliseconds.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'

export function runFault({ name, config, perRoute }: FilterSettings, { match }: FilterContext): readonly FilterBranch[] {
  const fault = settingsAs(perRoute, HTTPFaultSchema) ?? settingsAs(config, HTTPFaultSchema)
  if (!fault) return GOES_ON
  if (every(fault.headers, (matcher) => headerMatches(matcher, match.request)) === false) return GOES_ON
  const delay = delayOf(fault)
  const abort = abortOf(fault)
  const branches: FilterBranch[] = []
  for (const delayed of [true, false]) {
    for (const aborted of [true, false]) {
      const share = (delayed ? delay.share : 1 - delay.share) * (aborted ? abort.share : 1 - abort.share)
      if (share > 0) branches.push(branch(name, share, delayed ? delay.ms : undefined, aborted ? abort.status : undefined))
    }
  }
  return branches
}

function delayOf({ delay }: HTTPFault): { readonly share: number; readonly ms: number } {
  if (delay?.faultDelaySecifier.case !== 'fixedDelay') return { share: 0, ms: 0 }
  return { share: fractionOf(delay.percentage, 0), ms: milliseconds(delay.faultDelaySecifier.value) ?? 0 }
}

interface Abort {
  readonly status: number
  readonly says: string
}

function abortOf({ abort }: HTTPFault): { readonly share: number; readonly status: Abort } {
  const type = abort?.errorType
  const status: Abort =
    type?.case === 'grpcStatus'
      ? { status: 200, says: `gRPC status ${type.value}` }
      : { status: type?.case === 'httpStatus' ? type.value : 0, says: `status ${type?.case === 'httpStatus' ? type.value : 0}` }
  return { share: type?.case === 'httpStatus' || type?.case === 'grpcStatus' ? fractionOf(abort?.percentage, 0) : 0, status }
}

function branch(name: string, share: number, delayMs: number | undefined, abort: Abort | undefined): FilterBranch {
  if (delayMs === undefined && !abort) return { share }
  const says = [delayMs !== undefined && `held up for ${delayMs} ms`, abort && `aborted with ${abort.says}`].filter(Boolean).join(', then ')
  return {
    share,
    verdict: { filter: name, result: abort ? 'denied' : 'changed', says: `fault injected: ${says}`, origins: [] },
    ...(delayMs !== undefined && { delayMs }),
    ...(abort && {
      end: {
        kind: 'answer',
        status: abort.status,
        why: `fault injected: ${abort.says}`,
        body: 'fault filter abort',
        flag: 'FI',
        headers: [],
      },
    }),
  }
}
