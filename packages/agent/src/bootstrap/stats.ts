/** Which statistics Envoy keeps and how it labels them. */
import { isObject } from '../settings/environment.ts'
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

/** Bounds of one list that a user gives. */
const MAX_PATTERNS = 500

/** `stats_config`. */
export function statsConfig(settings: AgentSettings): { [key: string]: Json } {
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

/** From the pod's annotation, or else from ProxyConfig's `proxyStatsMatcher`. */
function userPatterns({ pod, proxyConfig }: AgentSettings, kind: keyof typeof PER_PROXY): string[] {
  const { annotation, field } = PER_PROXY[kind]
  const text = pod.annotations[annotation]
  // A regular expression may hold commas; there the annotation is split only where a new expression can begin.
  if (text) return text.split(',').filter(Boolean).slice(0, MAX_PATTERNS)
  const list = isObject(proxyConfig.proxyStatsMatcher) ? proxyConfig.proxyStatsMatcher[field] : undefined
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string' && item !== '').slice(0, MAX_PATTERNS) : []
}

/** Istio's own metrics get Istio's buckets; others are set by annotation: `{"prefix": [1, 5, 10]}`. */
function histogramBuckets({ pod }: AgentSettings): Json[] {
  const istio = {
    match: { contains: 'istio_' },
    buckets: [0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000],
  }
  const own = Object.entries(parseBuckets(pod.annotations[BUCKETS_ANNOTATION] ?? '')).map(([prefix, buckets]) => ({
    match: { prefix },
    buckets,
  }))
  return [...own, istio]
}

function parseBuckets(text: string): Record<string, number[]> {
  try {
    const value: unknown = text ? JSON.parse(text) : {}
    if (!isObject(value)) return {}
    return Object.fromEntries(
      Object.entries(value).flatMap(([prefix, list]) => {
        const numbers = Array.isArray(list) ? list.filter((n) => typeof n === 'number' && n > 0).slice(0, 100) : []
        return numbers.length > 0 ? [[prefix, [...new Set(numbers)].sort((a, b) => a - b)]] : []
      }),
    )
  } catch {
    return {}
  }
}

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
