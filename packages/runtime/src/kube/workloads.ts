/** The fields of workload kinds that their controllers read and write. Types only. */
import type { KubeObject, LabelSelector } from '@lateen/api'
import type { PodTemplate } from './pod.ts'

export interface WorkloadCondition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastUpdateTime?: string
  readonly lastTransitionTime?: string
  readonly lastProbeTime?: string
}

export interface DeploymentSpec {
  readonly replicas?: number
  readonly selector?: LabelSelector
  readonly template: PodTemplate
  readonly strategy?: {
    readonly type?: string
    readonly rollingUpdate?: { readonly maxSurge?: number | string; readonly maxUnavailable?: number | string }
  }
  readonly minReadySeconds?: number
  readonly revisionHistoryLimit?: number
  readonly progressDeadlineSeconds?: number
  readonly paused?: boolean
}

export interface DeploymentStatus {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly updatedReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly unavailableReplicas?: number
  readonly conditions?: readonly WorkloadCondition[]
}

export type Deployment = KubeObject<DeploymentSpec, DeploymentStatus>

export interface ReplicaSetSpec {
  readonly replicas?: number
  readonly selector?: LabelSelector
  readonly template: PodTemplate
  readonly minReadySeconds?: number
}

export interface ReplicaSetStatus {
  readonly observedGeneration?: number
  readonly replicas?: number
  readonly fullyLabeledReplicas?: number
  readonly readyReplicas?: number
  readonly availableReplicas?: number
  readonly conditions?: readonly WorkloadCondition[]
}

export type ReplicaSet = KubeObject<ReplicaSetSpec, ReplicaSetStatus>

export interface StatefulSetSpec {
  readonly replicas?: number
  readonly selector?: LabelSelector
  readonly template: PodTemplate
  readonly serviceName?: string
  readonly podManagementPolicy?: string
  readonly updateStrategy?: { readonly type?: string; readonly rollingUpdate?: { readonly partition?: number } }
  readonly volumeClaimTemplates?: readonly KubeObject[]
  readonly minReadySeconds?: number
  readonly revisionHistoryLimit?: number
  readonly ordinals?: { readonly start?: number }
}

export interface StatefulSetStatus {
  readonly currentRevision?: string
  readonly [field: string]: unknown
}

export type StatefulSet = KubeObject<StatefulSetSpec, StatefulSetStatus>

export interface DaemonSetSpec {
  readonly selector?: LabelSelector
  readonly template: PodTemplate
  readonly updateStrategy?: { readonly type?: string }
  readonly minReadySeconds?: number
}

export type DaemonSet = KubeObject<DaemonSetSpec>

export interface JobSpec {
  readonly parallelism?: number
  readonly completions?: number
  readonly backoffLimit?: number
  readonly activeDeadlineSeconds?: number
  readonly ttlSecondsAfterFinished?: number
  readonly suspend?: boolean
  readonly template: PodTemplate
  readonly [field: string]: unknown
}

export interface JobStatus {
  readonly startTime?: string
  readonly completionTime?: string
  readonly active?: number
  readonly succeeded?: number
  readonly failed?: number
  readonly ready?: number
  readonly conditions?: readonly WorkloadCondition[]
}

export type Job = KubeObject<JobSpec, JobStatus>

export interface CronJobSpec {
  readonly schedule: string
  readonly timeZone?: string
  readonly suspend?: boolean
  readonly concurrencyPolicy?: string
  readonly startingDeadlineSeconds?: number
  readonly successfulJobsHistoryLimit?: number
  readonly failedJobsHistoryLimit?: number
  readonly jobTemplate: { readonly metadata?: PodTemplate['metadata']; readonly spec: JobSpec }
}

export type CronJob = KubeObject<CronJobSpec, { readonly lastScheduleTime?: string }>
