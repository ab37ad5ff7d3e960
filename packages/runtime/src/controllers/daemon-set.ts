/** DaemonSet → one Pod on the one node. */
import { DAEMON_SET } from '../kube/kinds.ts'
import { isReady, isTerminal, type Pod } from '../kube/pod.ts'
import type { Store } from '../kube/store.ts'
import type { DaemonSet, DaemonSetSpec } from '../kube/workloads.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, controllerOf, shortHash, writeStatus } from './context.ts'
import { createPod, deletePod, isActive, isAvailable } from './pod-template.ts'
import { soonest } from './replica-set.ts'
import { fitsNode } from './scheduler.ts'

const REVISION = 'controller-revision-hash'

export function daemonSetController(context: ControllerContext, sets: Store<DaemonSet>): Controller {
  const { pods } = context.stores
  const events = new EventRecorder(context.client, 'daemonset-controller', context.node.name)
  const queue = new WorkQueue({ name: 'DaemonSet', reconcile })
  sets.listen((key) => queue.add(key))
  pods.listen((_key, pod, before) => {
    const changed = pod ?? before
    const owner = changed && controllerOf(changed)
    if (owner?.kind === DAEMON_SET.kind) queue.add(`${changed?.metadata.namespace}/${owner.name}`)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const set = sets.byKey(key)
    const { spec } = set ?? {}
    if (!set || !spec || set.metadata.deletionTimestamp) return undefined
    const revision = shortHash(spec.template)
    const wanted = fitsNode(spec.template.spec, context.node.name)
    await step(set, spec, revision, wanted)
    const current = sets.byKey(key)
    return current ? report(current, spec, revision, wanted) : undefined
  }

  async function step(set: DaemonSet, spec: DaemonSetSpec, revision: string, wanted: boolean): Promise<void> {
    const owned = pods.ownedBy(set.metadata.uid)
    for (const pod of owned) if (isTerminal(pod) && !pod.metadata.deletionTimestamp) await deletePod(context, events, set, pod)
    const [keep, ...surplus] = owned.filter(isActive).toSorted((a, b) => Number(isOf(b, revision)) - Number(isOf(a, revision)))
    for (const pod of surplus) await deletePod(context, events, set, pod)
    if (!wanted && keep) await deletePod(context, events, set, keep)
    else if (keep && !isOf(keep, revision) && spec.updateStrategy?.type !== 'OnDelete') await deletePod(context, events, set, keep)
    // The old pod is to be gone before the new one comes: they may want the same port of the node.
    else if (wanted && !keep && !owned.some((pod) => !isTerminal(pod)))
      await createPod(context, events, { type: DAEMON_SET, owner: set, template: spec.template, labels: { [REVISION]: revision } })
  }

  async function report(set: DaemonSet, spec: DaemonSetSpec, revision: string, wanted: boolean): Promise<number | undefined> {
    const owned = pods.ownedBy(set.metadata.uid).filter(isActive)
    const minReady = spec.minReadySeconds ?? 0
    const ready = owned.filter(isReady)
    const available = owned.filter((pod) => isAvailable(pod, minReady)).length
    const desired = wanted ? 1 : 0
    await writeStatus(context.client, DAEMON_SET, set, {
      observedGeneration: set.metadata.generation ?? 0,
      desiredNumberScheduled: desired,
      currentNumberScheduled: Math.min(owned.length, desired),
      numberMisscheduled: 0,
      numberReady: ready.length,
      numberAvailable: available,
      numberUnavailable: Math.max(0, desired - available),
      updatedNumberScheduled: owned.filter((pod) => isOf(pod, revision)).length,
    })
    return soonest(ready, minReady)
  }
}

function isOf(pod: Pod, revision: string): boolean {
  return pod.metadata.labels?.[REVISION] === revision
}
