/** `x metrics`: requests, errors and latency of workloads, as their own proxies report them to Prometheus. */
import { type Cluster, withCluster } from '../../../cluster/connect.ts'
import { type Context, command } from '../../../shell/command.ts'
import { CommandError, EXIT } from '../../../shell/exit-codes.ts'
import { KUBE_FLAGS } from '../../../shell/kube-flags.ts'
import { measure, type Workload } from './measure.ts'
import { findPrometheus, instantValue } from './prometheus.ts'

interface WorkloadMetrics {
  readonly workload: string
  readonly totalRps: number
  readonly errorRps: number
  /** Milliseconds, at 50, 90 and 99 percent. */
  readonly latencies: readonly number[]
}

export const metrics = command<readonly WorkloadMetrics[]>({
  help: "Requests a second, those that failed, and latency of workloads, as the servers' own proxies measured them: from the mesh's Prometheus over the last minute, or over --duration; without a Prometheus, by watching the proxies for some seconds.",
  args: [{ name: 'workload', help: '<name>[.<namespace>]', variadic: true, optional: true }],
  flags: [
    { name: 'duration', short: 'd', value: 'DURATION', type: 'duration', default: '1m', help: 'over how long rates are taken' },
    ...KUBE_FLAGS,
  ],
  examples: ['lateen x metrics productpage-v1', 'lateen x metrics productpage-v1.shop reviews-v1.shop -d 2m'],
  run: (context) => {
    const { args, flags } = context
    if (args.length === 0) throw new CommandError('metrics requires workload name', { exitCode: EXIT.usage })
    const workloads = args.map(workloadOf)
    const seconds = Math.max(1, Math.round((flags.duration('duration') ?? 60_000) / 1000))
    return withCluster(context, async (cluster) => {
      const prometheus = await findPrometheus(cluster)
      if (!prometheus) return watched(context, cluster, workloads)
      const ask = (query: string) => instantValue(cluster, prometheus, query)
      return Promise.all(workloads.map((workload) => metricsOf(workload, `${seconds}s`, ask)))
    })
  },
  render: (found) => metricsTable(found),
})

const QUANTILES = [0.5, 0.9, 0.99]
/** How long proxies are watched when nobody says. */
const WATCHED_SECONDS = 5

interface NamedWorkload extends Workload {
  /** As the user wrote it. */
  readonly text: string
}

/** Exported for tests. @throws CommandError for what is no name */
export function workloadOf(text: string): NamedWorkload {
  const [name = '', namespace = ''] = text.split('.')
  if (/^[a-z0-9-]+$/.test(name) && /^[a-z0-9-]*$/.test(namespace)) return { text, name, namespace }
  throw new CommandError(`"${text}" is no workload: write <name>[.<namespace>], such as reviews-v1.shop`, { exitCode: EXIT.usage })
}

async function watched(
  { flags, progress, signal }: Context,
  cluster: Cluster,
  workloads: readonly NamedWorkload[],
): Promise<WorkloadMetrics[]> {
  const seconds = flags.given('duration') ? Math.max(1, (flags.duration('duration') ?? 0) / 1000) : WATCHED_SECONDS
  progress.note(`no Prometheus in namespace ${cluster.istioNamespace}: the proxies are watched for ${seconds} s`)
  const rates = await measure(cluster, workloads, { seconds, quantiles: QUANTILES, signal, note: (text) => progress.note(text) })
  return workloads.map(({ text }, index) => ({ workload: text, totalRps: 0, errorRps: 0, latencies: [], ...rates[index] }))
}

/** Exported for tests. */
export async function metricsOf(
  { text, name, namespace }: NamedWorkload,
  window: string,
  ask: (query: string) => Promise<number>,
): Promise<WorkloadMetrics> {
  const labels = `destination_workload=~"${name}.*",destination_workload_namespace=~"${namespace}.*",reporter="destination"`
  const [totalRps, errorRps, ...latencies] = await Promise.all([
    ask(`sum(rate(istio_requests_total{${labels}}[${window}]))`),
    ask(`sum(rate(istio_requests_total{${labels},response_code=~"[45][0-9]{2}"}[${window}]))`),
    ...QUANTILES.map((quantile) =>
      ask(`histogram_quantile(${quantile}, sum(rate(istio_request_duration_milliseconds_bucket{${labels}}[${window}])) by (le))`),
    ),
  ])
  return { workload: text, totalRps: totalRps ?? 0, errorRps: errorRps ?? 0, latencies }
}

const HEADINGS = ['WORKLOAD', 'TOTAL RPS', 'ERROR RPS', 'P50 LATENCY', 'P90 LATENCY', 'P99 LATENCY']
const NAME_COLUMN = 40
const COLUMN = 13
/** Blanks before each cell, at least. */
const GAP = 2

/** Aligned to the right, as istioctl has it. */
function metricsTable(found: readonly WorkloadMetrics[]): string {
  const rows = found.map(({ workload, totalRps, errorRps, latencies }) => [
    workload,
    totalRps.toFixed(3),
    errorRps.toFixed(3),
    ...latencies.map(latencyText),
  ])
  return [HEADINGS, ...rows]
    .map(([name = '', ...cells]) => {
      const numbers = cells.map((cell) => cell.padStart(Math.max(COLUMN, cell.length + GAP)))
      return [' '.repeat(GAP), name.padStart(NAME_COLUMN), ...numbers].join('')
    })
    .join('\n')
}

/** Whole milliseconds, as Go writes durations; a histogram without requests has no number. */
function latencyText(milliseconds: number): string {
  const whole = Number.isFinite(milliseconds) ? Math.trunc(milliseconds) : 0
  if (whole === 0) return '0s'
  if (whole < 1000) return `${whole}ms`
  const [minutes, seconds] = [Math.floor(whole / 60_000), (whole % 60_000) / 1000]
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`
}
