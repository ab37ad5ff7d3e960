/** Deployment → ReplicaSets: one for each template ever wanted, the newest growing while the others shrink. */
import { ignoreMissing } from '../kube/api-failure.ts'
import { DEPLOYMENT, REPLICA_SET } from '../kube/kinds.ts'
import { isTerminal } from '../kube/pod.ts'
import type { Store } from '../kube/store.ts'
import type { Deployment, DeploymentSpec, ReplicaSet } from '../kube/workloads.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, canonical, controllerOf, ownedBy, shortHash, writeStatus } from './context.ts'
import { deploymentStatus, progressLeft } from './deployment-status.ts'
import { limitsOf, nextSizes } from './rollout.ts'

const HASH = 'pod-template-hash'
const REVISION = 'deployment.kubernetes.io/revision'
const NOT_COPIED = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  REVISION,
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
])

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a controller is a closure of short steps over its context.
export function deploymentController(context: ControllerContext, deployments: Store<Deployment>, sets: Store<ReplicaSet>): Controller {
  const { client } = context
  const events = new EventRecorder(client, 'deployment-controller', context.node.name)
  const queue = new WorkQueue({ name: 'Deployment', reconcile })
  deployments.listen((key) => queue.add(key))
  sets.listen((_key, set, before) => {
    const changed = set ?? before
    const owner = changed && controllerOf(changed)
    if (owner?.kind === DEPLOYMENT.kind) queue.add(`${changed?.metadata.namespace}/${owner.name}`)
  })
  // Recreate waits for pods to be gone, which no ReplicaSet's status tells.
  context.stores.pods.listen((_key, pod, before) => {
    if (pod || !before) return
    const set = sets.get(before.metadata.namespace, controllerOf(before)?.name ?? '')
    const owner = set && controllerOf(set)
    if (owner?.kind === DEPLOYMENT.kind) queue.add(`${before.metadata.namespace}/${owner.name}`)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const deployment = deployments.byKey(key)
    const { spec } = deployment ?? {}
    if (!deployment || !spec || deployment.metadata.deletionTimestamp) return undefined
    const owned = sets.ownedBy(deployment.metadata.uid).toSorted((a, b) => revisionOf(a) - revisionOf(b))
    const current = owned.find((set) => sameTemplate(set, spec))
    const old = owned.filter((set) => set !== current)
    if (spec.paused) await resizePaused(deployment, spec, current, old)
    else await progress(deployment, spec, current, old)
    return report(key)
  }

  async function progress(
    deployment: Deployment,
    spec: DeploymentSpec,
    known: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<void> {
    const recreate = spec.strategy?.type === 'Recreate'
    if (recreate && (await clearOld(deployment, old))) return
    const current = known ? await keepRevision(deployment, known, old) : await createSet(deployment, spec, old, recreate)
    const sizes = recreate ? new Map([[current.metadata.name, spec.replicas ?? 1]]) : nextSizes(limitsOf(deployment), current, old)
    for (const set of [current, ...old]) await resize(deployment, set, sizes.get(set.metadata.name))
    if (isDone(deployment, current, old)) await forget(spec, old)
  }

  /** Recreate: whether old pods are still there; they are told to go. */
  async function clearOld(deployment: Deployment, old: readonly ReplicaSet[]): Promise<boolean> {
    for (const set of old) await resize(deployment, set, 0)
    return old.some((set) => context.stores.pods.ownedBy(set.metadata.uid).some((pod) => !isTerminal(pod)))
  }

  async function createSet(deployment: Deployment, spec: DeploymentSpec, old: readonly ReplicaSet[], full: boolean): Promise<ReplicaSet> {
    const hash = shortHash(spec.template)
    const { metadata = {} } = spec.template
    const labels = { ...metadata.labels, [HASH]: hash }
    const { replicas, maxSurge } = limitsOf(deployment)
    const inUse = old.reduce((sum, set) => sum + (set.spec?.replicas ?? 0), 0)
    const first = full || inUse === 0 ? replicas : Math.max(0, Math.min(replicas, replicas + maxSurge - inUse))
    const revision = String(Math.max(0, ...old.map(revisionOf)) + 1)
    const made = await client.create<ReplicaSet>(REPLICA_SET, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        namespace: deployment.metadata.namespace ?? 'default',
        labels,
        annotations: { ...copied(deployment), ...sizeNotes(deployment), [REVISION]: revision },
        ownerReferences: [ownedBy(DEPLOYMENT, deployment)],
      },
      spec: {
        replicas: first,
        ...(spec.minReadySeconds ? { minReadySeconds: spec.minReadySeconds } : {}),
        selector: { ...spec.selector, matchLabels: { ...spec.selector?.matchLabels, [HASH]: hash } },
        template: { ...spec.template, metadata: { ...metadata, labels } },
      },
    })
    events.record({ object: deployment }, 'Normal', 'ScalingReplicaSet', `Scaled up replica set ${made.metadata.name} to ${first}`)
    await sets.caughtUp(made)
    await noteRevision(deployment, revision)
    return made
  }

  /** A set that is wanted again after a rollback gets the newest revision number. */
  async function keepRevision(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const newest = Math.max(0, ...old.map(revisionOf))
    const revision = revisionOf(current) > newest ? revisionOf(current) : newest + 1
    await noteRevision(deployment, String(revision))
    if (revision === revisionOf(current)) return current
    return patchSet(current, { metadata: { annotations: { ...copied(deployment), [REVISION]: String(revision) } } })
  }

  async function noteRevision(deployment: Deployment, revision: string): Promise<void> {
    if (deployment.metadata.annotations?.[REVISION] === revision) return
    const changed = await client.patch(
      DEPLOYMENT,
      deployment.metadata.namespace,
      deployment.metadata.name,
      { metadata: { annotations: { [REVISION]: revision } } },
      { type: 'application/merge-patch+json' },
    )
    await deployments.caughtUp(changed)
  }

  async function resize(deployment: Deployment, set: ReplicaSet, size: number | undefined): Promise<void> {
    const before = set.spec?.replicas ?? 0
    if (size === undefined || size === before) return
    await patchSet(set, { spec: { replicas: size }, metadata: { annotations: sizeNotes(deployment) } })
    events.record(
      { object: deployment },
      'Normal',
      'ScalingReplicaSet',
      `Scaled ${size > before ? 'up' : 'down'} replica set ${set.metadata.name} from ${before} to ${size}`,
    )
  }

  async function patchSet(set: ReplicaSet, patch: object): Promise<ReplicaSet> {
    const changed = await client.patch<ReplicaSet>(REPLICA_SET, set.metadata.namespace, set.metadata.name, patch, {
      type: 'application/merge-patch+json',
    })
    await sets.caughtUp(changed)
    return changed
  }

  /** A paused Deployment makes no new set, but can still be scaled. */
  async function resizePaused(
    deployment: Deployment,
    spec: DeploymentSpec,
    current: ReplicaSet | undefined,
    old: readonly ReplicaSet[],
  ): Promise<void> {
    const active = [...old, ...(current ? [current] : [])].filter((set) => (set.spec?.replicas ?? 0) > 0)
    const target = active.at(-1) ?? current
    if (!target || active.length > 1) return
    await resize(deployment, target, spec.replicas ?? 1)
  }

  /** Deletes sets beyond the history limit, oldest first. */
  async function forget(spec: DeploymentSpec, old: readonly ReplicaSet[]): Promise<void> {
    const empty = old.filter(
      (set) => (set.spec?.replicas ?? 0) === 0 && (set.status?.replicas ?? 0) === 0 && !set.metadata.deletionTimestamp,
    )
    for (const set of empty.slice(0, Math.max(0, empty.length - (spec.revisionHistoryLimit ?? 10)))) {
      await ignoreMissing(client.delete(REPLICA_SET, set.metadata.namespace, set.metadata.name, { propagationPolicy: 'Background' }))
    }
  }

  async function report(key: string): Promise<number | undefined> {
    const deployment = deployments.byKey(key)
    if (!deployment?.spec) return undefined
    const owned = sets.ownedBy(deployment.metadata.uid)
    const { spec } = deployment
    const current = owned.find((set) => sameTemplate(set, spec))
    const status = deploymentStatus(deployment, current, owned)
    await writeStatus(client, DEPLOYMENT, deployment, status)
    return progressLeft(deployment, status)
  }
}

function isDone(deployment: Deployment, current: ReplicaSet, old: readonly ReplicaSet[]): boolean {
  return (
    (current.status?.availableReplicas ?? 0) >= (deployment.spec?.replicas ?? 1) && old.every((set) => (set.status?.replicas ?? 0) === 0)
  )
}

export function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[REVISION] ?? 0) || 0
}

/** Whether the set was made from this template; the hash label is the set's own. */
function sameTemplate(set: ReplicaSet, spec: DeploymentSpec): boolean {
  const { template } = set.spec ?? {}
  if (!template) return false
  const { [HASH]: _, ...labels } = template.metadata?.labels ?? {}
  return (
    canonical(plain({ ...template, metadata: { ...template.metadata, labels } })) ===
    canonical(plain({ ...spec.template, metadata: { ...spec.template.metadata, labels: { ...spec.template.metadata?.labels } } }))
  )
}

/** The API server may or may not state that a template was never created. */
function plain(template: DeploymentSpec['template']): unknown {
  const { creationTimestamp: _, ...metadata } = template.metadata ?? {}
  return { ...template, metadata }
}

function copied(deployment: Deployment): Record<string, string> {
  return Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => !NOT_COPIED.has(name)))
}

function sizeNotes(deployment: Deployment): Record<string, string> {
  const { replicas, maxSurge } = limitsOf(deployment)
  return {
    'deployment.kubernetes.io/desired-replicas': String(replicas),
    'deployment.kubernetes.io/max-replicas': String(replicas + maxSurge),
  }
}
