/** Environment of the proxy container: what the agent needs to know about its pod, its control plane and its mesh. */
import { TLS_POLICY_VARIABLE } from '@lateen/base'
import { orderedJson } from '../../pod/field-order.ts'
import { isRecord } from '../../pod/pod.ts'
import { interceptionMode, proxyConfigJson, proxyMetadata } from '../../settings/proxy-config.ts'
import { textAt } from '../../settings/values.ts'
import { annotation, applicationContainers, type EnvVar, label, podPorts, type TemplateInput } from '../input.ts'

export const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } })
export const limit = (name: string, resource: string): EnvVar => ({ name, valueFrom: { resourceFieldRef: { divisor: '1', resource } } })
export const env = (name: string, value: string): EnvVar => ({ name, value })
const when = (value: string | undefined, name: string): EnvVar[] => (value ? [env(name, value)] : [])

/** Where the control plane is and how to prove oneself to it. */
export function controlPlaneEnv(input: TemplateInput): EnvVar[] {
  const { values } = input
  const revision = textAt(values, 'revision')
  const istiod = `istiod${revision ? `-${revision}` : ''}.${textAt(values, 'global.istioNamespace', 'istio-system')}.svc:15012`
  return [
    env('PILOT_CERT_PROVIDER', textAt(values, 'global.pilotCertProvider')),
    env('CA_ADDR', textAt(values, 'global.caAddress') || istiod),
  ]
}

/** Facts about the pod that only the node knows. */
export function podEnv(): EnvVar[] {
  return [
    field('POD_NAME', 'metadata.name'),
    field('POD_NAMESPACE', 'metadata.namespace'),
    field('INSTANCE_IP', 'status.podIP'),
    field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
    field('HOST_IP', 'status.hostIP'),
  ]
}

/** The proxy's own settings and the ports of the application. */
export function proxyConfigEnv(input: TemplateInput): EnvVar[] {
  const ports = podPorts(input).map((port, index) => `    ${index === 0 ? '' : ','}${orderedJson(port)}\n`)
  return [env('PROXY_CONFIG', `${proxyConfigJson(input.proxyConfig)}\n`), env('ISTIO_META_POD_PORTS', `[\n${ports.join('')}]`)]
}

export function appContainersEnv(input: TemplateInput): EnvVar {
  const names = applicationContainers(input).join(',')
  return names === '' ? { name: 'ISTIO_META_APP_CONTAINERS' } : env('ISTIO_META_APP_CONTAINERS', names)
}

export function limitsEnv(): EnvVar[] {
  return [limit('GOMEMLIMIT', 'limits.memory'), limit('GOMAXPROCS', 'limits.cpu')]
}

/** The limits of TLS that the control plane keeps. */
export const tlsPolicyEnv = ({ tlsPolicy }: TemplateInput): EnvVar[] => when(tlsPolicy, TLS_POLICY_VARIABLE)

export function clusterEnv(input: TemplateInput): EnvVar[] {
  return [
    env('ISTIO_META_CLUSTER_ID', textAt(input.values, 'global.multiCluster.clusterName') || 'Kubernetes'),
    field('ISTIO_META_NODE_NAME', 'spec.nodeName'),
  ]
}

export function interceptionEnv(input: TemplateInput): EnvVar[] {
  const mode = annotation(input, 'sidecar.istio.io/interceptionMode') || interceptionMode(input.proxyConfig)
  return [env('ISTIO_META_INTERCEPTION_MODE', mode)]
}

export function networkEnv(input: TemplateInput): EnvVar[] {
  return when(textAt(input.values, 'global.network'), 'ISTIO_META_NETWORK')
}

/** Workload name and owner, under which the proxy appears in telemetry. */
export function workloadEnv(input: TemplateInput): EnvVar[] {
  const { owner } = input
  const path = `kubernetes://apis/${owner.apiVersion}/namespaces/${owner.namespace || 'default'}/${owner.kind.toLowerCase()}s/${owner.name}`
  return [
    ...when(label(input, 'service.istio.io/workload-name') || owner.name, 'ISTIO_META_WORKLOAD_NAME'),
    ...(owner.apiVersion && owner.name ? [env('ISTIO_META_OWNER', path)] : []),
  ]
}

/** Resource attributes for OpenTelemetry, where a provider asks for them. */
export function openTelemetryEnv(input: TemplateInput): EnvVar[] {
  const asked = input.mesh.extensionProviders.some(
    (provider) =>
      isRecord(provider) &&
      isRecord(provider.opentelemetry) &&
      provider.opentelemetry.serviceAttributeEnrichment === 'OTEL_SEMANTIC_CONVENTIONS',
  )
  if (!asked) return []
  const namespace = input.pod.metadata.namespace || input.owner.namespace || 'default'
  const version = label(input, 'app.kubernetes.io/version')
  const container = applicationContainers(input)[0]
  const attributes = [
    `service.namespace=${namespace}`,
    ...(version ? [`service.version=${version}`] : []),
    ...(container ? [`service.instance.id=${namespace}.$(POD_NAME).${container}`] : []),
  ]
  return [env('OTEL_RESOURCE_ATTRIBUTES', attributes.join(','))]
}

export function bootstrapEnv(input: TemplateInput): EnvVar[] {
  return annotation(input, 'sidecar.istio.io/bootstrapOverride') === undefined
    ? []
    : [env('ISTIO_BOOTSTRAP_OVERRIDE', '/etc/istio/custom-bootstrap/custom_bootstrap.json')]
}

export function meshEnv(input: TemplateInput): EnvVar[] {
  const trustDomain = input.mesh.trustDomain || textAt(input.values, 'global.trustDomain')
  return [...when(textAt(input.values, 'global.meshID') || trustDomain, 'ISTIO_META_MESH_ID'), ...when(trustDomain, 'TRUST_DOMAIN')]
}

/** Variables that the mesh or the pod sets for every proxy. */
export function metadataEnv(input: TemplateInput): EnvVar[] {
  return [...datadogEnv(input), ...proxyMetadata(input.proxyConfig).map(([name, value]) => env(name, value))]
}

function datadogEnv(input: TemplateInput): EnvVar[] {
  const text = annotation(input, 'apm.datadoghq.com/env')
  if (textAt(input.values, 'global.proxy.tracer') !== 'datadog' || text === undefined) return []
  const parsed: unknown = JSON.parse(text)
  return isRecord(parsed)
    ? Object.entries(parsed)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => env(name, String(value)))
    : []
}
