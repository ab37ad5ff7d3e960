/** The status of a Deployment, in the terms by which `kubectl rollout status` judges it. */
import type { Deployment, DeploymentStatus, ReplicaSet, WorkloadCondition } from '../kube/workloads.ts'
import { now } from './context.ts'
import { limitsOf } from './rollout.ts'

/** The new status; `current` is the set made from the present template, if it exists. */
export function deploymentStatus(deployment: Deployment, current: ReplicaSet | undefined, all: readonly ReplicaSet[]): DeploymentStatus {
  const sum = (of: (set: ReplicaSet) => number | undefined) => all.reduce((total, set) => total + (of(set) ?? 0), 0)
  const replicas = sum((set) => set.status?.replicas)
  const availableReplicas = sum((set) => set.status?.availableReplicas)
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas,
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: sum((set) => set.status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, sum((set) => set.spec?.replicas) - availableReplicas),
  }
  return { ...counts, conditions: conditions(deployment, current, counts, all) }
}

/** Milliseconds until the progress deadline passes; `undefined` when nothing is being waited for. */
export function progressLeft(deployment: Deployment, status: DeploymentStatus): number | undefined {
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing')
  if (!progressing || progressing.reason === 'NewReplicaSetAvailable' || progressing.status !== 'True') return undefined
  return Math.max(100, Date.parse(progressing.lastUpdateTime ?? now()) + deadline(deployment) - Date.now() + 100)
}

const deadline = (deployment: Deployment) => (deployment.spec?.progressDeadlineSeconds ?? 600) * 1000

type Counts = Required<Omit<DeploymentStatus, 'conditions'>>

function conditions(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  counts: Counts,
  all: readonly ReplicaSet[],
): WorkloadCondition[] {
  const { replicas, maxUnavailable } = limitsOf(deployment)
  const enough = counts.availableReplicas >= replicas - (deployment.spec?.strategy?.type === 'Recreate' ? 0 : maxUnavailable)
  const available = enough
    ? { type: 'Available', status: 'True' as const, reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : {
        type: 'Available',
        status: 'False' as const,
        reason: 'MinimumReplicasUnavailable',
        message: 'Deployment does not have minimum availability.',
      }
  const result = [dated(deployment, available), progressing(deployment, current, counts)]
  const failure = all.flatMap((set) => set.status?.conditions ?? []).find(({ type }) => type === 'ReplicaFailure')
  if (failure)
    result.push(
      dated(deployment, { type: 'ReplicaFailure', status: failure.status, reason: failure.reason ?? '', message: failure.message ?? '' }),
    )
  return result
}

interface Undated {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

function progressing(deployment: Deployment, current: ReplicaSet | undefined, counts: Counts): WorkloadCondition {
  const known = deployment.status?.conditions?.find(({ type }) => type === 'Progressing')
  const wanted = deployment.spec?.replicas ?? 1
  const name = current?.metadata.name ?? ''
  const make = (status: 'True' | 'False' | 'Unknown', reason: string, message: string) =>
    dated(deployment, { type: 'Progressing', status, reason, message })
  if (deployment.spec?.paused) return make('Unknown', 'DeploymentPaused', 'Deployment is paused')
  const complete =
    current !== undefined && counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas === wanted
  if (complete) return make('True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`)
  const before = deployment.status ?? {}
  // Once complete, a pod that is lost later does not make the rollout pending again.
  const sameTemplate = before.observedGeneration === counts.observedGeneration && known?.reason === 'NewReplicaSetAvailable'
  if (sameTemplate && known) return known
  const moved =
    known === undefined ||
    known.reason === 'NewReplicaSetAvailable' ||
    known.reason === 'DeploymentPaused' ||
    counts.updatedReplicas > (before.updatedReplicas ?? 0) ||
    counts.availableReplicas > (before.availableReplicas ?? 0) ||
    counts.readyReplicas > (before.readyReplicas ?? 0) ||
    counts.replicas - counts.updatedReplicas < (before.replicas ?? 0) - (before.updatedReplicas ?? 0)
  if (moved)
    return {
      ...make('True', current ? 'ReplicaSetUpdated' : 'NewReplicaSetCreated', `ReplicaSet "${name}" is progressing.`),
      lastUpdateTime: now(),
    }
  if (Date.now() - Date.parse(known.lastUpdateTime ?? now()) > deadline(deployment))
    return make('False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`)
  return known
}

/** Keeps the times of a condition that says the same as before. */
function dated(deployment: Deployment, next: Undated): WorkloadCondition {
  const known = deployment.status?.conditions?.find(({ type }) => type === next.type)
  const time = now()
  return {
    ...next,
    lastUpdateTime: known && known.status === next.status && known.reason === next.reason ? (known.lastUpdateTime ?? time) : time,
    lastTransitionTime: known?.status === next.status ? (known.lastTransitionTime ?? time) : time,
  }
}
