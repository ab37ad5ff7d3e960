/**
 * What a machine outside the cluster needs to join the mesh: the files `mesh.yaml`, `cluster.env` and `hosts`, from a WorkloadGroup and
 * the mesh configuration. The names and values are those that the agent's start script of Istio's packages reads.
 */
import { type KubeObject, type MeshConfig, type MeshProxyConfig, parseProxyConfig, type WorkloadGroupSpec } from '@lateen/api'
import { sortedYaml } from '../../../render/sorted-yaml.ts'

export interface MachineOptions {
  readonly group: KubeObject<WorkloadGroupSpec>
  /** As written by the installation, without defaults. */
  readonly mesh: MeshConfig & { readonly defaultConfig: MeshProxyConfig }
  readonly istioNamespace: string
  readonly revision: string
  readonly clusterId: string
  readonly autoregister: boolean
  readonly captureDns: boolean
  readonly internalIp: string
  readonly externalIp: string
}

const PROXY_CONFIG = 'proxy.istio.io/config'
const CANONICAL_NAME = 'service.istio.io/canonical-name'
const CANONICAL_REVISION = 'service.istio.io/canonical-revision'

/** The service account of the group's workloads. */
export const accountOf = ({ spec }: KubeObject<WorkloadGroupSpec>): string => spec?.template?.serviceAccount || 'default'

const isRevisioned = (revision: string): boolean => revision !== '' && revision !== 'default'

/** Name under which the control plane is reached. */
export function controlPlaneHost(namespace: string, revision: string): string {
  return `istiod${isRevisioned(revision) ? `-${revision}` : ''}.${namespace}.svc`
}

const controlPlaneAddress = (namespace: string, revision: string): string => `${controlPlaneHost(namespace, revision)}:15012`

/** What the agent of the machine is configured with. */
export function machineProxyConfig(options: MachineOptions): MeshProxyConfig {
  const { group, mesh, istioNamespace, revision } = options
  const annotated = [group.metadata.annotations, group.spec?.metadata?.annotations]
    .flatMap((annotations) => annotations?.[PROXY_CONFIG] ?? [])
    .reduce((config: MeshProxyConfig, text) => parseProxyConfig(text, config).config, mesh.defaultConfig)
  const addressed =
    isRevisioned(revision) && !annotated.discoveryAddress
      ? { ...annotated, discoveryAddress: controlPlaneAddress(istioNamespace, revision) }
      : annotated
  const probe = group.spec?.probe
  return {
    ...addressed,
    ...(probe && { readinessProbe: probe }),
    proxyMetadata: { ...addressed.proxyMetadata, ...metadataOf(options, addressed) },
  }
}

function metadataOf(options: MachineOptions, config: MeshProxyConfig): Record<string, string> {
  const { group, mesh, clusterId, autoregister, captureDns } = options
  const template = group.spec?.template
  const labels: Record<string, string> = { ...group.spec?.metadata?.labels, ...template?.labels }
  const service = labels[CANONICAL_NAME] || labels['app.kubernetes.io/name'] || labels['app'] || group.metadata.name
  const version = labels[CANONICAL_REVISION] || labels['app.kubernetes.io/version'] || labels['version'] || 'latest'
  const ports = Object.entries(template?.ports ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, containerPort]) => ({ name, containerPort }))
  return {
    CANONICAL_SERVICE: service,
    CANONICAL_REVISION: version,
    POD_NAMESPACE: group.metadata.namespace ?? '',
    SERVICE_ACCOUNT: accountOf(group),
    TRUST_DOMAIN: mesh.trustDomain ?? '',
    ISTIO_META_CLUSTER_ID: clusterId,
    ISTIO_META_MESH_ID: config.meshId ?? '',
    ISTIO_META_NETWORK: template?.network ?? '',
    ...(ports.length > 0 && { ISTIO_META_POD_PORTS: JSON.stringify(ports) }),
    ISTIO_META_WORKLOAD_NAME: group.metadata.name,
    ISTIO_METAJSON_LABELS: JSON.stringify(sorted({ ...labels, [CANONICAL_NAME]: service, [CANONICAL_REVISION]: version })),
    ...(captureDns && { ISTIO_META_DNS_CAPTURE: 'true' }),
    ...(autoregister && { ISTIO_META_AUTO_REGISTER_GROUP: group.metadata.name }),
  }
}

const sorted = (map: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))

/** `mesh.yaml`. */
export const meshFile = (config: MeshProxyConfig): string => sortedYaml({ defaultConfig: config })

/** `cluster.env`: the environment of the agent and of traffic capture, quoted for a shell. */
export function environmentFile(options: MachineOptions, config: MeshProxyConfig): string {
  const { group, istioNamespace, revision, internalIp, externalIp } = options
  const { name, namespace = '' } = group.metadata
  const ports = Object.values(group.spec?.template?.ports ?? {})
  const environment: Record<string, string> = {
    ...config.proxyMetadata,
    ISTIO_INBOUND_PORTS: ports.length > 0 ? ports.join(',') : '*',
    ISTIO_NAMESPACE: namespace,
    ISTIO_SERVICE: `${name}.${namespace}`,
    ISTIO_SERVICE_CIDR: '*',
    ISTIO_LOCAL_EXCLUDE_PORTS: excludedPorts(config.statusPort ?? 0).join(','),
    SERVICE_ACCOUNT: accountOf(group),
    ...(isRevisioned(revision) && { CA_ADDR: controlPlaneAddress(istioNamespace, revision) }),
    ...(internalIp !== '' && { ISTIO_SVC_IP: internalIp }),
    ...(externalIp !== '' && { ISTIO_SVC_IP: externalIp, REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION: 'true' }),
  }
  const lines = Object.entries(environment).map(([key, value]) => `${key}=${shellQuoted(value)}`)
  return `${lines.sort().join('\n')}\n`
}

const DEFAULT_STATUS_PORT = 15_020

/** Never captured: SSH, without which nobody could repair the machine, and the ports of proxy and agent. */
function excludedPorts(statusPort: number): number[] {
  const own = [22, 15_090, 15_021]
  const status = statusPort || DEFAULT_STATUS_PORT
  return own.includes(status) ? own : [...own, status]
}

function shellQuoted(text: string): string {
  if (text === '') return "''"
  return /[^\w@%+=:,./-]/.test(text) ? `'${text.replaceAll("'", `'"'"'`)}'` : text
}

/** A line of `/etc/hosts` for the control plane; empty without an address. */
export function hostsFile(address: string, istioNamespace: string, revision: string): string {
  return address === '' ? '' : `${address} ${controlPlaneHost(istioNamespace, revision)}\n`
}
