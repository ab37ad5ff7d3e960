/** Starts all controllers. */
import type { KubeObject } from '@lateen/api'
import { CRON_JOB, DAEMON_SET, DEPLOYMENT, JOB, REPLICA_SET, SERVICE_ACCOUNT, STATEFUL_SET } from '../kube/kinds.ts'
import { Store } from '../kube/store.ts'
import type { CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet } from '../kube/workloads.ts'
import { nthAddress } from '../network/address-pool.ts'
import type { Controller, ControllerContext } from './context.ts'
import { cronJobController } from './cron-job.ts'
import { daemonSetController } from './daemon-set.ts'
import { deploymentController } from './deployment.ts'
import { endpointsController } from './endpoints.ts'
import { garbageCollector } from './garbage.ts'
import { jobController } from './job.ts'
import { loadBalancerController } from './load-balancer.ts'
import { nodeObject } from './node-object.ts'
import { ensureOwnServices } from './own-services.ts'
import { replicaSetController } from './replica-set.ts'
import { scheduler } from './scheduler.ts'
import { serviceAccountController } from './service-account.ts'
import { serviceAccountTokenController } from './service-account-token.ts'
import { statefulSetController } from './stateful-set.ts'

export interface Controllers {
  stop(): Promise<void>
}

/** All controllers; they act on what the stores know, so the stores are waited for first. */
export async function startControllers(context: ControllerContext, serviceCidr: string): Promise<Controllers> {
  const { listWatch, stores } = context
  const deployments = new Store<Deployment>(DEPLOYMENT, listWatch)
  const replicaSets = new Store<ReplicaSet>(REPLICA_SET, listWatch)
  const statefulSets = new Store<StatefulSet>(STATEFUL_SET, listWatch)
  const daemonSets = new Store<DaemonSet>(DAEMON_SET, listWatch)
  const jobs = new Store<Job>(JOB, listWatch)
  const cronJobs = new Store<CronJob>(CRON_JOB, listWatch)
  const accounts = new Store<KubeObject>(SERVICE_ACCOUNT, listWatch)
  const own = [deployments, replicaSets, statefulSets, daemonSets, jobs, cronJobs, accounts]
  await Promise.all([...own, ...Object.values(stores)].map((store) => store.synced))
  await ensureOwnServices(context, nthAddress(serviceCidr, 1))
  const controllers: Controller[] = [
    await nodeObject(context),
    serviceAccountController(context, accounts),
    serviceAccountTokenController(context, accounts),
    endpointsController(context),
    scheduler(context),
    replicaSetController(context, replicaSets),
    deploymentController(context, deployments, replicaSets),
    statefulSetController(context, statefulSets),
    daemonSetController(context, daemonSets),
    jobController(context, jobs),
    cronJobController(context, cronJobs, jobs),
    loadBalancerController(context),
    garbageCollector(context),
  ]
  return {
    stop: async () => {
      await Promise.all(controllers.map((controller) => controller.stop()))
      for (const store of own) store.stop()
    },
  }
}
