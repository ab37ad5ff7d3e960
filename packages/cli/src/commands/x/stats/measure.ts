/** Rates of workloads without a Prometheus: their proxies are read twice, some seconds apart. */
import { setTimeout as delay } from 'node:timers/promises'
import { RESOURCE_TYPES } from '@lateen/api'
import type { Cluster } from '../../../cluster/connect.ts'
import { type PodObject, proxyContainerOf } from '../../../cluster/pods.ts'
import { CommandError } from '../../../shell/exit-codes.ts'
import { metricsPage } from './metrics-page.ts'
import { type Counters, type Rates, ratesBetween, readCounters } from './proxy-counters.ts'

export interface Workload {
  readonly name: string
  /** Empty for any. */
  readonly namespace: string
}

interface Wanted {
  readonly seconds: number
  readonly quantiles: readonly number[]
  readonly signal: AbortSignal
  /** Told about workloads that report nothing. */
  readonly note: (text: string) => void
}

/** @throws CommandError when a workload has no running pod with a proxy */
export async function measure(
  cluster: Cluster,
  workloads: readonly Workload[],
  { seconds, quantiles, signal, note }: Wanted,
): Promise<Rates[]> {
  const pods = await Promise.all(workloads.map((workload) => podsOf(cluster, workload)))
  const read = () => Promise.all(workloads.map(({ name }, index) => countersOf(cluster, pods[index] ?? [], name)))
  const before = await read()
  await delay(seconds * 1000, undefined, { signal })
  const after = await read()
  for (const [index, { isReported }] of after.entries()) {
    if (!isReported)
      note(`${workloads[index]?.name}: its proxies report no istio_requests_total: nothing came in yet, or the metric is off`)
  }
  return after.map((late, index) => ratesBetween(before[index] ?? late, late, { seconds, quantiles }))
}

/** `name.namespace` of the pods that are the workload's by their names. */
async function podsOf({ client }: Cluster, { name, namespace }: Workload): Promise<string[]> {
  const { items } = await client.list<PodObject>(RESOURCE_TYPES.Pod, namespace === '' ? {} : { namespace })
  const own = items.filter((pod) => isOf(pod.metadata.name, name) && pod.status?.phase === 'Running' && proxyContainerOf(pod) !== undefined)
  if (own.length > 0) return own.map(({ metadata }) => `${metadata.name}.${metadata.namespace}`)
  const where = namespace === '' ? '' : ` in namespace ${namespace}`
  throw new CommandError(
    `workload ${name} has no running pod with a proxy${where}; see: kubectl get pods${namespace === '' ? ' -A' : ` -n ${namespace}`}`,
  )
}

/** A pod that nothing made is a workload of its own. */
const isOf = (pod: string, workload: string): boolean => pod === workload || pod.startsWith(`${workload}-`)

async function countersOf(cluster: Cluster, pods: readonly string[], workload: string): Promise<Counters> {
  const pages = await Promise.all(pods.map((pod) => metricsPage(cluster, pod, 'proxy')))
  return readCounters(pages, workload)
}
