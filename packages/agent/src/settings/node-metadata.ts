/** How the proxy introduces itself to the control plane: Istio's node id and metadata. */
import { isObject, jsonObject } from './environment.ts'
import type { AgentSettings } from './settings.ts'

/** The version of Istio that is compatible with. */
export const ISTIO_VERSION = '1.30.3'

export interface NodeInfo {
  readonly id: string
  readonly cluster: string
  readonly locality: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, unknown>>
}

const META = 'ISTIO_META_'
const META_JSON = 'ISTIO_METAJSON_'

/** Values that tools expect as true booleans' texts or numbers stay texts, as Istio sends them. */
export function nodeInfo(settings: AgentSettings): NodeInfo {
  const metadata = nodeMetadata(settings)
  const labels = isObject(metadata.LABELS) ? metadata.LABELS : {}
  return {
    id: `${settings.role}~${settings.ips[0] ?? '127.0.0.1'}~${settings.name}.${settings.namespace}~${settings.dnsDomain}`,
    cluster: serviceCluster(settings, labels),
    locality: locality(labels),
    metadata,
  }
}

function nodeMetadata(settings: AgentSettings): Record<string, unknown> {
  const { env, ports, pod, proxyConfig } = settings
  const fromEnv = environmentMetadata(settings)
  const labels = withCanonical({ ...pod.labels, ...texts(fromEnv.LABELS) }, fromEnv.WORKLOAD_NAME)
  return {
    ...fromEnv,
    ANNOTATIONS: pod.annotations,
    LABELS: labels,
    CLUSTER_ID: settings.clusterId,
    ENVOY_PROMETHEUS_PORT: ports.prometheus,
    ENVOY_STATUS_PORT: ports.envoyStatus,
    INSTANCE_IPS: settings.ips.join(','),
    ISTIO_VERSION,
    NAME: settings.name,
    NAMESPACE: settings.namespace,
    PROXY_CONFIG: proxyConfig,
    SERVICE_ACCOUNT: settings.serviceAccount,
    ...(env.HOST_IP ? { HOST_IP: env.HOST_IP } : {}),
    ...(settings.certificates.outputFolder ? { OUTPUT_CERTS: settings.certificates.outputFolder } : {}),
    ...(settings.mark === undefined ? {} : { LATEEN_PROXY_MARK: String(settings.mark) }),
    ...(/^\d+$/.test(env.ISTIO_CPU_LIMIT ?? '') ? { PROXY_CONCURRENCY: String(settings.envoy.concurrency) } : {}),
  }
}

/** `ISTIO_META_X=v` gives X; `ISTIO_METAJSON_LABELS` gives labels; any other `ISTIO_METAJSON_…` gives the keys of its object. */
function environmentMetadata({ env }: AgentSettings): Record<string, unknown> {
  const metadata: Record<string, unknown> = {}
  for (const [name, value = ''] of Object.entries(env)) {
    if (name.startsWith(META)) metadata[name.slice(META.length)] = value
    if (!name.startsWith(META_JSON)) continue
    const object = jsonObject(value)
    if (object) Object.assign(metadata, name === `${META_JSON}LABELS` ? { LABELS: object } : object)
  }
  return metadata
}

function texts(value: unknown): Record<string, string> {
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)])) : {}
}

/** The labels that metrics name a service by; defaulted from the app's own, as Istio does. */
function withCanonical(labels: Record<string, string>, workload: unknown): Record<string, string> {
  const name =
    labels['service.istio.io/canonical-name'] ??
    labels['app.kubernetes.io/name'] ??
    labels.app ??
    (typeof workload === 'string' ? workload : undefined)
  const revision = labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels.version ?? 'latest'
  return { ...labels, ...(name ? { 'service.istio.io/canonical-name': name } : {}), 'service.istio.io/canonical-revision': revision }
}

/** `app.namespace`, which access logs and traces show as the service. */
function serviceCluster({ proxyConfig, namespace }: AgentSettings, labels: Record<string, unknown>): string {
  const configured = proxyConfig.serviceCluster
  if (typeof configured === 'string' && configured !== '' && configured !== 'istio-proxy') return configured
  const app = labels['service.istio.io/canonical-name']
  return typeof app === 'string' ? `${app}.${namespace}` : 'istio-proxy'
}

/** `region.zone.subzone` of the label `istio-locality`; otherwise the control plane takes it from the node. */
function locality(labels: Record<string, unknown>): Record<string, string> {
  const text = labels['istio-locality']
  if (typeof text !== 'string') return {}
  const [region, zone, subZone] = text.split(text.includes('/') ? '/' : '.')
  return { ...(region ? { region } : {}), ...(zone ? { zone } : {}), ...(subZone ? { sub_zone: subZone } : {}) }
}
