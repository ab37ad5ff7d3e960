/** ProxyConfig as injection needs it: mesh defaults with a pod's own settings over them, and the text that the proxy is given. */
import { parseYaml } from '@lateen/api'
import { jsonEqual } from '../pod/json-patch.ts'
import { isRecord } from '../pod/pod.ts'

export type ProxyConfig = Readonly<Record<string, unknown>>

/** What a ProxyConfig says where nothing is set; equal settings are not passed on. */
export const DEFAULT_PROXY_CONFIG: ProxyConfig = {
  configPath: './etc/istio/proxy',
  binaryPath: '/usr/local/bin/envoy',
  serviceCluster: 'istio-proxy',
  drainDuration: '45s',
  discoveryAddress: 'istiod.istio-system.svc:15012',
  proxyAdminPort: 15000,
  controlPlaneAuthPolicy: 'MUTUAL_TLS',
  statNameLength: 189,
  statusPort: 15020,
  terminationDrainDuration: '5s',
}

/** Fields in the order in which Istio writes them. */
const FIELDS = `configPath binaryPath serviceCluster drainDuration discoveryAddress discoveryRefreshDelay zipkinAddress statsdUdpAddress
  proxyAdminPort availabilityZone controlPlaneAuthPolicy customConfigFile statNameLength concurrency proxyBootstrapTemplatePath
  interceptionMode tracing envoyMetricsServiceAddress sds envoyAccessLogService envoyMetricsService proxyMetadata statusPort
  extraStatTags gatewayTopology terminationDrainDuration meshId readinessProbe proxyStatsMatcher holdApplicationUntilProxyStarts
  caCertificatesPem image tracingServiceName runtimeValues privateKeyProvider proxyHeaders fileFlushInterval fileFlushMinSizeKb
  statsCompression`.split(/\s+/)

/** A `proxy.istio.io/config` annotation longer than this is refused. */
const MAX_ANNOTATION = 64 * 1024

/** Parses a `proxy.istio.io/config` annotation, or says what is wrong with it. Field names may be in snake case. */
export function readProxyConfig(text: string): { readonly config: ProxyConfig } | { readonly problem: string } {
  if (text.length > MAX_ANNOTATION) return { problem: `is ${text.length} characters long; at most ${MAX_ANNOTATION} are accepted` }
  let value: unknown
  try {
    value = parseYaml(text, { maxAliasCount: 0 })
  } catch (error) {
    return { problem: `is no YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}` }
  }
  if (value === null || value === undefined) return { config: {} }
  if (!isRecord(value)) return { problem: 'must hold fields of ProxyConfig, such as "concurrency: 2"' }
  const config: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const field = camel(key)
    if (!FIELDS.includes(field)) return { problem: `has an unknown field "${key}"` }
    if (field === 'proxyMetadata' && !isRecord(item)) return { problem: 'has a proxyMetadata that maps no names to values' }
    config[field] = field === 'proxyMetadata' && isRecord(item) ? textValues(item) : item
  }
  return { config }
}

/** `base` with `overlay` over it: fields are replaced whole, but for `proxyMetadata`, which merges. */
export function mergeProxyConfig(base: ProxyConfig, overlay: ProxyConfig): ProxyConfig {
  const metadata = { ...textValues(base.proxyMetadata), ...textValues(overlay.proxyMetadata) }
  return { ...base, ...overlay, ...(Object.keys(metadata).length > 0 ? { proxyMetadata: metadata } : {}) }
}

/** What differs from the defaults, as JSON in field order: the value of the proxy's `PROXY_CONFIG`. */
export function proxyConfigJson(config: ProxyConfig): string {
  const value = (field: string) => (field === 'proxyMetadata' ? Object.fromEntries(proxyMetadata(config)) : config[field])
  const set = FIELDS.filter((field) => !isUnset(field, value(field)))
  return JSON.stringify(Object.fromEntries(set.map((field) => [field, value(field)])))
}

function isUnset(field: string, value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (field === 'interceptionMode' && value === 'REDIRECT') return true
  return jsonEqual(value, field === 'proxyMetadata' ? {} : DEFAULT_PROXY_CONFIG[field])
}

/** `proxyMetadata`, as environment variables in order of name. */
export function proxyMetadata(config: ProxyConfig): [string, string][] {
  return Object.entries(textValues(config.proxyMetadata)).sort(([a], [b]) => (a < b ? -1 : 1))
}

export function interceptionMode(config: ProxyConfig): string {
  return typeof config.interceptionMode === 'string' && config.interceptionMode !== '' ? config.interceptionMode : 'REDIRECT'
}

/** The agent's status port in a ProxyConfig. */
export function statusPort(config: ProxyConfig): number {
  return typeof config.statusPort === 'number' ? config.statusPort : 15020
}

function textValues(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]))
}

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
