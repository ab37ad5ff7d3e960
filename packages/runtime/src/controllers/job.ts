/** Job → Pods, until as many as asked for have succeeded. */
import { ignoreMissing } from '../kube/api-failure.ts'
import { JOB } from '../kube/kinds.ts'
import { isReady, type Pod } from '../kube/pod.ts'
import type { Store } from '../kube/store.ts'
import type { Job, JobSpec, JobStatus, WorkloadCondition } from '../kube/workloads.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, controllerOf, now, writeStatus } from './context.ts'
import { createPod, deletePod, isActive } from './pod-template.ts'

const FIRST_BACK_OFF = 10_000
const LONGEST_BACK_OFF = 360_000

export function jobController(context: ControllerContext, jobs: Store<Job>): Controller {
  const { pods } = context.stores
  const events = new EventRecorder(context.client, 'job-controller', context.node.name)
  const queue = new WorkQueue({ name: 'Job', reconcile })
  jobs.listen((key) => queue.add(key))
  pods.listen((_key, pod, before) => {
    const changed = pod ?? before
    const owner = changed && controllerOf(changed)
    if (owner?.kind === JOB.kind) queue.add(`${changed?.metadata.namespace}/${owner.name}`)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const job = jobs.byKey(key)
    const { spec } = job ?? {}
    if (!job || !spec || job.metadata.deletionTimestamp) return undefined
    if (finishedAt(job)) return expire(job, spec)
    const owned = pods.ownedBy(job.metadata.uid)
    const succeeded = owned.filter((pod) => pod.status?.phase === 'Succeeded').length
    const failed = owned.filter((pod) => pod.status?.phase === 'Failed')
    const verdict = judge(job, spec, succeeded, failed.length, owned)
    if (verdict) return finish(job, owned, verdict, { succeeded, failed: failed.length })
    const active = owned.filter(isActive)
    const wanted = spec.suspend ? 0 : wantedPods(spec, succeeded)
    const wait = active.length < wanted ? backOff(failed) : 0
    if (active.length > wanted) for (const pod of active.slice(wanted)) await deletePod(context, events, job, pod)
    else if (wait <= 0) for (let count = active.length; count < wanted; count++) await create(job, spec, owned)
    const later = pods.ownedBy(job.metadata.uid).filter(isActive)
    await writeStatus(context.client, JOB, job, {
      startTime: job.status?.startTime ?? now(),
      active: later.length,
      ready: later.filter(isReady).length,
      succeeded,
      failed: failed.length,
    })
    const left = deadlineLeft(job, spec)
    const waits = [wait, left].filter((each): each is number => each !== undefined && each > 0)
    return waits.length > 0 ? Math.min(...waits) + 20 : undefined
  }

  async function create(job: Job, spec: JobSpec, owned: readonly Pod[]): Promise<void> {
    const labels = {
      'job-name': job.metadata.name,
      'batch.kubernetes.io/job-name': job.metadata.name,
      'controller-uid': job.metadata.uid ?? '',
      'batch.kubernetes.io/controller-uid': job.metadata.uid ?? '',
    }
    const indexed = spec.completionMode === 'Indexed' ? indexLabels(job, owned) : {}
    await createPod(context, events, { type: JOB, owner: job, template: spec.template, labels: { ...labels, ...indexed } })
  }

  function indexLabels(job: Job, owned: readonly Pod[]): Record<string, string> {
    const label = 'batch.kubernetes.io/job-completion-index'
    const known = [...owned, ...pods.ownedBy(job.metadata.uid)].filter((pod) => isActive(pod) || pod.status?.phase === 'Succeeded')
    const taken = new Set(known.map((pod) => pod.metadata.labels?.[label]))
    let index = 0
    while (taken.has(String(index))) index++
    return { [label]: String(index) }
  }

  async function finish(
    job: Job,
    owned: readonly Pod[],
    verdict: Verdict,
    counts: { succeeded: number; failed: number },
  ): Promise<undefined> {
    for (const pod of owned.filter(isActive)) await deletePod(context, events, job, pod)
    const condition: WorkloadCondition = { ...verdict, status: 'True', lastProbeTime: now(), lastTransitionTime: now() }
    const status: JobStatus = {
      startTime: job.status?.startTime ?? now(),
      ...(verdict.type === 'Complete' ? { completionTime: now() } : {}),
      active: 0,
      ready: 0,
      ...counts,
      conditions: [...(job.status?.conditions ?? []), condition],
    }
    await writeStatus(context.client, JOB, job, status)
    if (verdict.type === 'Complete') events.record({ object: job }, 'Normal', 'Completed', 'Job completed')
    else events.record({ object: job }, 'Warning', verdict.reason, verdict.message)
    return undefined
  }

  /** Deletes a finished job when its time to live has passed. */
  async function expire(job: Job, spec: JobSpec): Promise<number | undefined> {
    if (spec.ttlSecondsAfterFinished === undefined) return undefined
    const left = (finishedAt(job) ?? 0) + spec.ttlSecondsAfterFinished * 1000 - Date.now()
    if (left > 0) return left + 20
    await ignoreMissing(context.client.delete(JOB, job.metadata.namespace, job.metadata.name, { propagationPolicy: 'Background' }))
    return undefined
  }
}

interface Verdict {
  readonly type: 'Complete' | 'Failed'
  readonly reason: string
  readonly message: string
}

function judge(job: Job, spec: JobSpec, succeeded: number, failed: number, owned: readonly Pod[]): Verdict | undefined {
  // Without completions, the job is done when one pod has succeeded and no other runs.
  const enough =
    spec.completions === undefined || spec.completions === null ? succeeded > 0 && !owned.some(isActive) : succeeded >= spec.completions
  if (enough) return { type: 'Complete', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
  const restarts = owned
    .filter(isActive)
    .reduce((sum, pod) => sum + (pod.status?.containerStatuses ?? []).reduce((total, { restartCount }) => total + restartCount, 0), 0)
  const limit = spec.backoffLimit ?? 6
  if (failed > limit || (spec.template.spec.restartPolicy === 'OnFailure' && limit > 0 && restarts >= limit)) {
    return { type: 'Failed', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  }
  const left = deadlineLeft(job, spec)
  if (left !== undefined && left <= 0)
    return { type: 'Failed', reason: 'DeadlineExceeded', message: 'Job was active longer than specified deadline' }
  return undefined
}

function wantedPods(spec: JobSpec, succeeded: number): number {
  const parallelism = spec.parallelism ?? 1
  if (spec.completions === undefined || spec.completions === null) return succeeded > 0 ? 0 : parallelism
  return Math.max(0, Math.min(parallelism, spec.completions - succeeded))
}

function deadlineLeft(job: Job, spec: JobSpec): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || !job.status?.startTime) return undefined
  return Date.parse(job.status.startTime) + spec.activeDeadlineSeconds * 1000 - Date.now()
}

/** Milliseconds to wait after the last failure: 10 s, 20 s, 40 s, at most six minutes. */
function backOff(failed: readonly Pod[]): number {
  if (failed.length === 0) return 0
  const ends = failed.flatMap((pod) =>
    (pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(state.terminated?.finishedAt ?? '') || 0),
  )
  return Math.max(0, ...ends) + Math.min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** (failed.length - 1)) - Date.now()
}

function finishedAt(job: Job): number | undefined {
  const end = job.status?.conditions?.find(({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True')
  return end && (Date.parse(end.lastTransitionTime ?? '') || Date.now())
}

export const isFinished = (job: Job): boolean => finishedAt(job) !== undefined

export const hasFailed = (job: Job): boolean =>
  job.status?.conditions?.some(({ type, status }) => type === 'Failed' && status === 'True') ?? false
