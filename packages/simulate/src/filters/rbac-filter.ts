/** The RBAC filters, of requests and of connections: rules that decide, and shadow rules that only note what they would. */
import type { MessageShape } from '@bufbuild/protobuf'
import { RBAC_Action as Action, type RBAC } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { RBACPerRouteSchema, RBACSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import type { RBAC as NetworkRbac } from '@lateen/envoy/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { type FilterNotes, UNKNOWN_NOTES } from '../matching/metadata-match.ts'
import type { Truth } from '../matching/verdict.ts'
import type { TraceCall } from '../trace/call.ts'
import type { Origin } from '../trace/origin.ts'
import type { AskedPolicies, FilterVerdict } from '../trace/outcome.ts'
import { type FilterBranch, type FilterContext, type FilterSettings, GOES_ON, settingsAs } from './filter.ts'
import { decideRbac, matchesOf, type RbacSubject, type RbacVerdict } from './rbac.ts'

const NOTES = 'envoy.filters.http.rbac'

export function runRbac({ name, config, perRoute }: FilterSettings, at: FilterContext): readonly FilterBranch[] {
  const override = settingsAs(perRoute, RBACPerRouteSchema)
  const settings = override ? override.rbac : settingsAs(config, RBACSchema)
  if (!settings) return GOES_ON
  const subject = { call: at.call, request: at.match.request, notes: at.notes }
  const shadow = settings.shadowRules && decideRbac(settings.shadowRules, subject)
  const notes = shadow ? { notes: noted(at.notes, settings.shadowRulesStatPrefix, shadow) } : {}
  const trial = shadow && trialOf(name, settings, { shadow, subject })
  if (!settings.rules) return [{ share: 1, ...notes, ...(trial && { verdict: trial }) }]
  const decided = decideRbac(settings.rules, subject)
  const verdict = { ...verdictOf(name, decided), asked: askedOf(settings.rules, subject, false), ...(trial && { trial }) }
  if (decided.allowed !== false) return [{ share: 1, verdict, ...notes }]
  return [
    { share: 1, verdict, end: { kind: 'answer', status: 403, why: verdict.says, body: 'RBAC: access denied', flag: '', headers: [] } },
  ]
}

/** The verdict of the filter for connections; undefined when it has no rules that decide. */
export function networkRbacVerdict(name: string, settings: NetworkRbac, call: TraceCall): FilterVerdict | undefined {
  if (!settings.rules) return undefined
  const subject = { call, request: undefined, notes: new Map() }
  return { ...verdictOf(name, decideRbac(settings.rules, subject)), asked: askedOf(settings.rules, subject, false) }
}

/** Marks of requests that an external authorizer decides; the filter that asks it speaks of them. */
const MARKS = 'istio_ext_authz_'

/** What policies on trial would do. */
function trialOf(
  name: string,
  { shadowRules, shadowRulesStatPrefix }: MessageShape<typeof RBACSchema>,
  { shadow, subject }: { readonly shadow: RbacVerdict; readonly subject: RbacSubject },
): FilterVerdict | undefined {
  if (!shadowRules || shadowRulesStatPrefix === MARKS) return undefined
  const would = verdictOf(name, shadow)
  return { ...would, result: 'allowed', says: `on trial, would be ${would.says}`, asked: askedOf(shadowRules, subject, true) }
}

function askedOf(rules: RBAC, subject: RbacSubject, onTrial: boolean): AskedPolicies {
  const policies = matchesOf(rules, subject).map(([name, matches]) => ({ name, matches, origins: policyOrigins(name) }))
  return { action: ACTION[rules.action], onTrial, policies }
}

const ACTION = { [Action.ALLOW]: 'ALLOW', [Action.DENY]: 'DENY', [Action.LOG]: 'LOG' } as const

function verdictOf(filter: string, { allowed, policy }: RbacVerdict): FilterVerdict {
  const origins = policy === undefined ? [] : policyOrigins(policy)
  const by = policy === undefined ? 'no policy matches' : `policy ${policy}${policy.endsWith(UNUSABLE) ? UNUSABLE_TEXT : ''}`
  return { filter, result: RESULT(allowed), says: `${WORD(allowed)}: ${by}`, ...(policy !== undefined && { policy }), origins }
}

/** How translation marks CUSTOM policies whose provider cannot be used. */
const UNUSABLE = '-deny-due-to-bad-CUSTOM-action'
const UNUSABLE_TEXT =
  ' (its provider is none of the extensionProviders of the mesh configuration, or cannot be used: what it speaks of is denied)'

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
