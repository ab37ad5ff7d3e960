/** Pods by the names that users give: `[<type>/]<name>[.<namespace>]`, as istioctl takes them. */
import { type KubeObject, RESOURCE_TYPES, type ResourceType } from '@lateen/api'
import { isNotFound, type KubeClient } from '@lateen/kube'
import { CommandError, EXIT } from '../shell/exit-codes.ts'

interface PodSpec {
  readonly nodeName?: string
  readonly serviceAccountName?: string
  readonly containers?: readonly { readonly name: string; readonly image?: string }[]
  readonly initContainers?: readonly { readonly name: string; readonly image?: string; readonly restartPolicy?: string }[]
}
interface PodStatus {
  readonly phase?: string
  readonly podIP?: string
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
}
export type PodObject = KubeObject<PodSpec, PodStatus>

export interface PodReference {
  /** `pod`, `deployment`, …; empty when only a name was given. */
  readonly type: string
  readonly name: string
  readonly namespace: string
}

const APPS: readonly (readonly [string, string, string])[] = [
  ['deployment', 'Deployment', 'deploy'],
  ['replicaset', 'ReplicaSet', 'rs'],
  ['statefulset', 'StatefulSet', 'sts'],
  ['daemonset', 'DaemonSet', 'ds'],
]

/** By every name that kubectl takes for a kind with pods. */
const OWNERS: ReadonlyMap<string, ResourceType> = new Map([
  ...APPS.flatMap(([name, kind, short]) =>
    [name, `${name}s`, short].map((word) => [word, { group: 'apps', version: 'v1', kind, plural: `${name}s`, namespaced: true }] as const),
  ),
  ...['job', 'jobs'].map((word) => [word, { group: 'batch', version: 'v1', kind: 'Job', plural: 'jobs', namespaced: true }] as const),
  ...['service', 'services', 'svc'].map((word) => [word, RESOURCE_TYPES.Service] as const),
])
const POD_WORDS = new Set(['pod', 'pods', 'po'])

/** The kind that a user's word for a kind with pods means; undefined for pods themselves. */
export const kindOfWord = (word: string): string | undefined => typeOfWord(word)?.kind

/** As {@link kindOfWord}: where its objects are. */
export const typeOfWord = (word: string): ResourceType | undefined => OWNERS.get(word)

/** @throws CommandError when `text` is of another form */
export function parsePodReference(text: string, namespace: string): PodReference {
  const [first = '', second, ...more] = text.split('/')
  const [type, rest] = second === undefined ? ['', first] : [first.toLowerCase(), second]
  const dot = rest.lastIndexOf('.')
  const [name, own] = dot > 0 ? [rest.slice(0, dot), rest.slice(dot + 1)] : [rest, namespace]
  if (name === '' || own === '' || more.length > 0) {
    throw new CommandError(`"${text}": a pod is named as [<type>/]<name>[.<namespace>], such as deployment/reviews.default`, {
      exitCode: EXIT.usage,
    })
  }
  if (type !== '' && !POD_WORDS.has(type) && !OWNERS.has(type)) {
    const known = ['pod', ...APPS.map(([word]) => word), 'job', 'service'].join(', ')
    throw new CommandError(`"${text}": nothing of type "${type}" has pods; use one of ${known}`, { exitCode: EXIT.usage })
  }
  return { type, name, namespace: own }
}

/**
 * A running pod for `text`: the pod of that name, else the first running pod of the workload or service.
 *
 * @throws CommandError that says what there is instead
 */
export async function findPod(client: KubeClient, text: string, namespace: string): Promise<PodObject> {
  const reference = parsePodReference(text, namespace)
  const owner = OWNERS.get(reference.type)
  if (owner) return podOfOwner(client, owner, reference)
  try {
    return await client.get<PodObject>(RESOURCE_TYPES.Pod, reference.namespace, reference.name)
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw await notFound(client, reference, 'pod')
  }
}

async function podOfOwner(client: KubeClient, owner: ResourceType, reference: PodReference): Promise<PodObject> {
  const items = await podsOfOwner(client, owner, reference)
  const found = items.find(isRunning) ?? items[0]
  if (!found) {
    const what = `${owner.kind.toLowerCase()}/${reference.name}.${reference.namespace}`
    throw new CommandError(`${what} has no pods; see: kubectl get pods -n ${reference.namespace}`)
  }
  return found
}

async function podsOfOwner(client: KubeClient, owner: ResourceType, reference: PodReference): Promise<PodObject[]> {
  const object = await client.get(owner, reference.namespace, reference.name).catch(async (error: unknown) => {
    throw isNotFound(error) ? await notFound(client, reference, owner.kind.toLowerCase()) : error
  })
  const labelSelector = selectorOf(object)
  if (labelSelector === '') {
    throw new CommandError(`${owner.kind.toLowerCase()}/${reference.name}.${reference.namespace} selects no pods: it has no selector`)
  }
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, { namespace: reference.namespace, labelSelector })
  return items
}

/**
 * The running pods for `text`: the pod of that name, else all of the workload or service.
 *
 * @throws CommandError that says what there is instead of the pod, the workload or the service
 */
export async function findPods(client: KubeClient, text: string, namespace: string): Promise<PodObject[]> {
  const reference = parsePodReference(text, namespace)
  const owner = OWNERS.get(reference.type)
  return owner ? (await podsOfOwner(client, owner, reference)).filter(isRunning) : [await findPod(client, text, namespace)]
}

const isRunning = (pod: PodObject): boolean => pod.status?.phase === 'Running' && pod.metadata.deletionTimestamp === undefined

/** `matchLabels` of a workload, `selector` of a service, as a label selector. */
function selectorOf(object: KubeObject): string {
  const spec: unknown = object.spec
  const selector: unknown = typeof spec === 'object' && spec !== null && 'selector' in spec ? spec.selector : undefined
  if (typeof selector !== 'object' || selector === null) return ''
  const labels: unknown = 'matchLabels' in selector ? selector.matchLabels : selector
  return typeof labels === 'object' && labels !== null
    ? Object.entries(labels)
        .filter(([, value]) => typeof value === 'string')
        .map(([key, value]) => `${key}=${value}`)
        .join(',')
    : ''
}

const SUGGESTIONS = 5

/** Pods of other namespaces, and pods whose name begins alike, are probably what was meant. */
async function notFound(client: KubeClient, { name, namespace }: PodReference, what: string): Promise<CommandError> {
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod).catch(() => ({ items: [] as PodObject[] }))
  const near = items
    .filter(({ metadata }) => metadata.name === name || (metadata.namespace === namespace && metadata.name.startsWith(name.slice(0, 3))))
    .slice(0, SUGGESTIONS)
    .map(({ metadata }) => `${metadata.name}.${metadata.namespace}`)
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : `; see: kubectl get pods -n ${namespace}`
  return new CommandError(`there is no ${what} "${name}" in namespace "${namespace}"${hint}`)
}

/** The container in which Envoy runs: the sidecar, or the one of a gateway. */
export function proxyContainerOf(pod: PodObject): string | undefined {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])]
  return all.some(({ name }) => name === 'istio-proxy') ? 'istio-proxy' : undefined
}
