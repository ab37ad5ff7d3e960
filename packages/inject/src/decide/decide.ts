/**
 * Whether a pod gets a proxy, and why (not).
 *
 * Two questions in a row, as with Istio: does the API server call this revision's webhook for the pod (namespace and pod
 * labels; {@link webhookSelects}), and does the injector, once called, inject ({@link decideInjection}).
 */
import { type LabelSelector, matchesLabelSelector } from '@lateen/api'
import type { Pod } from '../pod/pod.ts'
import type { InjectorConfig } from '../settings/injector-config.ts'

export interface Decision {
  readonly inject: boolean
  /** One sentence for people. */
  readonly reason: string
}

/** Namespaces of the platform itself, where nothing is ever injected. */
export const IGNORED_NAMESPACES: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease', 'local-path-storage']

const INJECT = 'sidecar.istio.io/inject'
const TRUE_WORDS = new Set(['y', 'yes', 'true', 'on'])

/** What the injector decides for a pod that it was handed. `namespace`: where the pod will be. */
export function decideInjection(pod: Pod, namespace: string, config: InjectorConfig): Decision {
  if (pod.spec.hostNetwork === true) return no("the pod uses the host's network, whose traffic must not be captured")
  if (IGNORED_NAMESPACES.includes(namespace)) return no(`namespace ${namespace} belongs to the platform and is never injected`)
  if (config.policy !== 'enabled' && config.policy !== 'disabled')
    return no(`the injector's policy is "${config.policy}"; it must be "enabled" or "disabled"`)
  const { labels = {}, annotations = {} } = pod.metadata
  const fromLabel = Object.hasOwn(labels, INJECT)
  const asked = (fromLabel ? labels[INJECT] : annotations[INJECT]) ?? ''
  const where = `the pod's ${fromLabel ? 'label' : 'annotation'} ${INJECT} is "${asked}"`
  if (TRUE_WORDS.has(asked.toLowerCase())) return yes(where)
  if (asked !== '') return no(where)
  if (matchesAny(config.neverInjectSelector, labels)) return no("the pod's labels match neverInjectSelector")
  if (matchesAny(config.alwaysInjectSelector, labels)) return yes("the pod's labels match alwaysInjectSelector")
  return config.policy === 'enabled'
    ? yes('injection is on where nothing else is said')
    : no(`the injector's policy is disabled and the pod has no label ${INJECT}: "true"`)
}

/** Whether the webhook of a revision is called for a pod, given the labels of its namespace. */
export function webhookSelects(request: {
  readonly namespaceLabels: Readonly<Record<string, string>>
  readonly podLabels: Readonly<Record<string, string>>
  readonly revision: string
  /** `sidecarInjectorWebhook.enableNamespacesByDefault`: namespaces without any label count as enabled. */
  readonly enableNamespacesByDefault?: boolean
}): Decision {
  const { namespaceLabels, podLabels, revision } = request
  const injection = namespaceLabels['istio-injection']
  const namespaceRevision = namespaceLabels['istio.io/rev']
  const podRevision = podLabels['istio.io/rev']
  if (podLabels[INJECT] === 'false') return no(`the pod's label ${INJECT} is "false"`)
  if (injection !== undefined) return byNamespaceSwitch(injection, revision)
  if (namespaceRevision !== undefined)
    return namespaceRevision === revision
      ? yes(`the namespace's label istio.io/rev is "${revision}"`)
      : no(`the namespace's label istio.io/rev is "${namespaceRevision}", not this control plane's "${revision}"`)
  if (podRevision !== undefined)
    return podRevision === revision
      ? yes(`the pod's label istio.io/rev is "${revision}"`)
      : no(`the pod's label istio.io/rev is "${podRevision}", not this control plane's "${revision}"`)
  if (revision !== 'default') return no(`neither the namespace nor the pod has the label istio.io/rev=${revision}`)
  if (podLabels[INJECT] === 'true') return yes(`the pod's label ${INJECT} is "true"`)
  return request.enableNamespacesByDefault
    ? yes('namespaces without a label are injected by default')
    : no('the namespace has no label istio-injection=enabled (kubectl label namespace NAME istio-injection=enabled)')
}

function byNamespaceSwitch(injection: string, revision: string): Decision {
  const where = `the namespace's label istio-injection is "${injection}"`
  if (injection !== 'enabled') return no(where)
  return revision === 'default' ? yes(where) : no(`${where}, which means the default revision, not "${revision}"`)
}

function matchesAny(selectors: readonly LabelSelector[], labels: Readonly<Record<string, string>>): boolean {
  return selectors.some((selector) => !isEmpty(selector) && matchesLabelSelector(selector, labels))
}

/** An empty selector would match every pod, which is never meant here. */
function isEmpty({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean {
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0
}

const yes = (reason: string): Decision => ({ inject: true, reason })
const no = (reason: string): Decision => ({ inject: false, reason })
