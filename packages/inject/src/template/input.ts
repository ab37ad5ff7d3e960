/** What a template reads. Built-in templates are functions of it; texts in Go's template language see the same under Go's names. */

import type { TlsPolicy } from '@lateen/base'
import type { WorkloadOwner } from '../pod/owner.ts'
import type { ContainerPort, EnvVar, Named, Pod } from '../pod/pod.ts'
import type { MeshSettings } from '../settings/injector-config.ts'
import { interceptionMode, type ProxyConfig } from '../settings/proxy-config.ts'
import { textAt, type Values } from '../settings/values.ts'

export interface TemplateInput {
  /** The pod without what an earlier injection put into it. */
  readonly pod: Pod
  readonly owner: WorkloadOwner
  readonly mesh: MeshSettings
  /** The mesh's ProxyConfig with the pod's own over it. */
  readonly proxyConfig: ProxyConfig
  readonly values: Values
  readonly revision: string
  /** `hub/image:tag` of the proxy. */
  readonly proxyImage: string
  /** User and group of the proxy where they are not 1337. */
  readonly proxyUid: number | undefined
  readonly proxyGid: number | undefined
  /** The proxy runs as an init container that keeps running, started before and stopped after the others. */
  readonly nativeSidecar: boolean
  readonly tlsPolicy: TlsPolicy | undefined
}

/** A partial pod, merged over the real one. */
export interface PodOverlay {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> }
  readonly spec?: Readonly<Record<string, unknown>>
}

export type Template = (input: TemplateInput) => PodOverlay

/** The pod's annotation, or the installation value at `path`. */
export function annotationOr(input: TemplateInput, name: string, path: string): string {
  return annotation(input, name) ?? textAt(input.values, path)
}

export function annotation(input: TemplateInput, name: string): string | undefined {
  const { annotations = {} } = input.pod.metadata
  return Object.hasOwn(annotations, name) ? annotations[name] : undefined
}

export function label(input: TemplateInput, name: string): string {
  const { labels = {} } = input.pod.metadata
  return (Object.hasOwn(labels, name) ? labels[name] : undefined) ?? ''
}

export function podInterceptionMode(input: TemplateInput): string {
  return annotation(input, 'sidecar.istio.io/interceptionMode') ?? interceptionMode(input.proxyConfig)
}

/** The agent's status port as text; `0` turns probes off. */
export function podStatusPort(input: TemplateInput): string {
  return annotationOr(input, 'status.sidecar.istio.io/port', 'global.proxy.statusPort')
}

/** Names of the application's containers: all but the proxy. */
export function applicationContainers(input: TemplateInput): string[] {
  return input.pod.spec.containers.map((container) => container.name).filter((name) => name !== 'istio-proxy')
}

/** Ports that all containers of the pod declare. */
export function podPorts(input: TemplateInput): ContainerPort[] {
  return input.pod.spec.containers.flatMap((container) => container.ports ?? [])
}

/** `{field: value}` where the value says something, else nothing: for fields that are left out when empty. */
export function present<T>(field: string, value: T | undefined | null | ''): Record<string, T> {
  return value === undefined || value === null || value === '' ? {} : { [field]: value }
}

export type { EnvVar, Named }
