/** The RBAC filters, of requests and of connections: rules that decide, and shadow rules that only note what they would. */
import { RBACPerRouteSchema, RBACSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import type { RBAC as NetworkRbac } from '@lateen/envoy/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { type FilterNotes, UNKNOWN_NOTES } from '../matching/metadata-match.ts'
import type { Truth } from '../matching/verdict.ts'
import type { TraceCall } from '../trace/call.ts'
import type { Origin } from '../trace/origin.ts'
import type { FilterVerdict } from '../trace/outcome.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'
import { decideRbac, type RbacVerdict } from './rbac.ts'

const NOTES = 'envoy.filters.http.rbac'

export function runRbac({ name, config, perRoute }: FilterSettings, at: FilterContext): readonly FilterBranch[] {
  const override = settingsAs(perRoute, RBACPerRouteSchema)
  const settings = override ? override.rbac : settingsAs(config, RBACSchema)
  if (!settings) return GOES_ON
  const subject = { call: at.call, request: at.match.request, notes: at.notes }
  const shadow = settings.shadowRules && decideRbac(settings.shadowRules, subject)
  const notes = shadow ? { notes: noted(at.notes, settings.shadowRulesStatPrefix, shadow) } : {}
  if (!settings.rules) return [{ share: 1, ...notes }]
  const decided = decideRbac(settings.rules, subject)
  const verdict = verdictOf(name, decided)
  if (decided.allowed !== false) return [{ share: 1, verdict, ...notes }]
  return [
    { share: 1, verdict, end: { kind: 'answer', status: 403, why: verdict.says, body: 'RBAC: access denied', flag: '', headers: [] } },
  ]
}

/** The verdict of the filter for connections; undefined when it has no rules that decide. */
export function networkRbacVerdict(name: string, settings: NetworkRbac, call: TraceCall): FilterVerdict | undefined {
  if (!settings.rules) return undefined
  return verdictOf(name, decideRbac(settings.rules, { call, request: undefined, notes: new Map() }))
}

function verdictOf(filter: string, { allowed, policy }: RbacVerdict): FilterVerdict {
  const origins = policy === undefined ? [] : policyOrigins(policy)
  const by = policy === undefined ? 'no policy matches' : `policy ${policy}`
  return { filter, result: RESULT(allowed), says: `${WORD(allowed)}: ${by}`, ...(policy !== undefined && { policy }), origins }
}

const RESULT = (allowed: Truth) => (allowed === 'unknown' ? 'unknown' : allowed ? 'allowed' : 'denied')
const WORD = (allowed: Truth) => (allowed === 'unknown' ? 'cannot be decided from here' : allowed ? 'allowed' : 'denied')

function noted(notes: FilterNotes, prefix: string, { allowed, policy }: RbacVerdict): FilterNotes {
  const known = notes.get(NOTES)
  const next =
    allowed === 'unknown'
      ? UNKNOWN_NOTES
      : {
          ...(typeof known === 'object' ? known : {}),
          [`${prefix}shadow_engine_result`]: allowed ? 'allowed' : 'denied',
          ...(policy !== undefined && { [`${prefix}shadow_effective_policy_id`]: policy }),
        }
  return new Map(notes).set(NOTES, next)
}

const POLICY = /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]/

/** Policies are named after the object and the rule that they are made from. */
export function policyOrigins(policy: string): Origin[] {
  const [, namespace, name, rule] = POLICY.exec(policy) ?? []
  return namespace === undefined || name === undefined
    ? []
    : [{ kind: 'AuthorizationPolicy', namespace, name, path: `spec.rules[${rule}]` }]
}
