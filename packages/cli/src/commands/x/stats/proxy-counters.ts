/** What the proxies of a workload have counted, read off their own Prometheus pages: for meshes without a Prometheus. */

/** Requests that a workload's own proxies saw come in. */
export interface Counters {
  readonly requests: number
  readonly errors: number
  /** Whether any of the proxies has the metric: they do from the first request on, unless it is switched off. */
  readonly isReported: boolean
  /** Requests by upper bound of their duration in milliseconds, cumulative; the last bound is Infinity. */
  readonly buckets: ReadonlyMap<number, number>
}

const REQUESTS = 'istio_requests_total'
const DURATIONS = 'istio_request_duration_milliseconds_bucket'

/** Sums over all samples of these pages that servers of the workload reported. */
export function readCounters(pages: readonly string[], workload: string): Counters {
  let [requests, errors] = [0, 0]
  let isReported = false
  const buckets = new Map<number, number>()
  for (const { name, labels, value } of pages.flatMap(samplesOf)) {
    if (labels.get('reporter') !== 'destination' || !labels.get('destination_workload')?.startsWith(workload)) continue
    isReported ||= name === REQUESTS
    if (name === DURATIONS) {
      const bound = boundOf(labels.get('le') ?? '')
      buckets.set(bound, (buckets.get(bound) ?? 0) + value)
    } else {
      requests += value
      if (/^[45]\d\d$/.test(labels.get('response_code') ?? '')) errors += value
    }
  }
  return { requests, errors, isReported, buckets }
}

const boundOf = (text: string): number => (text === '+Inf' ? Number.POSITIVE_INFINITY : Number(text))

interface Sample {
  readonly name: string
  readonly labels: ReadonlyMap<string, string>
  readonly value: number
}

function samplesOf(page: string): Sample[] {
  return page.split('\n').flatMap((line) => {
    const brace = line.indexOf('{')
    const name = line.slice(0, brace)
    if (name !== REQUESTS && name !== DURATIONS) return []
    const end = line.lastIndexOf('}')
    const value = Number(
      line
        .slice(end + 1)
        .trim()
        .split(' ')[0],
    )
    if (end < brace || !Number.isFinite(value)) return []
    const labels = [...line.slice(brace + 1, end).matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)]
    return [{ name, labels: new Map(labels.map(([, key = '', text = '']) => [key, text])), value }]
  })
}

export interface Rates {
  readonly totalRps: number
  readonly errorRps: number
  /** Milliseconds, one for each quantile; 0 when nothing came in. */
  readonly latencies: readonly number[]
}

/** What happened between two readings. A proxy that started anew in between counts from zero, never below. */
export function ratesBetween(
  before: Counters,
  after: Counters,
  { seconds, quantiles }: { readonly seconds: number; readonly quantiles: readonly number[] },
): Rates {
  const grown = (late: number, early: number) => Math.max(0, late - early)
  const buckets = [...after.buckets]
    .map(([bound, count]) => ({ bound, count: grown(count, before.buckets.get(bound) ?? 0) }))
    .sort((a, b) => a.bound - b.bound)
  return {
    totalRps: grown(after.requests, before.requests) / seconds,
    errorRps: grown(after.errors, before.errors) / seconds,
    latencies: quantiles.map((quantile) => quantileOf(buckets, quantile)),
  }
}

/** As Prometheus' `histogram_quantile`: even within a bucket; the lower bound of the last, which has no upper one. */
function quantileOf(buckets: readonly { readonly bound: number; readonly count: number }[], quantile: number): number {
  const total = buckets.at(-1)?.count ?? 0
  if (total === 0) return 0
  const rank = quantile * total
  const index = buckets.findIndex(({ count }) => count >= rank)
  const [bucket, lower] = [buckets[index], buckets[index - 1]]
  if (!bucket || bucket.bound === Number.POSITIVE_INFINITY) return lower?.bound ?? 0
  const [from, below] = [lower?.bound ?? 0, lower?.count ?? 0]
  return bucket.count === below ? bucket.bound : from + ((bucket.bound - from) * (rank - below)) / (bucket.count - below)
}
