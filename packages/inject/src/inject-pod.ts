/**
 * A pod, with a proxy.
 *
 * Enters: a pod (or pod template), where it belongs, and the injector's settings. Leaves: the injected pod and the patch that
 * makes it, or why the pod was left alone or refused. Steps: decide; render each template against the pod without traces of an
 * earlier injection; merge the results over the pod; merge the user's own fields over those; then what no template can do
 * (metrics, probes, status, order).
 */
import { ownValue, type TlsPolicy } from '@lateen/base'
import { rewriteAppProbes } from './after/app-probes.ts'
import { orderContainers } from './after/order.ts'
import { alignUserIds, applyOverrides, keptOverrides, withContainersMoved } from './after/overrides.ts'
import { mergePrometheus } from './after/prometheus.ts'
import { injectionStatus, readInjectionStatus, STATUS_ANNOTATION } from './after/status.ts'
import { checkAnnotations, checkInstallationValues, parseTruth } from './decide/annotations.ts'
import { decideInjection } from './decide/decide.ts'
import { jsonPatch, type PatchOperation } from './pod/json-patch.ts'
import { ownerOfPod, type WorkloadOwner } from './pod/owner.ts'
import { findContainer, type Pod, PROXY_CONTAINER, withAnnotations, withContainer, withContainers, withLabels } from './pod/pod.ts'
import { type ReservedIds, reservedIds, withoutAssignedIds } from './pod/reserved-ids.ts'
import { mergePod } from './pod/strategic-merge.ts'
import type { InjectorConfig, MeshSettings } from './settings/injector-config.ts'
import { mergeProxyConfig, type ProxyConfig, readProxyConfig, statusPort } from './settings/proxy-config.ts'
import { flagAt, mergeValues, textAt, type Values } from './settings/values.ts'
import { customTemplate } from './template/custom-template.ts'
import type { PodOverlay, TemplateInput } from './template/input.ts'
import { proxyImageUrl } from './template/parts/image.ts'
import { BUILT_IN_TEMPLATES, templateNames } from './template/templates.ts'

export interface InjectionSettings {
  readonly config: InjectorConfig
  readonly values: Values
  readonly mesh: MeshSettings
  readonly revision: string
  /** Whether the proxy is a native sidecar where a pod does not say; see {@link nativeSidecarsByDefault}. */
  readonly nativeSidecars: boolean
  /** The control plane's policy of TLS, which proxies and their agents are to keep too. */
  readonly tlsPolicy?: TlsPolicy | undefined
}

export interface InjectionRequest {
  readonly pod: Pod
  /** Where the pod will be, when its metadata does not say. */
  readonly namespace: string
  /** Annotations of that namespace; OpenShift gives user ids there. */
  readonly namespaceAnnotations?: Readonly<Record<string, string>>
  /** The workload, when known; else it is guessed from the pod. */
  readonly owner?: WorkloadOwner
  /** ProxyConfig resources that match the pod, merged, under the pod's own annotation. */
  readonly proxyConfig?: ProxyConfig
  /** Variables that the webhook's URL sets for the proxy: cluster and network, foremost. */
  readonly proxyEnv?: Readonly<Record<string, string>>
  readonly settings: InjectionSettings
}

export type InjectionResult =
  | {
      readonly outcome: 'injected'
      readonly reason: string
      readonly pod: Pod
      readonly patch: readonly PatchOperation[]
      readonly warnings: readonly string[]
    }
  | { readonly outcome: 'skipped'; readonly reason: string }
  | { readonly outcome: 'refused'; readonly problems: readonly string[] }

/** Injects, leaves alone or refuses. Never throws for anything that a user can write. */
export function injectPod(request: InjectionRequest): InjectionResult {
  const { pod, settings } = request
  const namespace = pod.metadata.namespace || request.namespace
  const decision = decideInjection(pod, namespace, settings.config)
  if (!decision.inject) return { outcome: 'skipped', reason: decision.reason }
  const problems = [
    ...checkAnnotations(pod.metadata.annotations ?? {}),
    ...checkInstallationValues(settings.values),
    ...templateProblems(pod, settings.config),
  ]
  if (problems.length > 0) return { outcome: 'refused', problems }
  try {
    const injected = transform({ ...request, pod: withoutAssignedIds(pod, request.namespaceAnnotations ?? {}) }, namespace)
    return { outcome: 'injected', reason: decision.reason, pod: injected, patch: jsonPatch(pod, injected), warnings: warningsOf(pod) }
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) return { outcome: 'refused', problems: [error.message] }
    throw error
  }
}

/** Whether sidecars are native by default: setting `auto` (`ENABLE_NATIVE_SIDECARS`) means from Kubernetes 1.33 on. */
export function nativeSidecarsByDefault(setting: string, kubernetesMinor: number): boolean {
  return setting === 'auto' || setting === '' ? kubernetesMinor >= 33 : parseTruth(setting) === true
}

function templateProblems(pod: Pod, config: InjectorConfig): string[] {
  const known = new Set([...Object.keys(BUILT_IN_TEMPLATES), ...Object.keys(config.templates)])
  return templateNames(pod, config)
    .filter((name) => !known.has(name))
    .map((name) => `annotation inject.istio.io/templates names "${name}", which is no template; there are ${[...known].sort().join(', ')}`)
}

function transform(request: InjectionRequest, namespace: string): Pod {
  const { pod, settings } = request
  const env = clusterEnv(request)
  const input = templateInput(request, namespace, env)
  const overlays = templateNames(pod, settings.config).map((name) => render(name, settings.config, input))
  const template = overlays.reduce<Pod>(mergePod, { metadata: {}, spec: { containers: [] } })
  let merged = overlays.reduce<Pod>(mergePod, withContainersMoved(pod, template))
  merged = alignUserIds(applyOverrides(merged, pod, template), pod, input.proxyConfig)
  merged = rewriteAppProbes(mergePrometheus(withClusterEnv(merged, env), settings.mesh), pod, settings)
  merged = withStatus(merged, template, request, env)
  const hold =
    input.proxyConfig.holdApplicationUntilProxyStarts === true || flagAt(settings.values, 'global.proxy.holdApplicationUntilProxyStarts')
  return orderContainers(merged, hold)
}

function templateInput(request: InjectionRequest, namespace: string, env: Readonly<Record<string, string>>): TemplateInput {
  const { settings } = request
  const pod = withoutEarlierInjection(request.pod, settings)
  const annotations = pod.metadata.annotations ?? {}
  const own = readProxyConfig(annotations['proxy.istio.io/config'] ?? '')
  const base = mergeProxyConfig(settings.mesh.defaultConfig, request.proxyConfig ?? {})
  const proxyConfig = mergeProxyConfig(base, 'config' in own ? own.config : {})
  const network = env.ISTIO_META_NETWORK
  const cluster = env.ISTIO_META_CLUSTER_ID
  const ids = userIds(pod, request.namespaceAnnotations ?? {})
  const owner = request.owner ?? ownerOfPod(pod)
  return {
    pod,
    owner: { ...owner, namespace: owner.namespace || namespace },
    mesh: settings.mesh,
    proxyConfig,
    values: mergeValues(settings.values, {
      global: {
        ...(network === undefined ? {} : { network }),
        ...(cluster === undefined ? {} : { multiCluster: { clusterName: cluster } }),
      },
    }),
    revision: settings.revision,
    proxyImage: proxyImageUrl(settings.values, proxyConfig, annotations),
    proxyUid: ids.uid,
    proxyGid: ids.gid,
    nativeSidecar: parseTruth(annotations['sidecar.istio.io/nativeSidecar']) ?? settings.nativeSidecars,
    tlsPolicy: settings.tlsPolicy,
  }
}

function render(name: string, config: InjectorConfig, input: TemplateInput): PodOverlay {
  const text = Object.hasOwn(config.templates, name) ? (config.templates[name] ?? '') : ''
  if (text.trim() !== '') return customTemplate(name, text, input)
  const builtIn = ownValue(BUILT_IN_TEMPLATES, name)
  if (!builtIn) throw new RangeError(`the injection template "${name}" is empty`)
  return builtIn(input)
}

/** The pod as the user wrote it, as far as the traces of an earlier injection tell. */
function withoutEarlierInjection(pod: Pod, settings: InjectionSettings): Pod {
  const kept = keptOverrides(pod)
  const status = readInjectionStatus(pod)
  const without = status ? strip(pod, status, settings) : pod
  const missing = (list: readonly { readonly name: string }[], name: string) => !list.some((c) => c.name === name)
  const inits = without.spec.initContainers ?? []
  return withContainers(
    without,
    [...without.spec.containers, ...kept.containers.filter((c) => missing(without.spec.containers, c.name))],
    [...inits, ...kept.initContainers.filter((c) => missing(inits, c.name))],
  )
}

function strip(
  pod: Pod,
  status: { readonly containers: readonly string[]; readonly initContainers: readonly string[] },
  settings: InjectionSettings,
): Pod {
  const before = pod.metadata.annotations ?? {}
  const scraped = before['prometheus.io/port'] === String(statusPort(settings.mesh.defaultConfig))
  const ours = new Set([STATUS_ANNOTATION, ...(scraped ? ['port', 'path', 'scrape'].map((name) => `prometheus.io/${name}`) : [])])
  const annotations = Object.fromEntries(Object.entries(before).filter(([name]) => !ours.has(name)))
  return withContainers(
    { ...pod, metadata: { ...pod.metadata, annotations } },
    pod.spec.containers.filter((c) => !status.containers.includes(c.name)),
    (pod.spec.initContainers ?? []).filter((c) => !status.initContainers.includes(c.name)),
  )
}

/** The ids that the proxy runs as: of the user's own proxy container, else those that OpenShift reserves for the namespace. */
function userIds(pod: Pod, namespaceAnnotations: Readonly<Record<string, string>>): ReservedIds {
  const asked = findContainer(pod, PROXY_CONTAINER)?.securityContext
  const reserved = reservedIds(namespaceAnnotations)
  return { uid: asked?.runAsUser ?? reserved.uid, gid: asked?.runAsGroup ?? reserved.gid }
}

/** Cluster and network of the proxy: the webhook's URL over the values, the pod's own network label over both. */
function clusterEnv(request: InjectionRequest): Record<string, string> {
  const { values } = request.settings
  const env = { ...request.proxyEnv }
  const cluster = env.ISTIO_META_CLUSTER_ID || textAt(values, 'global.multiCluster.clusterName')
  const network = request.pod.metadata.labels?.['topology.istio.io/network'] || env.ISTIO_META_NETWORK || textAt(values, 'global.network')
  return { ...env, ...(cluster ? { ISTIO_META_CLUSTER_ID: cluster } : {}), ...(network ? { ISTIO_META_NETWORK: network } : {}) }
}

function withClusterEnv(pod: Pod, env: Readonly<Record<string, string>>): Pod {
  const names = Object.keys(env).sort()
  if (names.length === 0) return pod
  return withContainer(pod, PROXY_CONTAINER, (c) => ({
    ...c,
    env: [...(c.env ?? []).filter((e) => !Object.hasOwn(env, e.name)), ...names.map((name) => ({ name, value: env[name] ?? '' }))],
  }))
}

function withStatus(pod: Pod, template: Pod, request: InjectionRequest, env: Readonly<Record<string, string>>): Pod {
  const { config, revision } = request.settings
  const network = env.ISTIO_META_NETWORK
  const labelled = network === undefined ? pod : withLabels(pod, { 'topology.istio.io/network': network })
  return withAnnotations(labelled, { [STATUS_ANNOTATION]: injectionStatus(template, revision), ...config.injectedAnnotations })
}

function warningsOf(pod: Pod): string[] {
  const policy = pod.spec.dnsPolicy
  return typeof policy === 'string' && policy !== '' && policy !== 'ClusterFirst'
    ? [`the pod's dnsPolicy is "${policy}", not ClusterFirst: the proxy may not find the control plane`]
    : []
}
