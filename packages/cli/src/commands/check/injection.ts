/** Injection as it is: pods that should have a proxy and have none, and namespaces whose labels contradict each other. */
import { type KubeObject, matchesLabelSelector, RESOURCE_TYPES } from '@lateen/api'
import { type PodObject, proxyContainerOf } from '../../cluster/pods.ts'
import { injectionHooks } from '../x/injection/webhooks.ts'
import { type CheckContext, type CheckResult, counted, LINKS, named, ok, warning } from './result.ts'

const REVISION = 'istio.io/rev'
const SWITCH = 'istio-injection'

export async function injectionChecks({ cluster }: CheckContext): Promise<CheckResult[]> {
  const { client } = cluster
  const [namespaces, pods, hooks] = await Promise.all([
    client.list(RESOURCE_TYPES.Namespace),
    client.list<PodObject>(RESOURCE_TYPES.Pod),
    injectionHooks(client),
  ])
  const byName = new Map(namespaces.items.map((namespace) => [namespace.metadata.name, namespace]))
  const wanted = (pod: PodObject): boolean => {
    const labels = {
      'kubernetes.io/metadata.name': pod.metadata.namespace ?? '',
      ...byName.get(pod.metadata.namespace ?? '')?.metadata.labels,
    }
    return hooks.some(({ webhooks }) =>
      webhooks.some(
        (hook) =>
          matchesLabelSelector(hook.namespaceSelector ?? {}, labels) &&
          matchesLabelSelector(hook.objectSelector ?? {}, pod.metadata.labels ?? {}),
      ),
    )
  }
  const running = pods.items.filter((pod) => pod.status?.phase === 'Running' && !isHostNetworked(pod))
  const without = running.filter((pod) => wanted(pod) && proxyContainerOf(pod) === undefined)
  return [
    podsCheck(without, running.filter((pod) => proxyContainerOf(pod) !== undefined).length),
    labelsCheck(namespaces.items),
    revisionCheck(namespaces.items, hooks),
  ]
}

const isHostNetworked = ({ spec }: PodObject): boolean => typeof spec === 'object' && 'hostNetwork' in spec && spec.hostNetwork === true

function podsCheck(without: readonly PodObject[], injected: number): CheckResult {
  const check = 'every pod that should have a proxy has one'
  if (without.length === 0) return ok(check, counted(injected, 'pod'))
  const names = without.map(({ metadata }) => `${metadata.name}.${metadata.namespace}`)
  return warning(check, `${counted(without.length, 'pod has', 'pods have')} none: ${named(names)}`, {
    hint: 'they are older than the label of their namespace, or were created while the injector was down: restart them; lateen x check-inject POD says more',
    link: LINKS.injection,
  })
}

function labelsCheck(namespaces: readonly KubeObject[]): CheckResult {
  const check = 'no namespace has contradicting injection labels'
  const both = namespaces
    .filter(({ metadata }) => metadata.labels?.[SWITCH] && metadata.labels[REVISION])
    .map(({ metadata }) => metadata.name)
  if (both.length === 0) return ok(check)
  return warning(check, `${SWITCH} and ${REVISION} together: ${named(both)}`, {
    hint: `${SWITCH} wins; remove one: kubectl label namespace NAMESPACE ${SWITCH}-`,
    link: LINKS.injection,
  })
}

function revisionCheck(
  namespaces: readonly KubeObject[],
  hooks: readonly { readonly webhooks: readonly { readonly namespaceSelector?: unknown }[] }[],
): CheckResult {
  const check = 'the revisions that namespaces name exist'
  const unknown = namespaces.filter(({ metadata }) => {
    const revision = metadata.labels?.[REVISION]
    return revision !== undefined && !JSON.stringify(hooks).includes(`"${revision}"`)
  })
  if (unknown.length === 0) return ok(check)
  const names = unknown.map(({ metadata }) => `${metadata.name} (${metadata.labels?.[REVISION]})`)
  return warning(check, `nobody injects ${named(names)}`, {
    hint: 'lateen tag list shows revisions and tags; lateen tag set makes a tag',
    link: LINKS.injection,
  })
}
