/**
 * DestinationRules: which of them holds for a host as seen from a namespace, and several merged into one.
 *
 * Istio looks in three places, and the first that has a rule wins: the client's namespace, the service's namespace, the root
 * namespace. A rule seen from elsewhere must be exported to the client. Within a place the most specific host wins.
 */
import { type DestinationRuleSpec, type KubeObject, objectKey, refOf, type Subset, type TrafficPolicy } from '@lateen/api'
import type { ObjectRef } from '@lateen/base'
import type { Context, Graph, Source } from '@lateen/graph'
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
  /** Namespace of the rule: credentials and short names are resolved there. */
  readonly namespace: string
}

export function destinationRuleCollection(graph: Graph, inputs: Inputs): Source<DestinationRule> {
  return graph.collection<KubeObject, DestinationRule>(
    'destinationRules',
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
    {
      place: (rule) => [`${rule.namespace}|${rule.host}`],
      /** Rules that some clients see and others do not: of another namespace than their host's, or not exported to all. */
      influence: (rule) => {
        const own = namespaceOfHost(rule.host) === rule.namespace ? [] : [rule.namespace]
        return rule.visibility === '*' ? own : [...own, ...rule.visibility]
      },
      selecting: (rule) => (rule.selector ? [rule.namespace] : []),
      host: (rule) => [rule.host],
      /** Rules for which it matters where the client is. */
      nearness: (rule) =>
        policiesOf(rule.spec).some((policy) => policy.outlierDetection || policy.loadBalancer?.localityLbSetting) ? [''] : [],
    },
  )
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
  const places = [...new Set([query.client, query.namespace, rootNamespace])].filter((place) => place !== '')
  for (const place of places) {
    const candidates = patternsOver(query.host)
      .flatMap((pattern) => context.list(rules, 'place', `${place}|${pattern}`))
      .filter((rule) => applies(rule, query, place))
    const best = mostSpecific(candidates, query.host)
    if (best.length > 0) return merge(best)
  }
  return undefined
}

function applies(rule: DestinationRule, query: RuleQuery, place: string): boolean {
  if (rule.selector) return place === query.client && query.selected.includes(rule.key)
  return place === query.client ? true : visibleTo(rule.visibility, query.client)
}

function mostSpecific(candidates: readonly DestinationRule[], host: string): readonly DestinationRule[] {
  const matching = candidates.filter((rule) => hostMatches(rule.host, host))
  const sorted = [...matching].sort((a, b) => bySpecificity(a.host, b.host) || byAge(a, b))
  const first = sorted[0]
  if (!first) return []
  const sameHost = sorted.filter((rule) => rule.host === first.host)
  // A rule that selects the workload stands above those for everyone.
  const selecting = sameHost.filter((rule) => rule.selector)
  return selecting.length > 0 ? [...selecting, ...sameHost.filter((rule) => !rule.selector)] : sameHost
}

/** Older first; equal age by namespace and name, so that the order does not depend on arrival. */
export function byAge(
  a: { readonly created: string; readonly key: string },
  b: { readonly created: string; readonly key: string },
): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

/** Istio merges rules of one host: the first traffic policy wins; subsets are joined, the first of a name wins. */
function merge(rules: readonly DestinationRule[]): EffectiveRule {
  const subsets = new Map<string, Subset>()
  for (const rule of rules) for (const subset of rule.spec.subsets ?? []) if (!subsets.has(subset.name)) subsets.set(subset.name, subset)
  return {
    trafficPolicy: rules.find((rule) => rule.spec.trafficPolicy)?.spec.trafficPolicy,
    subsets: [...subsets.values()],
    rules: rules.map((rule) => rule.origin),
    namespace: rules[0]?.namespace ?? '',
  }
}
