/** Which statistics Envoy keeps, how it labels them, and how often it works on them. */
import { logger, parseDuration } from '@lateen/base'
import { isObject, jsonObject } from '../settings/environment.ts'
import type { AgentSettings } from '../settings/settings.ts'
import type { Json } from './bootstrap.ts'

/** Kept always: what readiness, drain, the console and Istio's dashboards read. */
const PREFIXES = ['cluster_manager', 'listener_manager', 'server', 'cluster.xds-grpc', 'wasm', 'istio', 'wasmcustom', 'component']
const SUFFIXES = ['rbac.allowed', 'rbac.denied', 'shadow_allowed', 'shadow_denied', 'downstream_cx_active']
const REGEXES = ['^vhost\\..*\\.route\\..*', '^http\\.(inbound|outbound)_.*\\.downstream_(cx|rq)_(active|total)$']

const PER_PROXY = {
  prefixes: { annotation: 'sidecar.istio.io/statsInclusionPrefixes', field: 'inclusionPrefixes' },
  suffixes: { annotation: 'sidecar.istio.io/statsInclusionSuffixes', field: 'inclusionSuffixes' },
  regexes: { annotation: 'sidecar.istio.io/statsInclusionRegexps', field: 'inclusionRegexps' },
} as const

const BUCKETS_ANNOTATION = 'sidecar.istio.io/statsHistogramBuckets'
const BINS_ANNOTATION = 'sidecar.istio.io/statsHistogramBins'
const FLUSH_ANNOTATION = 'sidecar.istio.io/statsFlushInterval'
const EVICTION_ANNOTATION = 'sidecar.istio.io/statsEvictionInterval'

/** Bounds of one list that a user gives. */
const MAX_PATTERNS = 500
/** Envoy's limit. */
const MAX_BINS = 46_082

const DEFAULT_FLUSH_MS = 5_000
/** Envoy takes intervals of flushes below five minutes. */
const MAX_FLUSH_MS = 5 * 60_000 - 1
const MAX_EVICTION_MS = 365 * 86_400_000

const log = logger('bootstrap')

type StatsSettings = Pick<AgentSettings, 'pod' | 'proxyConfig'>

/** `stats_config`. */
export function statsConfig(settings: StatsSettings): { [key: string]: Json } {
  return {
    use_all_default_tags: false,
    stats_tags: TAGS.map(([tag_name, regex]) => ({ tag_name, regex })),
    stats_matcher: {
      inclusion_list: {
        patterns: [
          ...[...PREFIXES, ...userPatterns(settings, 'prefixes')].map((prefix) => ({ prefix })),
          ...[...SUFFIXES, ...userPatterns(settings, 'suffixes')].map((suffix) => ({ suffix })),
          ...[...REGEXES, ...userPatterns(settings, 'regexes')].map((regex) => ({ safe_regex: { regex } })),
        ],
      },
    },
    histogram_bucket_settings: histogramBuckets(settings),
  }
}

/**
 * How often histograms and gauges are brought up to date, and how often statistics that nothing counts any more are forgotten.
 *
 * Without annotations that is done when somebody looks, and nothing while nobody does. Envoy forgets at flushes only, so that the one
 * interval must be a multiple of the other; what is not is left out with a line in the log.
 */
export function statsIntervals({ pod }: Pick<StatsSettings, 'pod'>): { [key: string]: Json } {
  const flush = interval(pod.annotations, FLUSH_ANNOTATION, MAX_FLUSH_MS)
  const eviction = interval(pod.annotations, EVICTION_ANNOTATION, MAX_EVICTION_MS)
  const between = flush ?? DEFAULT_FLUSH_MS
  const fits = eviction !== undefined && eviction % between === 0
  if (eviction !== undefined && !fits) {
    log.warn(
      `${EVICTION_ANNOTATION}: "${pod.annotations[EVICTION_ANNOTATION]}" is no multiple of the ${between / 1000} s of ${FLUSH_ANNOTATION}; nothing is evicted`,
    )
  }
  if (flush === undefined && !fits) return { stats_flush_on_admin: true }
  return { stats_flush_interval: seconds(between), ...(fits ? { stats_eviction_interval: seconds(eviction) } : {}) }
}

const seconds = (milliseconds: number): string => `${milliseconds / 1000}s`

/** Whole milliseconds, which is what Envoy counts in; nothing where the annotation is absent or cannot be used. */
function interval(annotations: Readonly<Record<string, string>>, name: string, most: number): number | undefined {
  const text = annotations[name]
  if (text === undefined) return undefined
  const value = Math.floor(parseDuration(text) ?? 0)
  if (value >= 1 && value <= most) return value
  log.warn(`${name}: "${text}" is no duration from 1ms to ${most / 1000}s; it is not used`)
  return undefined
}

/** From the pod's annotation, or else from ProxyConfig's `proxyStatsMatcher`. */
function userPatterns({ pod, proxyConfig }: StatsSettings, kind: keyof typeof PER_PROXY): string[] {
  const { annotation, field } = PER_PROXY[kind]
  const text = pod.annotations[annotation]
  // A regular expression may hold commas; there the annotation is split only where a new expression can begin.
  if (text) return text.split(',').filter(Boolean).slice(0, MAX_PATTERNS)
  const list = isObject(proxyConfig.proxyStatsMatcher) ? proxyConfig.proxyStatsMatcher[field] : undefined
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string' && item !== '').slice(0, MAX_PATTERNS) : []
}

/**
 * Istio's own metrics get Istio's buckets; others are set by annotation: `{"prefix": [1, 5, 10]}`. So are the bins in which Envoy counts
 * before it sorts into buckets: `{"prefix": 40}`.
 */
function histogramBuckets({ pod }: StatsSettings): Json[] {
  const istio = {
    match: { contains: 'istio_' },
    buckets: [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000],
  }
  const buckets = byPrefix(pod.annotations[BUCKETS_ANNOTATION], bucketsOf)
  const bins = byPrefix(pod.annotations[BINS_ANNOTATION], binsOf)
  const own = [...new Set([...buckets.keys(), ...bins.keys()])].map((prefix): Json => {
    const [list, count] = [buckets.get(prefix), bins.get(prefix)]
    return { match: { prefix }, ...(list ? { buckets: list } : {}), ...(count ? { bins: count } : {}) }
  })
  return [...own, istio]
}

/** What a JSON object says of each prefix, as far as it can be used. */
function byPrefix<T>(text: string | undefined, read: (value: unknown) => T | undefined): ReadonlyMap<string, T> {
  const entries = Object.entries(jsonObject(text ?? '') ?? {}).slice(0, MAX_PATTERNS)
  return new Map(
    entries.flatMap(([prefix, value]) => {
      const found = read(value)
      return prefix === '' || found === undefined ? [] : [[prefix, found] as const]
    }),
  )
}

function bucketsOf(value: unknown): number[] | undefined {
  const numbers = Array.isArray(value) ? value.filter((n) => typeof n === 'number' && n > 0).slice(0, 100) : []
  return numbers.length > 0 ? [...new Set(numbers)].sort((a, b) => a - b) : undefined
}

const binsOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_BINS ? value : undefined

const ADDRESS = '(?:[_.[:digit:]]*|[_\\[\\]aAbBcCdDeEfF[:digit:]]*)'

/**
 * What may follow a cluster's name, which itself may hold dots. Labels of host names have no underscores, so words that have one
 * tell the two apart; the others are followed further, lest a namespace called `default` or a host `ssl.example.com` end the name.
 */
const AFTER_CLUSTER = [
  '(?:upstream|membership|lb|update|assignment|original_dst|bind|max_host|retry|warming|client_ssl|init_fetch)_',
  '(?:outlier_detection|circuit_breakers|health_check|control_plane)\\.',
  '(?:external|internal|canary)\\.upstream_',
  'zone\\.[^.]+\\.[^.]+\\.upstream_',
  'default\\.total_match_count$',
  'ssl\\.(?:handshake|connection_error|session_reused|no_certificate|fail_|was_key|ocsp_|ciphers\\.|versions\\.|curves\\.|sigalgs\\.|certificate\\.)',
  'http[123]\\.\\w+$',
  'version$',
].join('|')

/** Finds a cluster's name in the name of one of its statistics. */
export const clusterTag = `^cluster\\.(([^;.|]+|[^;]+(?=;\\.)|[^|]*\\|\\d*\\|[^|]*\\|.*?);?\\.)(?=${AFTER_CLUSTER})`

/** Labels under Istio's names. The first group leaves the metric's name, the second is the label's value. */
const TAGS: readonly (readonly [string, string])[] = [
  ['cluster_name', clusterTag],
  ['tcp_prefix', '^tcp\\.((.*?)\\.)\\w+?$'],
  ['response_code', '_rq(_(\\d{3}))$'],
  ['response_code_class', '_rq(_(\\dxx))$'],
  ['http_conn_manager_listener_prefix', `^listener(?=\\.).*?\\.http\\.((${ADDRESS})\\.)`],
  ['http_conn_manager_prefix', `^http\\.((${ADDRESS}|[^.]+)\\.)`],
  ['listener_address', `^listener\\.((${ADDRESS})\\.)`],
  ['mongo_prefix', '^mongo\\.(.+?)\\.(?:collection|cmd|cx_|op_|delays_|decoding_)(?:.*?)$'],
  // What rules decided, and what those on trial would have.
  ['authz_enforce_result', 'rbac(\\.(allowed|denied))'],
  ['authz_dry_run_action', '(\\.istio_dry_run_(allow|deny)_)'],
  ['authz_dry_run_result', '(\\.shadow_(allowed|denied))'],
]
