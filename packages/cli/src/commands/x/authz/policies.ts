/** The authorization policies that a proxy enforces, read off the RBAC filters of its listeners. */
import type { ConfigDump } from '../../../config-dump/dump.ts'
import { at, fields, list, text } from '../../../config-dump/fields.ts'
import { listenersOf } from '../../../config-dump/listeners.ts'

export interface EnforcedPolicy {
  /** `CUSTOM`, `DENY`, `ALLOW` or `LOG`, as the filter has it. */
  readonly action: string
  /** `name.namespace`. */
  readonly policy: string
  readonly rules: number
}

const HTTP_RBAC = 'envoy.extensions.filters.http.rbac.v3.RBAC'
const TCP_RBAC = 'envoy.extensions.filters.network.rbac.v3.RBAC'
/** A filter without policies: an ALLOW that allows nothing. */
export const NOTHING = '_anonymous_match_nothing_'
const CUSTOM_PREFIX = 'istio-ext-authz-'
/** The order in which they are evaluated. */
const ORDER = ['CUSTOM', 'DENY', 'ALLOW', 'LOG']

/** By action, then by name. */
export function enforcedPolicies(dump: ConfigDump): EnforcedPolicy[] {
  const rules = new Map<string, Set<string>>()
  for (const { action, name } of listenersOf(dump).flatMap(chainsOf).flatMap(rbacFilters).flatMap(policiesIn)) {
    const { policy, rule, custom } = partsOf(name)
    const key = `${custom ? 'CUSTOM' : action} ${policy}`
    rules.set(key, (rules.get(key) ?? new Set()).add(rule))
  }
  return [...rules]
    .map(([key, { size }]) => ({ action: key.split(' ')[0] ?? '', policy: key.slice(key.indexOf(' ') + 1), rules: size }))
    .sort((a, b) => ORDER.indexOf(a.action) - ORDER.indexOf(b.action) || (a.policy < b.policy ? -1 : 1))
}

function chainsOf(listener: unknown): readonly unknown[] {
  const last = at(listener, 'default_filter_chain')
  return [...list(at(listener, 'filter_chains')), ...(last === undefined ? [] : [last])]
}

const typeOf = (filter: unknown): string => text(at(filter, 'typed_config', '@type'))

function rbacFilters(chain: unknown): readonly unknown[] {
  return list(at(chain, 'filters')).flatMap((filter) => {
    const inner = list(at(filter, 'typed_config', 'http_filters')).filter((each) => typeOf(each).endsWith(HTTP_RBAC))
    return typeOf(filter).endsWith(TCP_RBAC) ? [filter, ...inner] : inner
  })
}

function policiesIn(filter: unknown): { action: string; name: string }[] {
  const config = at(filter, 'typed_config')
  const found = ['rules', 'shadow_rules'].flatMap((field) => {
    const rbac = at(config, field)
    if (rbac === undefined) return []
    const names = Object.keys(fields(at(rbac, 'policies')))
    // A shadow filter without policies says nothing; dry runs count as what they would be.
    const all = names.length === 0 && field === 'rules' ? [NOTHING] : names
    return all.map((name) => ({ action: text(at(rbac, 'action')) || 'ALLOW', name }))
  })
  return found
}

/** `ns[shop]-policy[cart]-rule[0]`, with a prefix for CUSTOM ones. */
function partsOf(name: string): { policy: string; rule: string; custom: boolean } {
  const [, namespace, policy, rule] = /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]$/.exec(name) ?? []
  const custom = name.startsWith(CUSTOM_PREFIX)
  return policy === undefined ? { policy: name, rule: '0', custom } : { policy: `${policy}.${namespace}`, rule: rule ?? '0', custom }
}
