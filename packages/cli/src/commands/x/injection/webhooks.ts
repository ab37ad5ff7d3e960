/** The injection webhooks of a cluster: which of them the API server calls for a pod, and why. */
import { type KubeObject, type LabelSelector, matchesLabelSelector, RESOURCE_TYPES } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'

type Labels = Readonly<Record<string, string>>

interface Webhook {
  readonly name: string
  readonly namespaceSelector?: LabelSelector
  readonly objectSelector?: LabelSelector
}

/** A MutatingWebhookConfiguration with at least one webhook of Istio's. */
export interface InjectionHook {
  readonly name: string
  readonly revision: string
  readonly webhooks: readonly Webhook[]
}

export const REVISION = 'istio.io/rev'

/** By name. */
export async function injectionHooks(client: KubeClient): Promise<InjectionHook[]> {
  const { items } = await client.list(RESOURCE_TYPES.MutatingWebhookConfiguration)
  return hooksOf(items)
}

/** Those of Istio's among all of the cluster's, by name. */
export function hooksOf(configurations: readonly KubeObject[]): InjectionHook[] {
  return configurations
    .map(({ metadata, webhooks }) => ({
      name: metadata.name,
      revision: metadata.labels?.[REVISION] ?? '',
      webhooks: Array.isArray(webhooks) ? webhooks.filter(isWebhook) : [],
    }))
    .filter(({ webhooks }) => webhooks.some(({ name }) => name.endsWith('istio.io')))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const isWebhook = (value: unknown): value is Webhook =>
  typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string'

export interface Verdict {
  readonly injects: boolean
  readonly reason: string
}

/** Whether one of a configuration's webhooks is called for a pod with these labels. */
export function verdictOf({ webhooks }: InjectionHook, pod: Labels, namespace: Labels): Verdict {
  for (const webhook of webhooks) {
    const verdict = verdictOfWebhook(webhook, pod, namespace)
    if (verdict) return verdict
  }
  if (webhooks.some(isDeactivated)) return { injects: false, reason: 'The injection webhook is deactivated, and will never match labels.' }
  const wanted = (which: 'namespaceSelector' | 'objectSelector') => webhooks.flatMap((webhook) => wantedLabels(webhook[which])).join(', ')
  const reason = `No matching namespace labels (${wanted('namespaceSelector')}) or pod labels (${wanted('objectSelector')})`
  return { injects: false, reason }
}

function verdictOfWebhook({ namespaceSelector = {}, objectSelector = {} }: Webhook, pod: Labels, namespace: Labels): Verdict | undefined {
  const namespaceMatches = matchesLabelSelector(namespaceSelector, namespace)
  const podMatches = matchesLabelSelector(objectSelector, pod)
  if (namespaceMatches && podMatches)
    return { injects: true, reason: matchReason(decisive(namespaceSelector, namespace), decisive(objectSelector, pod)) }
  if (namespaceMatches) {
    const label = preventing(objectSelector, pod)
    return label === undefined ? undefined : { injects: false, reason: `Pod has ${label} label, preventing injection` }
  }
  const off = namespace['istio-injection']
  if (podMatches && off !== undefined && off !== 'enabled') {
    return { injects: false, reason: `Namespace has istio-injection=${off} label, preventing injection` }
  }
  return undefined
}

function matchReason(namespace: string | undefined, pod: string | undefined): string {
  if (namespace && pod) return `Namespace label ${namespace} matches, and pod label ${pod} matches`
  if (namespace) return `Namespace label ${namespace} matches`
  return pod ? `Pod label ${pod} matches` : 'Every pod matches'
}

/** The label of the object that the selector asks for. */
function decisive({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): string | undefined {
  const asked = matchExpressions.filter(({ operator }) => operator === 'In' || operator === 'NotIn').map(({ key }) => key)
  const key = [...Object.keys(matchLabels), ...asked].find((name) => Object.hasOwn(labels, name))
  return key === undefined ? undefined : `${key}=${labels[key]}`
}

/** The label of the object that the selector must not see. */
function preventing({ matchExpressions = [] }: LabelSelector, labels: Labels): string | undefined {
  const found = matchExpressions.find(({ key, operator, values = [] }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    if (value === undefined) return false
    return operator === 'DoesNotExist' || (operator === 'NotIn' && values.includes(value))
  })
  return found && `${found.key}=${labels[found.key]}`
}

const wantedLabels = ({ matchExpressions = [] }: LabelSelector = {}): string[] =>
  matchExpressions.filter(({ operator }) => operator === 'In').flatMap(({ key, values = [] }) => values.map((value) => `${key}=${value}`))

const NEVER = 'istio.io/deactivated'

/** Revision tags switch webhooks off with a label that nothing has. */
const isDeactivated = ({ namespaceSelector, objectSelector }: Webhook): boolean =>
  [namespaceSelector, objectSelector].every((selector) => Object.keys(selector?.matchLabels ?? {}).includes(NEVER))
