/** StatefulSet → Pods with fixed names, one after the other. */
import { isConflict } from '../kube/api-failure.ts'
import { PERSISTENT_VOLUME_CLAIM, STATEFUL_SET } from '../kube/kinds.ts'
import { isReady, isTerminal, type Pod } from '../kube/pod.ts'
import type { Store } from '../kube/store.ts'
import type { StatefulSet, StatefulSetSpec } from '../kube/workloads.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, controllerOf, shortHash, writeStatus } from './context.ts'
import { createPod, deletePod, isAvailable } from './pod-template.ts'
import { soonest } from './replica-set.ts'

const REVISION = 'controller-revision-hash'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a controller is a closure of short steps over its context.
export function statefulSetController(context: ControllerContext, sets: Store<StatefulSet>): Controller {
  const { pods } = context.stores
  const events = new EventRecorder(context.client, 'statefulset-controller', context.node.name)
  const queue = new WorkQueue({ name: 'StatefulSet', reconcile })
  sets.listen((key) => queue.add(key))
  pods.listen((_key, pod, before) => {
    const changed = pod ?? before
    const owner = changed && controllerOf(changed)
    if (owner?.kind === STATEFUL_SET.kind) queue.add(`${changed?.metadata.namespace}/${owner.name}`)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const set = sets.byKey(key)
    if (!set?.spec || set.metadata.deletionTimestamp) return undefined
    const revision = `${set.metadata.name}-${shortHash(set.spec.template)}`
    await step(set, set.spec, revision)
    const current = sets.byKey(key)
    return current?.spec ? report(current, current.spec, revision) : undefined
  }

  /** Does what is due next; with ordered management one pod at a time. */
  async function step(set: StatefulSet, spec: StatefulSetSpec, revision: string): Promise<void> {
    const start = spec.ordinals?.start ?? 0
    const count = spec.replicas ?? 1
    const parallel = spec.podManagementPolicy === 'Parallel'
    const owned = new Map(pods.ownedBy(set.metadata.uid).map((pod) => [pod.metadata.name, pod]))
    const wanted = Array.from({ length: count }, (_, index) => start + index)
    for (const ordinal of wanted) {
      const pod = owned.get(`${set.metadata.name}-${ordinal}`)
      if (!pod) await create(set, spec, ordinal, revision)
      else if (isTerminal(pod) && !pod.metadata.deletionTimestamp) await deletePod(context, events, set, pod)
      if (!parallel && (!pod || !isReady(pod) || pod.metadata.deletionTimestamp)) return
    }
    const surplus = [...owned.values()].filter((pod) => !wanted.includes(ordinalOf(pod))).toSorted((a, b) => ordinalOf(b) - ordinalOf(a))
    for (const pod of surplus) {
      if (!pod.metadata.deletionTimestamp) await deletePod(context, events, set, pod)
      if (!parallel) return
    }
    await update(set, spec, owned, revision)
  }

  /** The highest ordinal first; waits for each pod to be ready again. */
  async function update(set: StatefulSet, spec: StatefulSetSpec, owned: ReadonlyMap<string, Pod>, revision: string): Promise<void> {
    if (spec.updateStrategy?.type === 'OnDelete') return
    const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0
    const newestFirst = [...owned.values()].toSorted((a, b) => ordinalOf(b) - ordinalOf(a))
    for (const pod of newestFirst) {
      if (pod.metadata.deletionTimestamp) return
      if (pod.metadata.labels?.[REVISION] !== revision && ordinalOf(pod) >= partition) return deletePod(context, events, set, pod)
      if (!isReady(pod)) return
    }
  }

  async function create(set: StatefulSet, spec: StatefulSetSpec, ordinal: number, revision: string): Promise<void> {
    const name = `${set.metadata.name}-${ordinal}`
    const claims = spec.volumeClaimTemplates ?? []
    for (const claim of claims) {
      const claimName = `${claim.metadata.name}-${name}`
      const metadata = { ...claim.metadata, name: claimName, namespace: set.metadata.namespace ?? 'default' }
      await context.client
        .create(PERSISTENT_VOLUME_CLAIM, { ...claim, apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata })
        .catch((error: unknown) => {
          if (!isConflict(error)) throw error
        })
    }
    const volumes = claims.map((claim) => ({
      name: claim.metadata.name,
      persistentVolumeClaim: { claimName: `${claim.metadata.name}-${name}` },
    }))
    const others = (spec.template.spec.volumes ?? []).filter((volume) => !volumes.some((own) => own.name === volume.name))
    await createPod(context, events, {
      type: STATEFUL_SET,
      owner: set,
      template: spec.template,
      name,
      labels: { [REVISION]: revision, 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(ordinal) },
      spec: {
        hostname: name,
        ...(spec.serviceName ? { subdomain: spec.serviceName } : {}),
        ...(volumes.length > 0 ? { volumes: [...others, ...volumes] } : {}),
      },
    })
  }

  async function report(set: StatefulSet, spec: StatefulSetSpec, revision: string): Promise<number | undefined> {
    const owned = pods.ownedBy(set.metadata.uid).filter((pod) => !isTerminal(pod))
    const updated = owned.filter((pod) => pod.metadata.labels?.[REVISION] === revision)
    const ready = owned.filter(isReady)
    const wanted = spec.replicas ?? 1
    const complete = updated.length === wanted && owned.length === wanted && updated.every(isReady)
    const currentRevision = complete ? revision : (set.status?.currentRevision ?? revision)
    await writeStatus(context.client, STATEFUL_SET, set, {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: owned.length,
      readyReplicas: ready.length,
      availableReplicas: owned.filter((pod) => isAvailable(pod, spec.minReadySeconds ?? 0)).length,
      currentReplicas: owned.filter((pod) => pod.metadata.labels?.[REVISION] === currentRevision).length,
      updatedReplicas: updated.length,
      currentRevision,
      updateRevision: revision,
      collisionCount: 0,
    })
    return soonest(ready, spec.minReadySeconds ?? 0)
  }
}

function ordinalOf(pod: Pod): number {
  return Number(pod.metadata.name.slice(pod.metadata.name.lastIndexOf('-') + 1))
}
