/**
 * DestinationRules: which of them holds for a host as seen from a namespace, and several merged into one.
 *
 * Istio looks in three places, and the first that has a rule wins: the client's namespace, the service's namespace, the root
 * namespace. A rule seen from elsewhere must be exported to the client. Within a place the most specific host wins, whether or not
 * its rules are exported to the client. Clients in the root namespace take its rules first only where those are for it alone: the
 * others are defaults for everyone, over which a service's own rule stands.
 */
import { type DestinationRuleSpec, type KubeObject, objectKey, refOf, type Subset, type TrafficPolicy } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Indexes, Source } from '@lateen/graph'
import { bySpecificity, hostMatches, patternsOver, resolveHost } from './host.ts'
import type { Inputs } from './inputs.ts'
import { settingsOf } from './services.ts'
import { type Visibility, visibilityOf, visibleTo } from './visibility.ts'

export interface DestinationRule {
  readonly key: string
  readonly namespace: string
  /** Fully qualified; may be a wildcard. */
  readonly host: string
  readonly visibility: Visibility
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly spec: DestinationRuleSpec
  readonly created: string
  readonly origin: ObjectRef
}

/** What holds for one host: the traffic policy and the subsets, with where each came from. */
export interface EffectiveRule {
  readonly trafficPolicy: TrafficPolicy | undefined
  readonly subsets: readonly Subset[]
  readonly rules: readonly ObjectRef[]
  /** It is for chosen clients only (`workloadSelector`). */
  readonly selects: boolean
}

/** All DestinationRules: Istio's own, and those that other kinds stand for. */
export function destinationRuleCollection(
  graph: Graph,
  inputs: Inputs,
  others: readonly Source<DestinationRule>[],
): Source<DestinationRule> {
  const own = graph.collection<KubeObject, DestinationRule>(
    'istioDestinationRules',
    inputs.kinds['networking.istio.io/DestinationRule'],
    (context, object, key) => {
      const settings = settingsOf(context, inputs)
      const namespace = object.metadata.namespace ?? ''
      const spec = (object.spec ?? { host: '' }) as DestinationRuleSpec
      if (!spec.host) return []
      const rule: DestinationRule = {
        key,
        namespace,
        host: resolveHost(spec.host, namespace, settings.domain),
        visibility: visibilityOf(spec.exportTo, namespace, settings.mesh.defaultDestinationRuleExportTo ?? ['*']),
        selector: spec.workloadSelector?.matchLabels,
        spec,
        created: object.metadata.creationTimestamp ?? '',
        origin: refOf(object),
      }
      return [[objectKey(object), rule]]
    },
  )
  return graph.union('destinationRules', [own, ...others], INDEXES)
}

const INDEXES: Indexes<DestinationRule> = {
  place: (rule) => [`${rule.namespace}|${rule.host}`],
  /** Rules that some clients see and others do not: of another namespace than their host's, or not exported to all. */
  influence: (rule) => {
    const own = namespaceOfHost(rule.host) === rule.namespace ? [] : [rule.namespace]
    return rule.visibility === '*' ? own : [...own, ...rule.visibility]
  },
  selecting: (rule) => (rule.selector ? [rule.namespace] : []),
  /** Credentials that its policies name. */
  credential: (rule) => [...new Set(policiesOf(rule.spec).flatMap(({ tls }) => tls?.credentialName || []))],
  host: (rule) => [rule.host],
  /** Rules for which it matters where the client is. */
  nearness: (rule) =>
    policiesOf(rule.spec).some((policy) => policy.outlierDetection || policy.loadBalancer?.localityLbSetting) ? [''] : [],
}

/** Every policy of a rule: for all, for ports, for subsets and their ports. */
export function policiesOf(spec: DestinationRuleSpec): readonly TrafficPolicy[] {
  const whole = [spec.trafficPolicy, ...(spec.subsets ?? []).map((subset) => subset.trafficPolicy)].filter((policy) => policy !== undefined)
  return whole.flatMap((policy) => [policy, ...(policy.portLevelSettings ?? [])])
}

/** `shop` of `cart.shop.svc.cluster.local`; undefined for names outside the cluster. */
export function namespaceOfHost(host: string): string | undefined {
  const labels = host.split('.')
  return labels[2] === 'svc' ? labels[1] : undefined
}

export interface RuleQuery {
  /** The client's namespace; empty for one without rules of its own. */
  readonly client: string
  readonly host: string
  /** The namespace of the service. */
  readonly namespace: string
  /** Keys of rules with a workloadSelector that select the client. */
  readonly selected: readonly string[]
}

/** The rule that holds for a host, or undefined. */
export function effectiveRule(
  context: Context,
  inputs: Inputs,
  rules: Source<DestinationRule>,
  query: RuleQuery,
): EffectiveRule | undefined {
  const { rootNamespace } = settingsOf(context, inputs)
  const { client, host, namespace } = query
  const inPlace = (place: string, counts: (rule: DestinationRule) => boolean) =>
    mostSpecific(
      patternsOver(host)
        .flatMap((pattern) => context.list(rules, 'place', `${place}|${pattern}`))
        .filter(counts),
      host,
    )
  const own = client === '' ? [] : client === rootNamespace ? inPlace(client, (rule) => isPrivate(rule)) : inPlace(client, () => true)
  if (own.length > 0) return chosen(consolidated(own), query)
  for (const place of new Set([namespace, rootNamespace])) {
    const exported = inPlace(place, (rule) => !isPrivate(rule))
    const seen = consolidated(exported).filter((group) => visibleTo(group.visibility, client))
    if (seen.length > 0) return chosen(seen, query)
  }
  return undefined
}

/** Exported to its own namespace alone. */
const isPrivate = ({ visibility, namespace }: DestinationRule): boolean =>
  visibility !== '*' && visibility.length === 1 && visibility[0] === namespace

/** The rules of the most specific host that covers a host, oldest first. */
function mostSpecific(candidates: readonly DestinationRule[], host: string): readonly DestinationRule[] {
  const sorted = candidates.filter((rule) => hostMatches(rule.host, host)).sort((a, b) => bySpecificity(a.host, b.host) || byAge(a, b))
  return sorted.filter((rule) => rule.host === sorted[0]?.host)
}

/** Rules of one host that are one rule. */
interface RuleGroup {
  readonly visibility: Visibility
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly key: string
  readonly namespace: string
  trafficPolicy: TrafficPolicy | undefined
  readonly subsets: Map<string, Subset>
  readonly rules: ObjectRef[]
}

/**
 * Istio merges rules of one host, in the order of their age: the first traffic policy and the first subset of a name stay. A rule
 * joins each older one that is exported to the same namespaces, or to fewer, but those that select other clients; it stands by
 * itself as well unless it has joined one with the same exports and the same selector.
 */
function consolidated(rules: readonly DestinationRule[]): readonly RuleGroup[] {
  const groups: RuleGroup[] = []
  for (const rule of rules) {
    let apart = true
    for (const group of groups) {
      const sameExports = equalLists(group.visibility, rule.visibility)
      if (!sameExports && !covers(rule.visibility, group.visibility)) continue
      const sameSelector = equalLabels(group.selector, rule.selector)
      if (group.selector && rule.selector && !sameSelector) continue
      if (sameExports && sameSelector) apart = false
      join(group, rule)
    }
    if (!apart) continue
    const { visibility, selector, key, namespace } = rule
    const group: RuleGroup = { visibility, selector, key, namespace, trafficPolicy: undefined, subsets: new Map(), rules: [] }
    join(group, rule)
    groups.push(group)
  }
  return groups
}

function join(group: RuleGroup, { spec, origin }: DestinationRule): void {
  group.trafficPolicy ??= spec.trafficPolicy
  for (const subset of spec.subsets ?? []) if (!group.subsets.has(subset.name)) group.subsets.set(subset.name, subset)
  group.rules.push(origin)
}

/** Of the groups that a client sees, the one that selects it; else the last of those for everyone. */
function chosen(groups: readonly RuleGroup[], { client, selected }: RuleQuery): EffectiveRule | undefined {
  const group =
    groups.find((candidate) => candidate.selector && candidate.namespace === client && selected.includes(candidate.key)) ??
    groups.findLast((candidate) => !candidate.selector)
  if (!group) return undefined
  const { trafficPolicy, subsets, rules, selector } = group
  return { trafficPolicy, subsets: [...subsets.values()], rules, selects: selector !== undefined }
}

const equalLists = (a: Visibility, b: Visibility): boolean =>
  a === b || (a !== '*' && b !== '*' && a.length === b.length && a.every((name, i) => name === b[i]))

/** Whether every namespace of `narrow`, which names some, is among those of `wide`. */
const covers = (wide: Visibility, narrow: Visibility): boolean =>
  narrow !== '*' && narrow.length > 0 && wide !== '*' && narrow.every((name) => wide.includes(name))

function equalLabels(a: Readonly<Record<string, string>> | undefined, b: Readonly<Record<string, string>> | undefined): boolean {
  if (!a || !b) return a === b
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key])
}

/** Older first; equal age by namespace and name, so that the order does not depend on arrival. */
export function byAge(
  a: { readonly created: string; readonly key: string },
  b: { readonly created: string; readonly key: string },
): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}
