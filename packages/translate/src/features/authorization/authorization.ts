/**
 * AuthorizationPolicy: rules that allow and deny, as Envoy's RBAC filters.
 *
 * One filter for each action, in the order AUDIT, DENY, ALLOW. A request that any DENY rule matches is refused; where there are
 * ALLOW policies, one of their rules must match. Each rule is a policy of its own, named `ns[..]-policy[..]-rule[n]`: the name
 * stands in the access log of what it refused. Policies with the dry-run annotation are shadow rules, which only count.
 *
 * CUSTOM policies mark requests for an external authorizer: a shadow filter evaluates them, and the authorizer's filter is on where
 * its result names one of them.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '@lateen/envoy'
import { RBAC_Action as Action, type RBACSchema as RulesSchema } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import { RBACSchema as HttpRbacSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { RBACSchema as NetworkRbacSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import type { AuthorizationAction, AuthorizationPolicy, MeshSettings } from '@lateen/model'
import { type HttpFilterInit, httpFilter, type NetworkFilterInit, networkFilter } from '../../builders/filter-order.ts'
import { type Authorizer, httpAuthorizer, networkAuthorizer } from '../external-authorization/authorizer.ts'
import { NEVER, type PolicyInit, rulePolicy } from './rule.ts'

export const HTTP_RBAC = 'envoy.filters.http.rbac'
export const NETWORK_RBAC = 'envoy.filters.network.rbac'

/** What statistics of connections begin with. */
const TCP_PREFIX = 'tcp.'

/** What names of statistics and metadata of rules without effect begin with. */
const SHADOW_PREFIX = { ALLOW: 'istio_dry_run_allow_', DENY: 'istio_dry_run_deny_', AUDIT: '', CUSTOM: 'istio_ext_authz_' } as const

type Rules = Exclude<MessageInitShape<typeof RulesSchema>, { $typeName: string }>

export interface AuthorizationInput {
  readonly policies: readonly AuthorizationPolicy[]
  readonly settings: MeshSettings
  /** The authorizer of a name; undefined for one that is not there or cannot be used. */
  readonly authorizerOf: (provider: string) => Authorizer | undefined
}

interface Chain<F> {
  readonly http: boolean
  rbac(config: RbacConfig): F
  /** Undefined for an authorizer that cannot be asked on such a chain. */
  authorizer(authorizer: Authorizer, marked: string): F | undefined
}

interface RbacConfig {
  readonly rules?: Rules
  readonly shadowRules?: Rules
  readonly shadowRulesStatPrefix?: string
}

const HTTP: Chain<HttpFilterInit> = {
  http: true,
  rbac: (config) => httpFilter(HTTP_RBAC, packAny(HttpRbacSchema, config)),
  authorizer: (authorizer, marked) => httpAuthorizer(authorizer, mark(HTTP_RBAC, marked)),
}

const BYTES: Chain<NetworkFilterInit> = {
  http: false,
  rbac: (config) => networkFilter(NETWORK_RBAC, packAny(NetworkRbacSchema, { ...config, statPrefix: TCP_PREFIX })),
  authorizer: (authorizer, marked) => networkAuthorizer(authorizer, mark(NETWORK_RBAC, marked)),
}

/** The filters of ALLOW, DENY and AUDIT policies on chains of requests. */
export const httpAuthorization = (input: AuthorizationInput): HttpFilterInit[] => authorization(input, HTTP)
/** The same on chains of bytes, where only what a connection shows can be asked. */
export const networkAuthorization = (input: AuthorizationInput): NetworkFilterInit[] => authorization(input, BYTES)
/** The filters of CUSTOM policies. */
export const httpAuthorizers = (input: AuthorizationInput): HttpFilterInit[] => authorizers(input, HTTP)
export const networkAuthorizers = (input: AuthorizationInput): NetworkFilterInit[] => authorizers(input, BYTES)

const ACTIONS = [
  ['AUDIT', Action.LOG],
  ['DENY', Action.DENY],
  ['ALLOW', Action.ALLOW],
] as const

function authorization<F>({ policies, settings }: AuthorizationInput, chain: Chain<F>): F[] {
  return ACTIONS.flatMap(([action, code]) => {
    const own = policies.filter((policy) => policy.action === action)
    if (own.length === 0) return []
    const [dry, live] = [own.filter((policy) => policy.dryRun), own.filter((policy) => !policy.dryRun)]
    const at = { action, http: chain.http, settings }
    return [
      chain.rbac({
        ...(live.length > 0 && { rules: { action: code, policies: policiesOf(live, at) } }),
        ...(dry.length > 0 && {
          shadowRules: { action: code, policies: policiesOf(dry, at) },
          shadowRulesStatPrefix: SHADOW_PREFIX[action],
        }),
      }),
    ]
  })
}

function authorizers<F>({ policies, settings, authorizerOf }: AuthorizationInput, chain: Chain<F>): F[] {
  // A policy on trial asks nobody: an authorizer's answer could not be had without effect.
  const own = policies.filter((policy) => policy.action === 'CUSTOM' && !policy.dryRun)
  const providers = [...new Set(own.map((policy) => policy.provider))].sort()
  const tooMany = providers.length > 1 && !settings.switches.severalAuthorizers
  return providers.flatMap((provider) => {
    const marked = `istio-ext-authz-${provider && `${provider}-`}`
    const at = { action: 'CUSTOM' as const, http: chain.http, settings, marked }
    const rules = policiesOf(
      own.filter((policy) => policy.provider === provider),
      at,
    )
    const authorizer = tooMany ? undefined : authorizerOf(provider)
    // Nobody to ask: what should have been asked for is refused.
    if (!authorizer) return [chain.rbac({ rules: { action: Action.DENY, policies: refusals(rules) } })]
    const asking = chain.authorizer(authorizer, marked)
    if (!asking) return []
    const shadowRules = { action: Action.DENY, policies: rules }
    return [chain.rbac({ shadowRules, shadowRulesStatPrefix: SHADOW_PREFIX.CUSTOM }), asking]
  })
}

const refusals = (rules: Readonly<Record<string, PolicyInit>>): Record<string, PolicyInit> =>
  Object.fromEntries(Object.entries(rules).map(([name, policy]) => [`${name}-deny-due-to-bad-CUSTOM-action`, policy]))

interface PoliciesContext {
  readonly action: AuthorizationAction
  readonly http: boolean
  readonly settings: MeshSettings
  readonly marked?: string
}

function policiesOf(policies: readonly AuthorizationPolicy[], at: PoliciesContext): Record<string, PolicyInit> {
  const { trustDomain, trustDomainAliases } = at.settings
  const trustDomains = [trustDomain, ...trustDomainAliases]
  const made: Record<string, PolicyInit> = {}
  for (const { namespace, name, rules, everySpelling = at.settings.switches.everySpelling } of policies) {
    const nameOf = (rule: number) => `${at.marked ?? ''}ns[${namespace}]-policy[${name}]-rule[${rule}]`
    // Said in so many words, so that the log can name the policy that allows nothing.
    if (rules.length === 0) made[nameOf(0)] = NEVER
    for (const [i, rule] of rules.entries()) {
      const policy = rulePolicy(rule, { http: at.http, allows: at.action === 'ALLOW', everySpelling, namespace, trustDomains })
      if (policy) made[nameOf(i)] = policy
    }
  }
  return made
}

/** Whether the shadow filter's result names a policy that is marked so. */
function mark(filter: string, marked: string) {
  return {
    filter,
    path: [{ segment: { case: 'key' as const, value: `${SHADOW_PREFIX.CUSTOM}shadow_effective_policy_id` } }],
    value: {
      matchPattern: { case: 'stringMatch' as const, value: { matchPattern: { case: 'prefix' as const, value: `${marked}ns[` } } },
    },
  }
}
