/** A journey as the proxies on it see the caller: who that is to them, which policies they ask, and what those say. */
import type { KubeObject } from '@lateen/api'
import { type ObjectRef, objectName } from '@lateen/base'
import { TYPE_URL } from '@lateen/envoy'
import { everySpellingOf } from '@lateen/model'
import type { AskedPolicies, FilterVerdict, Origin, Trace } from '@lateen/simulate'
import { stringify } from 'yaml'
import type { Arrival, Journey } from '../../../routing/journey.ts'
import type { PodView } from '../../../routing/proxy-node.ts'
import { type Report, reportOf } from '../../../routing/report.ts'
import type { World } from '../../../routing/world.ts'

export interface AuthorizationReport {
  readonly request: Report['request']
  /** What becomes of the request, one for each way that it can take. */
  readonly results: readonly string[]
  readonly proxies: readonly ProxyVerdicts[]
  readonly notes: readonly string[]
}

/** What one proxy says. */
export interface ProxyVerdicts {
  /** `name.namespace` of its pod. */
  readonly proxy: string
  /** How it takes the connection, and whom it takes the caller for. */
  readonly caller: string
  /** PeerAuthentications that say how connections are taken. */
  readonly connection: readonly string[]
  readonly steps: readonly VerdictStep[]
}

export interface VerdictStep {
  /** `token`, `authorizer`, or the action of the policies. */
  readonly stage: string
  readonly result: FilterVerdict['result']
  readonly says: string
  readonly rules: readonly AskedRule[]
}

export interface AskedRule {
  /** `AuthorizationPolicy namespace/name spec.rules[n]`. */
  readonly rule: string
  /** `file:line`, for objects from files. */
  readonly file?: string
  /** `left out`: it asks what cannot be asked here, such as a path of a connection of bytes; it allows nothing. */
  readonly matches: 'yes' | 'no' | 'unknown' | 'left out'
  readonly decides: boolean
  /** Its paths, headers and methods mean every spelling that an application may read alike. */
  readonly everySpelling?: true
  /** The rule as it is written, in one line. */
  readonly text: string
}

export function authorizationReport(world: World, journey: Journey): AuthorizationReport {
  const { request, branches, notes } = reportOf(world, journey)
  const { from, trace } = journey
  const verdicts = journey.legs.flatMap(({ outcome }) => outcome.verdicts)
  // A sidecar of the caller has no policies; a gateway has.
  const first =
    trace && (from.role === 'router' || verdicts.some(isAuthorization)) ? [proxyOf(world, from, callerOutside(trace), verdicts)] : []
  const arrivals = journey.legs.flatMap((leg) => leg.arrivals)
  return {
    request,
    results: [...new Set(branches.map(({ result }) => result))],
    proxies: [...first, ...arrivals.map((arrival) => arrivalOf(world, from, arrival))],
    notes,
  }
}

function arrivalOf(world: World, from: PodView, { pod, endpoint, trace, outcome }: Arrival): ProxyVerdicts {
  if (!trace) return { proxy: nameOf(pod), caller: 'no proxy: nothing is asked of the caller', connection: [], steps: [] }
  const identity = `spiffe://${world.trustDomain}/ns/${from.namespace}/sa/${from.serviceAccount}`
  const caller = {
    mutual: endpoint.tls.mode === 'mesh' ? `mutual TLS, as ${identity}` : 'mutual TLS, with a certificate of the rule’s',
    terminated: 'TLS without a certificate of the caller: no identity',
    'passed through': 'TLS that the application ends: no identity',
    none: 'plain text: no identity',
  }[trace.filterChain?.tls ?? 'none']
  const taken = trace.filterChain ? caller : 'the connection is not taken'
  return proxyOf(world, pod, taken, outcome?.verdicts ?? [])
}

const callerOutside = ({ filterChain }: Trace): string =>
  filterChain?.tls === 'mutual' ? 'TLS with a certificate of the caller' : filterChain?.tls === 'none' ? 'plain text' : 'TLS'

function proxyOf(world: World, pod: PodView, caller: string, verdicts: readonly FilterVerdict[]): ProxyVerdicts {
  return {
    proxy: nameOf(pod),
    caller,
    connection: world
      .governing(pod)
      .filter(({ kind }) => kind === 'PeerAuthentication')
      .map(objectName),
    steps: verdicts
      .filter(isAuthorization)
      .flatMap((verdict) => [verdict, ...(verdict.trial ? [verdict.trial] : [])])
      .map((verdict) => stepOf(world, pod, verdict)),
  }
}

const nameOf = ({ name, namespace }: PodView): string => `${name}.${namespace}`

const isAuthorization = ({ filter, asked }: FilterVerdict): boolean => asked !== undefined || /jwt_authn|ext_authz|rbac/.test(filter)

function stepOf(world: World, pod: PodView, verdict: FilterVerdict): VerdictStep {
  const { filter, asked, result, says, policy } = verdict
  const stage = filter.includes('jwt_authn') ? 'token' : filter.includes('ext_authz') ? 'authorizer' : actionOf(asked)
  const named = asked ? asked.policies : policy === undefined ? [] : [{ name: policy, matches: true as const, origins: verdict.origins }]
  const rules = named.map(
    ({ name, matches, origins }): AskedRule => ({
      ...ruleOf(world, name, origins),
      matches: matches === 'unknown' ? 'unknown' : matches ? 'yes' : 'no',
      decides: name === policy,
    }),
  )
  return { stage, result, says, rules: [...rules, ...(asked ? leftOut(world, pod, asked) : [])] }
}

/** Rules of the proxy's policies that it was not given. */
function leftOut(world: World, pod: PodView, { action, onTrial, policies }: AskedPolicies): AskedRule[] {
  const given = new Set(policies.flatMap(({ origins }) => origins.map((origin) => `${objectName(origin)} ${origin.path}`)))
  const read = world.origins(pod, TYPE_URL.LDS, 'virtualInbound').filter(({ kind }) => kind === 'AuthorizationPolicy')
  return read.flatMap((policy) => {
    const object = objectOf(world, policy)
    const spec = Object(object?.spec)
    const wanted = action === 'LOG' ? 'AUDIT' : action
    const tried = object?.metadata.annotations?.['istio.io/dry-run'] === 'true'
    if (String(Reflect.get(spec, 'action') ?? 'ALLOW') !== wanted || tried !== onTrial) return []
    const rules: unknown = Reflect.get(spec, 'rules')
    const origins = (Array.isArray(rules) ? rules : []).map((_, at): Origin => ({ ...policy, path: `spec.rules[${at}]` }))
    return origins
      .filter((origin) => !given.has(`${objectName(origin)} ${origin.path}`))
      .map((origin): AskedRule => ({ ...ruleOf(world, '', [origin]), matches: 'left out', decides: false }))
  })
}

const actionOf = (asked: AskedPolicies | undefined): string =>
  asked ? `${asked.action === 'LOG' ? 'AUDIT' : asked.action}${asked.onTrial ? ' on trial' : ''}` : 'rules'

function ruleOf(world: World, policy: string, [origin]: readonly Origin[]): Pick<AskedRule, 'rule' | 'file' | 'everySpelling' | 'text'> {
  if (!origin) return { rule: policy, text: '' }
  const file = world.whereIs(origin)
  const path = origin.path ? ` ${origin.path}` : ''
  const object = objectOf(world, origin)
  const everySpelling = object?.kind === 'AuthorizationPolicy' && (everySpellingOf(object) ?? world.switches.everySpelling ?? false)
  return {
    rule: `${objectName(origin)}${path}`,
    ...(file !== undefined && { file }),
    ...(everySpelling && { everySpelling }),
    text: textOf(world, origin),
  }
}

/** The rule as it is written; a policy without rules has none, and matches nothing. */
function textOf(world: World, origin: Origin): string {
  const { path = '' } = origin
  const object = objectOf(world, origin)
  const rules: unknown = Reflect.get(Object(object?.spec), 'rules')
  const rule: unknown = Array.isArray(rules) ? rules[Number(/\[(\d+)\]$/.exec(path)?.[1])] : undefined
  if (rule === undefined) return 'no rules: matches nothing'
  const text = stringify(rule, { collectionStyle: 'flow', lineWidth: 0 }).trim()
  return text === '{}' ? '{}: matches everything' : text
}

function objectOf({ objects }: World, { kind, namespace, name }: ObjectRef): KubeObject | undefined {
  return objects.find((one) => one.kind === kind && one.metadata.namespace === namespace && one.metadata.name === name)
}
