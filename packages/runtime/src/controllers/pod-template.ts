/** Pods made from templates: creating, counting, choosing which go. */
import type { KubeObject, ResourceType } from '@lateen/api'
import { ignoreMissing, messageOf } from '../kube/api-failure.ts'
import { POD } from '../kube/kinds.ts'
import { isReady, isTerminal, type Pod, type PodTemplate, podSpec } from '../kube/pod.ts'
import type { EventRecorder } from '../node/event-recorder.ts'
import { type ControllerContext, ownedBy, randomSuffix } from './context.ts'

export interface PodRequest {
  readonly type: ResourceType
  readonly owner: KubeObject
  readonly template: PodTemplate
  /** Full name; otherwise the owner's name with a random ending. */
  readonly name?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
}

/** Creates a pod and waits until the store has it, so that it is counted from then on. */
export async function createPod(context: ControllerContext, events: EventRecorder, request: PodRequest): Promise<Pod> {
  const { type, owner, template } = request
  // A name of at most 63 characters, so that it can be a host name.
  const name = request.name ?? `${owner.metadata.name.slice(0, 57)}-${randomSuffix()}`
  const { metadata = {} } = template
  try {
    const pod = await context.client.create<Pod>(POD, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: owner.metadata.namespace ?? 'default',
        ...(request.name ? {} : { generateName: `${owner.metadata.name.slice(0, 57)}-` }),
        labels: { ...metadata.labels, ...request.labels },
        ...(metadata.annotations ? { annotations: metadata.annotations } : {}),
        ...(metadata.finalizers ? { finalizers: metadata.finalizers } : {}),
        ownerReferences: [ownedBy(type, owner)],
      },
      spec: { ...template.spec, ...request.spec },
    })
    events.record({ object: owner }, 'Normal', 'SuccessfulCreate', `Created pod: ${name}`)
    await context.stores.pods.caughtUp(pod)
    return pod
  } catch (error) {
    events.record({ object: owner }, 'Warning', 'FailedCreate', `Error creating: ${messageOf(error)}`)
    throw error
  }
}

export async function deletePod(context: ControllerContext, events: EventRecorder, owner: KubeObject, pod: Pod): Promise<void> {
  await ignoreMissing(
    context.client.delete(POD, pod.metadata.namespace, pod.metadata.name, pod.metadata.uid ? { uid: pod.metadata.uid } : {}),
  )
  events.record({ object: owner }, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`)
  await context.stores.pods.sawDeletion(pod)
}

/** Neither ended nor being deleted. */
export const isActive = (pod: Pod): boolean => !isTerminal(pod) && pod.metadata.deletionTimestamp === undefined

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Pod, minReadySeconds: number): boolean {
  return isReady(pod) && availableIn(pod, minReadySeconds) <= 0
}

/** Milliseconds until a ready pod counts as available. */
export function availableIn(pod: Pod, minReadySeconds: number): number {
  const since = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime
  return minReadySeconds === 0 || !since ? 0 : Date.parse(since) + minReadySeconds * 1000 - Date.now()
}

/** Which pods go first when there are too many: not placed, not running, not ready, then the youngest. */
export function leastWantedFirst(pods: readonly Pod[]): Pod[] {
  const rank = (pod: Pod) => (podSpec(pod).nodeName ? 4 : 0) + (pod.status?.phase === 'Running' ? 2 : 0) + (isReady(pod) ? 1 : 0)
  const age = (pod: Pod) => pod.metadata.creationTimestamp ?? ''
  return pods.toSorted((a, b) => rank(a) - rank(b) || (age(a) < age(b) ? 1 : -1))
}
