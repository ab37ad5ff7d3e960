/** Which workload a pod belongs to, guessed from the pod alone as Istio does: Deployment rather than ReplicaSet, CronJob rather than Job. */
import type { Pod } from './pod.ts'

export interface WorkloadOwner {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  /** Empty where not known. */
  readonly namespace: string
}

/** Jobs made by a CronJob end in its time, in minutes or seconds. */
const CRON_JOB_NAME = /^(.+)-[0-9]{8,10}$/

/** The workload of a pod; the pod itself when nothing controls it. */
export function ownerOfPod(pod: Pod): WorkloadOwner {
  const { name, generateName, namespace = '', ownerReferences, labels = {} } = pod.metadata
  const self = { apiVersion: 'v1', kind: 'Pod', name: name ?? '', namespace }
  const controller = generateName ? ownerReferences?.find((reference) => reference.controller === true) : undefined
  if (!controller) return self
  const owner = { apiVersion: controller.apiVersion, kind: controller.kind, name: controller.name, namespace }
  switch (controller.kind) {
    case 'ReplicaSet':
      return replicaSetOwner(owner, labels)
    case 'ReplicationController':
      return labels.deploymentconfig ? { ...owner, name: labels.deploymentconfig, kind: 'DeploymentConfig' } : owner
    case 'Job': {
      const cronJob = CRON_JOB_NAME.exec(controller.name)?.[1]
      return cronJob ? { ...owner, name: cronJob, kind: 'CronJob', apiVersion: 'batch/v1' } : owner
    }
    default:
      return owner
  }
}

function replicaSetOwner(owner: WorkloadOwner, labels: Readonly<Record<string, string>>): WorkloadOwner {
  const rollout = labels['rollouts-pod-template-hash']
  if (rollout && owner.name.endsWith(`-${rollout}`))
    return { ...owner, name: owner.name.slice(0, -rollout.length - 1), kind: 'Rollout', apiVersion: 'v1alpha1' }
  const deployment = labels['pod-template-hash']
  return deployment && owner.name.endsWith(`-${deployment}`)
    ? { ...owner, name: owner.name.slice(0, -deployment.length - 1), kind: 'Deployment' }
    : owner
}
