/** ReplicaSet → Pods: as many as asked for. */
import { messageOf } from '../kube/api-failure.ts'
import { POD, REPLICA_SET } from '../kube/kinds.ts'
import { isReady, isTerminal, type Pod } from '../kube/pod.ts'
import { matchesSelector } from '../kube/selector.ts'
import type { Store } from '../kube/store.ts'
import type { ReplicaSet, WorkloadCondition } from '../kube/workloads.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, controllerOf, now, ownedBy, writeStatus } from './context.ts'
import { availableIn, createPod, deletePod, isActive, isAvailable, leastWantedFirst } from './pod-template.ts'

/** Pods made or deleted in one go; the rest follows in the next look. */
const BURST = 50

export function replicaSetController(context: ControllerContext, sets: Store<ReplicaSet>): Controller {
  const { pods } = context.stores
  const events = new EventRecorder(context.client, 'replicaset-controller', context.node.name)
  const queue = new WorkQueue({ name: 'ReplicaSet', reconcile })
  sets.listen((key) => queue.add(key))
  pods.listen((_key, pod, before) => {
    const changed = pod ?? before
    const owner = changed && controllerOf(changed)
    if (owner?.kind === REPLICA_SET.kind) queue.add(`${changed?.metadata.namespace}/${owner.name}`)
    else if (pod && !owner)
      for (const set of sets.inNamespace(pod.metadata.namespace ?? ''))
        if (matchesSelector(set.spec?.selector, pod.metadata.labels)) queue.add(`${set.metadata.namespace}/${set.metadata.name}`)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const set = sets.byKey(key)
    if (!set?.spec || set.metadata.deletionTimestamp) return undefined
    await adopt(set)
    const wanted = set.spec.replicas ?? 1
    const active = pods.ownedBy(set.metadata.uid).filter(isActive)
    let failure: unknown
    try {
      if (active.length < wanted) await grow(set, Math.min(wanted - active.length, BURST))
      else if (active.length > wanted)
        await Promise.all(
          leastWantedFirst(active)
            .slice(0, Math.min(active.length - wanted, BURST))
            .map((pod) => deletePod(context, events, set, pod)),
        )
    } catch (error) {
      failure = error
    }
    const current = sets.byKey(key)
    const again = current ? await report(current, failure) : undefined
    if (failure) throw failure
    return again
  }

  /** Few at first, so that a template that is refused is not refused many times. */
  async function grow(set: ReplicaSet, count: number): Promise<void> {
    for (let done = 0, batch = 1; done < count; done += batch, batch = Math.min(batch * 2, count - done)) {
      await Promise.all(
        Array.from({ length: Math.min(batch, count - done) }, () =>
          createPod(context, events, { type: REPLICA_SET, owner: set, template: set.spec?.template ?? { spec: { containers: [] } } }),
        ),
      )
    }
  }

  /** Pods that match and belong to nobody become this set's. */
  async function adopt(set: ReplicaSet): Promise<void> {
    for (const pod of pods.inNamespace(set.metadata.namespace ?? '')) {
      if (controllerOf(pod) || !isActive(pod) || !matchesSelector(set.spec?.selector, pod.metadata.labels)) continue
      const ownerReferences = [...(pod.metadata.ownerReferences ?? []), ownedBy(REPLICA_SET, set)]
      const changed = await context.client.patch(
        POD,
        pod.metadata.namespace,
        pod.metadata.name,
        { metadata: { uid: pod.metadata.uid, ownerReferences } },
        { type: 'application/merge-patch+json' },
      )
      await pods.caughtUp(changed)
    }
  }

  async function report(set: ReplicaSet, failure: unknown): Promise<number | undefined> {
    const owned = pods.ownedBy(set.metadata.uid).filter((pod) => !isTerminal(pod) && !pod.metadata.deletionTimestamp)
    const minReady = set.spec?.minReadySeconds ?? 0
    const ready = owned.filter(isReady)
    const labels = Object.entries(set.spec?.template.metadata?.labels ?? {})
    await writeStatus(context.client, REPLICA_SET, set, {
      replicas: owned.length,
      fullyLabeledReplicas: owned.filter((pod) => labels.every(([name, value]) => pod.metadata.labels?.[name] === value)).length,
      readyReplicas: ready.length,
      availableReplicas: owned.filter((pod) => isAvailable(pod, minReady)).length,
      observedGeneration: set.metadata.generation ?? 0,
      conditions: conditionsOf(set, failure),
    })
    return soonest(ready, minReady)
  }
}

function conditionsOf(set: ReplicaSet, failure: unknown): WorkloadCondition[] {
  const others = (set.status?.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure')
  if (!failure) return others
  const before = set.status?.conditions?.find(({ type }) => type === 'ReplicaFailure')
  return [
    ...others,
    {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      message: messageOf(failure),
      lastTransitionTime: before?.lastTransitionTime ?? now(),
    },
  ]
}

/** When the next ready pod becomes available. */
export function soonest(ready: readonly Pod[], minReadySeconds: number): number | undefined {
  const waits = ready.map((pod) => availableIn(pod, minReadySeconds)).filter((wait) => wait > 0)
  return waits.length > 0 ? Math.min(...waits) + 10 : undefined
}
