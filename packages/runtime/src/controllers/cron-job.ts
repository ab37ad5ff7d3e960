/** CronJob → Jobs, at the times of the schedule (UTC). */
import { ignoreMissing, isConflict, messageOf } from '../kube/api-failure.ts'
import { CRON_JOB, JOB } from '../kube/kinds.ts'
import type { Store } from '../kube/store.ts'
import type { CronJob, CronJobSpec, Job } from '../kube/workloads.ts'
import { EventRecorder } from '../node/event-recorder.ts'
import { WorkQueue } from '../work-queue.ts'
import { type Controller, type ControllerContext, controllerOf, ownedBy, writeStatus } from './context.ts'
import { parseSchedule } from './cron-schedule.ts'
import { hasFailed, isFinished } from './job.ts'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a controller is a closure of short steps over its context.
export function cronJobController(context: ControllerContext, cronJobs: Store<CronJob>, jobs: Store<Job>): Controller {
  const events = new EventRecorder(context.client, 'cronjob-controller', context.node.name)
  const queue = new WorkQueue({ name: 'CronJob', reconcile })
  cronJobs.listen((key) => queue.add(key))
  jobs.listen((_key, job, before) => {
    const changed = job ?? before
    const owner = changed && controllerOf(changed)
    if (owner?.kind === CRON_JOB.kind) queue.add(`${changed?.metadata.namespace}/${owner.name}`)
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const cron = cronJobs.byKey(key)
    const { spec } = cron ?? {}
    if (!cron || !spec || cron.metadata.deletionTimestamp) return undefined
    const owned = jobs.ownedBy(cron.metadata.uid)
    await tidy(spec, owned)
    await note(cron, owned)
    if (spec.suspend) return undefined
    const due = nextTime(cron, spec)
    if (due === undefined) return undefined
    if (due > Date.now()) return due - Date.now() + 5
    await run(cron, spec, due, owned)
    return 50
  }

  function nextTime(cron: CronJob, spec: CronJobSpec): number | undefined {
    const since = Date.parse(cron.status?.lastScheduleTime ?? cron.metadata.creationTimestamp ?? '') || Date.now()
    try {
      const schedule = parseSchedule(spec.schedule)
      const first = schedule.next(since)
      // Times that were missed count once: the newest of them.
      let due = first
      for (let later = first; later !== undefined && later <= Date.now(); later = schedule.next(later)) due = later
      return due
    } catch (error) {
      events.record({ object: cron }, 'Warning', 'UnparseableSchedule', messageOf(error))
      return undefined
    }
  }

  async function run(cron: CronJob, spec: CronJobSpec, due: number, owned: readonly Job[]): Promise<void> {
    const active = owned.filter((job) => !isFinished(job))
    const tooLate = spec.startingDeadlineSeconds !== undefined && Date.now() - due > spec.startingDeadlineSeconds * 1000
    const skip = tooLate || (spec.concurrencyPolicy === 'Forbid' && active.length > 0)
    if (!skip) {
      if (spec.concurrencyPolicy === 'Replace') for (const job of active) await remove(job)
      await create(cron, spec, due)
    }
    await context.client
      .patch(
        CRON_JOB,
        cron.metadata.namespace,
        cron.metadata.name,
        { status: { lastScheduleTime: new Date(due).toISOString().replace('.000Z', 'Z') } },
        { type: 'application/merge-patch+json', subresource: 'status' },
      )
      .then((changed) => cronJobs.caughtUp(changed))
  }

  async function create(cron: CronJob, spec: CronJobSpec, due: number): Promise<void> {
    const name = `${cron.metadata.name.slice(0, 50)}-${Math.floor(due / 60_000)}`
    const { metadata = {} } = spec.jobTemplate
    try {
      const made = await context.client.create(JOB, {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: {
          name,
          namespace: cron.metadata.namespace ?? 'default',
          ...(metadata.labels ? { labels: metadata.labels } : {}),
          annotations: { ...metadata.annotations, 'batch.kubernetes.io/cronjob-scheduled-timestamp': new Date(due).toISOString() },
          ownerReferences: [ownedBy(CRON_JOB, cron)],
        },
        spec: spec.jobTemplate.spec,
      })
      await jobs.caughtUp(made)
      events.record({ object: cron }, 'Normal', 'SuccessfulCreate', `Created job ${name}`)
    } catch (error) {
      if (!isConflict(error)) throw error
    }
  }

  async function tidy(spec: CronJobSpec, owned: readonly Job[]): Promise<void> {
    const finished = owned
      .filter(isFinished)
      .toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1))
    const surplus = (list: readonly Job[], keep: number) => list.slice(0, Math.max(0, list.length - keep))
    const failed = finished.filter(hasFailed)
    for (const job of [
      ...surplus(failed, spec.failedJobsHistoryLimit ?? 1),
      ...surplus(
        finished.filter((each) => !failed.includes(each)),
        spec.successfulJobsHistoryLimit ?? 3,
      ),
    ])
      await remove(job)
  }

  async function note(cron: CronJob, owned: readonly Job[]): Promise<void> {
    const active = owned
      .filter((job) => !isFinished(job))
      .map((job) => ({
        apiVersion: 'batch/v1',
        kind: 'Job',
        name: job.metadata.name,
        namespace: job.metadata.namespace,
        uid: job.metadata.uid,
      }))
    await writeStatus(context.client, CRON_JOB, cron, { active })
  }

  async function remove(job: Job): Promise<void> {
    await ignoreMissing(context.client.delete(JOB, job.metadata.namespace, job.metadata.name, { propagationPolicy: 'Background' }))
  }
}
