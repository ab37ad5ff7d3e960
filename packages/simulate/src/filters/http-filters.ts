/** The HTTP filters of a connection manager, run in order up to the router. */
import type { HttpFilter } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { FilterVerdict } from '../trace/outcome.ts'
import { runCors } from './cors.ts'
import { runExtAuthz } from './ext-authz.ts'
import { runFault } from './fault.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, perRouteSetting } from './filter.ts'
import { runJwt } from './jwt.ts'
import { runRbac } from './rbac-filter.ts'

type Runner = (settings: FilterSettings, at: FilterContext) => readonly FilterBranch[]

const TYPES = 'type.googleapis.com/envoy.extensions.filters.http.'

/** By what a filter's settings are, for its name is free. */
const RUNNERS: ReadonlyMap<string, Runner> = new Map([
  [`${TYPES}cors.v3.Cors`, runCors],
  [`${TYPES}fault.v3.HTTPFault`, runFault],
  [`${TYPES}rbac.v3.RBAC`, runRbac],
  [`${TYPES}jwt_authn.v3.JwtAuthentication`, runJwt],
  [`${TYPES}ext_authz.v3.ExtAuthz`, runExtAuthz],
])

/** Filters that may answer a request or change its way, by rules that are not understood here. */
const OPAQUE = ['lua', 'wasm', 'ext_proc', 'ratelimit', 'local_ratelimit', 'composite', 'oauth2', 'basic_auth', 'admission_control']

/** What becomes of a request in the filters: how often, with which verdicts. */
export interface FilterOutcome {
  readonly share: number
  readonly verdicts: readonly FilterVerdict[]
  readonly delayMs: number
  readonly end: FilterBranch['end']
}

export function runFilters(
  filters: readonly HttpFilter[],
  levels: Parameters<typeof perRouteSetting>[0],
  at: FilterContext,
): readonly FilterOutcome[] {
  interface Running extends FilterOutcome {
    readonly notes: FilterContext['notes']
  }
  let running: readonly Running[] = [{ share: 1, verdicts: [], delayMs: 0, end: undefined, notes: at.notes }]
  for (const filter of filters) {
    running = running.flatMap((so): Running[] => {
      if (so.end) return [so]
      return branchesOf(filter, levels, { ...at, notes: so.notes }).map((branch) => ({
        share: so.share * branch.share,
        verdicts: branch.verdict ? [...so.verdicts, branch.verdict] : so.verdicts,
        delayMs: so.delayMs + (branch.delayMs ?? 0),
        notes: branch.notes ?? so.notes,
        end: branch.end,
      }))
    })
  }
  return running
}

function branchesOf(filter: HttpFilter, levels: Parameters<typeof perRouteSetting>[0], at: FilterContext): readonly FilterBranch[] {
  const perRoute = perRouteSetting(levels, filter.name)
  if (perRoute ? perRoute.disabled : filter.disabled) return GOES_ON
  if (filter.configType.case !== 'typedConfig') return opaque(filter, true)
  const config = filter.configType.value
  const run = RUNNERS.get(config.typeUrl)
  return run ? run({ name: filter.name, config, perRoute: perRoute?.config }, at) : opaque(filter, isOpaque(config.typeUrl))
}

const isOpaque = (typeUrl: string): boolean => OPAQUE.some((name) => typeUrl.startsWith(`${TYPES}${name}.`))

function opaque({ name }: HttpFilter, telling: boolean): readonly FilterBranch[] {
  if (!telling) return GOES_ON
  const says = 'may answer or change the request; what it does is not known here'
  return [{ share: 1, verdict: { filter: name, result: 'unknown', says, origins: [] } }]
}
