/** The parts of a pod that injection reads, and the check that lets an unknown value be treated as one. */

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: unknown
}

export interface ContainerPort {
  readonly name?: string
  readonly containerPort: number
  readonly [field: string]: unknown
}

/** An `httpGet`, `tcpSocket`, `grpc` or `exec` action; probes and lifecycle hooks share it. */
export interface Handler {
  readonly httpGet?: { readonly path?: string; readonly port: number | string; readonly scheme?: string; readonly [field: string]: unknown }
  readonly tcpSocket?: { readonly port: number | string; readonly [field: string]: unknown }
  readonly grpc?: { readonly port: number; readonly [field: string]: unknown }
  readonly exec?: unknown
  readonly timeoutSeconds?: number
  readonly [field: string]: unknown
}

export interface SecurityContext {
  readonly runAsUser?: number
  readonly runAsGroup?: number
  readonly [field: string]: unknown
}

export interface Container {
  readonly name: string
  readonly image?: string
  readonly env?: readonly EnvVar[]
  readonly ports?: readonly ContainerPort[]
  readonly readinessProbe?: Handler
  readonly livenessProbe?: Handler
  readonly startupProbe?: Handler
  readonly lifecycle?: { readonly postStart?: Handler; readonly preStop?: Handler }
  readonly securityContext?: SecurityContext
  readonly [field: string]: unknown
}

export interface OwnerRef {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly controller?: boolean
}

export interface PodMetadata {
  readonly name?: string
  readonly generateName?: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly OwnerRef[]
  readonly [field: string]: unknown
}

export interface Named {
  readonly name: string
  readonly [field: string]: unknown
}

export interface PodSpec {
  readonly containers: readonly Container[]
  readonly initContainers?: readonly Container[]
  readonly volumes?: readonly Named[]
  readonly imagePullSecrets?: readonly Named[]
  readonly hostNetwork?: boolean
  readonly serviceAccountName?: string
  readonly [field: string]: unknown
}

/** A pod, or the pod template of a workload. */
export interface Pod {
  readonly metadata: PodMetadata
  readonly spec: PodSpec
  readonly [field: string]: unknown
}

export const PROXY_CONTAINER = 'istio-proxy'
export const INIT_CONTAINER = 'istio-init'
export const VALIDATION_CONTAINER = 'istio-validation'

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Init containers, then containers. */
export function allContainers(pod: Pod): Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
}

/** The container of that name among the containers, else among the init containers. */
export function findContainer(pod: Pod, name: string): Container | undefined {
  return pod.spec.containers.find((c) => c.name === name) ?? pod.spec.initContainers?.find((c) => c.name === name)
}

/** The pod with one container, wherever it is, replaced by what `change` makes of it. */
export function withContainer(pod: Pod, name: string, change: (container: Container) => Container): Pod {
  const apply = (list: readonly Container[]) => list.map((c) => (c.name === name ? change(c) : c))
  return withContainers(pod, apply(pod.spec.containers), apply(pod.spec.initContainers ?? []))
}

/** The pod with these containers; an empty list of init containers is left out. */
export function withContainers(pod: Pod, containers: readonly Container[], initContainers: readonly Container[]): Pod {
  const { initContainers: _, ...spec } = pod.spec
  return { ...pod, spec: { ...spec, containers, ...(initContainers.length > 0 ? { initContainers } : {}) } }
}

export function withAnnotations(pod: Pod, annotations: Readonly<Record<string, string>>): Pod {
  return { ...pod, metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...annotations } } }
}

export function withLabels(pod: Pod, labels: Readonly<Record<string, string>>): Pod {
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } }
}
