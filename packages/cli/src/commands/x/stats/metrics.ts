/** `x metrics`: requests, errors and latency of workloads, as their own proxies report them to Prometheus. */
import { withCluster } from '../../../cluster/connect.ts'
import { command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { findPrometheus, instantValue } from './prometheus.ts'

interface WorkloadMetrics {
  readonly workload: string
  readonly totalRps: number
  readonly errorRps: number
  /** Milliseconds, at 50, 90 and 99 percent. */
  readonly latencies: readonly number[]
}

export const metrics = command<readonly WorkloadMetrics[]>({
  help: "Requests a second, those that failed, and latency of workloads, from the mesh's Prometheus: what the servers' own proxies measured over the last minute, or over --duration.",
  args: [{ name: 'workload', help: '<name>[.<namespace>]', variadic: true, optional: true }],
  flags: [
    { name: 'duration', short: 'd', value: 'DURATION', type: 'duration', default: '1m', help: 'over how long rates are taken' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen x metrics productpage-v1', 'lateen x metrics productpage-v1.shop reviews-v1.shop -d 2m'],
  run: (context) => {
    const { args, flags } = context
    if (args.length === 0) throw new CommandError('metrics requires workload name', { exitCode: EXIT.usage })
    const seconds = Math.max(1, Math.round((flags.duration('duration') ?? 60_000) / 1000))
    return withCluster(context, async (cluster) => {
      const prometheus = await findPrometheus(cluster)
      const ask = (query: string) => instantValue(cluster, prometheus, query)
      return Promise.all(args.map((workload) => metricsOf(workload, `${seconds}s`, ask)))
    })
  },
  render: (found) => metricsTable(found),
})

const QUANTILES = [0.5, 0.9, 0.99]

/** Exported for tests. */
export async function metricsOf(workload: string, window: string, ask: (query: string) => Promise<number>): Promise<WorkloadMetrics> {
  const [name = '', namespace = ''] = workload.split('.')
  if (!/^[a-z0-9-]+$/.test(name) || !/^[a-z0-9-]*$/.test(namespace)) {
    throw new CommandError(`"${workload}" is no workload: write <name>[.<namespace>], such as reviews-v1.shop`, { exitCode: EXIT.usage })
  }
  const labels = `destination_workload=~"${name}.*",destination_workload_namespace=~"${namespace}.*",reporter="destination"`
  const [totalRps, errorRps, ...latencies] = await Promise.all([
    ask(`sum(rate(istio_requests_total{${labels}}[${window}]))`),
    ask(`sum(rate(istio_requests_total{${labels},response_code=~"[45][0-9]{2}"}[${window}]))`),
    ...QUANTILES.map((quantile) =>
      ask(`histogram_quantile(${quantile}, sum(rate(istio_request_duration_milliseconds_bucket{${labels}}[${window}])) by (le))`),
    ),
  ])
  return { workload, totalRps: totalRps ?? 0, errorRps: errorRps ?? 0, latencies }
}

const HEADINGS = ['WORKLOAD', 'TOTAL RPS', 'ERROR RPS', 'P50 LATENCY', 'P90 LATENCY', 'P99 LATENCY']
const WIDEST_NAME = 40
const COLUMN = 13

/** Aligned to the right, as istioctl has it. */
function metricsTable(found: readonly WorkloadMetrics[]): string {
  const rows = found.map(({ workload, totalRps, errorRps, latencies }) => [
    workload,
    totalRps.toFixed(3),
    errorRps.toFixed(3),
    ...latencies.map((latency) => `${Math.trunc(latency)}ms`),
  ])
  return [HEADINGS, ...rows]
    .map((cells) => cells.map((cell, index) => cell.padStart(index === 0 ? WIDEST_NAME : COLUMN)).join(''))
    .join('\n')
}
