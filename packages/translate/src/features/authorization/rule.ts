/** One rule of an AuthorizationPolicy as a policy of Envoy's RBAC: what may be asked, and by whom. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { AuthorizationRule, Operation, Source } from '@lateen/api'
import type { PolicySchema } from '@lateen/envoy/gen/envoy/config/rbac/v3/rbac_pb.js'
import type { Condition, ConditionPlace, PermissionInit, PrincipalInit } from './condition.ts'
import { conditionOf, OPERATION, SOURCE } from './conditions.ts'

export type PolicyInit = MessageInitShape<typeof PolicySchema>

/** How a rule is read. */
export interface RuleContext {
  readonly http: boolean
  /**
   * What becomes of a condition that cannot be asked: an ALLOW rule is left out, so that it allows nothing; of any other the
   * condition is, so that it concerns more.
   */
  readonly allows: boolean
  /** What keeps out means every spelling of its paths and headers, what lets in the plain one alone. */
  readonly everySpelling: boolean
  readonly namespace: string
  readonly trustDomains: readonly string[]
}

/** One condition with its values: one of `values` must match, none of `notValues` may. */
interface Asked {
  readonly condition: Condition
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

/** Matches nothing: what a policy without rules means. */
export const NEVER: PolicyInit = {
  permissions: [{ rule: { case: 'notRule', value: { rule: { case: 'any', value: true } } } }],
  principals: [{ identifier: { case: 'notId', value: { identifier: { case: 'any', value: true } } } }],
}

/** Undefined for a rule that can never match here, or that asks what cannot be asked. */
export function rulePolicy(rule: AuthorizationRule, at: RuleContext): PolicyInit | undefined {
  const when = whenOf(rule)
  if (!when) return undefined
  const sources = rule.from?.length ? rule.from.map(({ source }) => sourceOf(source ?? {})) : [[]]
  const operations = rule.to?.length ? rule.to.map(({ operation }) => operationOf(operation ?? {})) : [[]]
  const permissions = operations.map((asked) => allPermissions([...asked, ...when], at))
  const principals = sources.map((asked) => allPrincipals([...asked, ...when], at))
  if (!isComplete(permissions) || !isComplete(principals)) return undefined
  return { permissions, principals }
}

const isComplete = <T>(list: readonly (T | undefined)[]): list is T[] => list.every((entry) => entry !== undefined)

function whenOf(rule: AuthorizationRule): Asked[] | undefined {
  const found: Asked[] = []
  for (const { key = '', values = [], notValues = [] } of rule.when ?? []) {
    const condition = conditionOf(key)
    // An attribute that nobody knows: the rule means nothing.
    if (!condition) return undefined
    found.push({ condition, values, notValues })
  }
  return found
}

function operationOf(operation: Operation): Asked[] {
  return [
    asked(OPERATION.host, operation.hosts, operation.notHosts),
    asked(OPERATION.method, operation.methods, operation.notMethods),
    asked(OPERATION.path, operation.paths, operation.notPaths),
    asked(OPERATION.port, operation.ports, operation.notPorts),
  ]
}

function sourceOf(source: Source): Asked[] {
  return [
    asked(SOURCE.identity, source.principals, source.notPrincipals),
    asked(SOURCE.requestIdentity, source.requestPrincipals, source.notRequestPrincipals),
    asked(SOURCE.trustDomain, source.trustDomains, source.notTrustDomains),
    asked(SOURCE.serviceAccount, source.serviceAccounts, source.notServiceAccounts),
    asked(SOURCE.namespace, source.namespaces, source.notNamespaces),
    asked(SOURCE.clientAddress, source.remoteIpBlocks, source.notRemoteIpBlocks),
    asked(SOURCE.connectionAddress, source.ipBlocks, source.notIpBlocks),
  ]
}

const asked = (condition: Condition, values: readonly string[] = [], notValues: readonly string[] = []): Asked => ({
  condition,
  values,
  notValues,
})

function allPermissions(list: readonly Asked[], at: RuleContext): PermissionInit | undefined {
  const rules: PermissionInit[] = []
  for (const { condition, values, notValues } of list) {
    if (condition.side !== 'permission') continue
    const wanted = asking(condition.ask(values, place(at, !at.allows)), values, at)
    const unwanted = asking(condition.ask(notValues, place(at, at.allows)), notValues, at)
    if (!wanted || !unwanted) return undefined
    if (wanted.length > 0) rules.push({ rule: { case: 'orRules', value: { rules: wanted } } })
    if (unwanted.length > 0) rules.push({ rule: { case: 'notRule', value: { rule: { case: 'orRules', value: { rules: unwanted } } } } })
  }
  return { rule: { case: 'andRules', value: { rules: rules.length > 0 ? rules : [{ rule: { case: 'any', value: true } }] } } }
}

function allPrincipals(list: readonly Asked[], at: RuleContext): PrincipalInit | undefined {
  const ids: PrincipalInit[] = []
  for (const { condition, values, notValues } of list) {
    if (condition.side !== 'principal') continue
    const wanted = asking(condition.ask(values, place(at, !at.allows)), values, at)
    const unwanted = asking(condition.ask(notValues, place(at, at.allows)), notValues, at)
    if (!wanted || !unwanted) return undefined
    if (wanted.length > 0) ids.push({ identifier: { case: 'orIds', value: { ids: wanted } } })
    if (unwanted.length > 0) ids.push({ identifier: { case: 'notId', value: { identifier: { case: 'orIds', value: { ids: unwanted } } } } })
  }
  return { identifier: { case: 'andIds', value: { ids: ids.length > 0 ? ids : [{ identifier: { case: 'any', value: true } }] } } }
}

const place = ({ http, everySpelling, namespace, trustDomains }: RuleContext, strict: boolean): ConditionPlace => ({
  http,
  everySpelling,
  namespace,
  trustDomains,
  strict,
})

/** The tests that can be asked; undefined where an ALLOW rule has one that cannot. */
function asking<T>(tests: readonly (T | undefined)[], values: readonly string[], at: RuleContext): T[] | undefined {
  if (values.length === 0) return []
  const able = tests.filter((test) => test !== undefined)
  return at.allows && able.length < tests.length ? undefined : able
}
