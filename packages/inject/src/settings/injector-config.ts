/** The ConfigMap `istio-sidecar-injector` and the mesh configuration, as injection reads them. */
import type { LabelSelector } from '@lateen/api'
import { parse } from 'yaml'
import { isRecord } from '../pod/pod.ts'
import { DEFAULT_PROXY_CONFIG, mergeProxyConfig, type ProxyConfig } from './proxy-config.ts'
import { DEFAULT_VALUES, mergeValues, textAt, type Values, valueAt } from './values.ts'

/** Key `config` of the ConfigMap. */
export interface InjectorConfig {
  /** `enabled`: inject unless told otherwise; `disabled`: only when told to. */
  readonly policy: string
  readonly defaultTemplates: readonly string[]
  readonly alwaysInjectSelector: readonly LabelSelector[]
  readonly neverInjectSelector: readonly LabelSelector[]
  readonly injectedAnnotations: Readonly<Record<string, string>>
  /** Template texts by name. An empty text stands for the built-in template of that name. */
  readonly templates: Readonly<Record<string, string>>
  /** Other names for lists of templates. */
  readonly aliases: Readonly<Record<string, readonly string[]>>
}

export const DEFAULT_INJECTOR_CONFIG: InjectorConfig = {
  policy: 'enabled',
  defaultTemplates: ['sidecar'],
  alwaysInjectSelector: [],
  neverInjectSelector: [],
  injectedAnnotations: {},
  templates: {},
  aliases: { gateway: ['gateway'] },
}

/** The fields of MeshConfig that injection reads. */
export interface MeshSettings {
  readonly defaultConfig: ProxyConfig
  readonly proxyListenPort: number
  readonly proxyInboundListenPort: number
  readonly trustDomain: string
  readonly enablePrometheusMerge: boolean
  /** `localhost` or `passthrough`: where inbound traffic reaches the application. */
  readonly inboundTrafficMode: string
  readonly extensionProviders: readonly unknown[]
}

/** Injection's part of a MeshConfig (parsed YAML; anything missing takes Istio's default). */
export function readMesh(mesh: unknown): MeshSettings {
  const fields = isRecord(mesh) ? mesh : {}
  const number = (value: unknown, fallback: number) => (typeof value === 'number' && value > 0 ? value : fallback)
  const text = (value: unknown, fallback: string) => (typeof value === 'string' && value !== '' ? value : fallback)
  const inbound = isRecord(fields.inboundTrafficPolicy) ? fields.inboundTrafficPolicy.mode : undefined
  return {
    defaultConfig: mergeProxyConfig(DEFAULT_PROXY_CONFIG, isRecord(fields.defaultConfig) ? fields.defaultConfig : {}),
    proxyListenPort: number(fields.proxyListenPort, 15001),
    proxyInboundListenPort: number(fields.proxyInboundListenPort, 15006),
    trustDomain: text(fields.trustDomain, 'cluster.local'),
    enablePrometheusMerge: fields.enablePrometheusMerge !== false,
    inboundTrafficMode: text(inbound, 'PASSTHROUGH').toLowerCase(),
    extensionProviders: Array.isArray(fields.extensionProviders) ? fields.extensionProviders : [],
  }
}

/** Reads the two keys of the ConfigMap: `config` (YAML) and `values` (JSON). Values not given take the chart's defaults. */
export function readInjectorConfigMap(data: { readonly config?: string; readonly values?: string }): {
  readonly config: InjectorConfig
  readonly values: Values
} {
  const values: unknown = data.values ? JSON.parse(data.values) : {}
  return {
    config: readInjectorConfig(parse(data.config ?? '', { maxAliasCount: 0 })),
    values: mergeValues(DEFAULT_VALUES, isRecord(values) ? values : {}),
  }
}

/** The injector's configuration from its parsed YAML. */
export function readInjectorConfig(value: unknown): InjectorConfig {
  if (!isRecord(value)) return DEFAULT_INJECTOR_CONFIG
  const templates = textMap(value.templates)
  const single = typeof value.template === 'string' ? { sidecar: value.template } : {}
  const names = textList(value.defaultTemplates)
  return {
    policy: typeof value.policy === 'string' ? value.policy : 'enabled',
    defaultTemplates: names.length > 0 ? names : ['sidecar'],
    alwaysInjectSelector: selectors(value.alwaysInjectSelector),
    neverInjectSelector: selectors(value.neverInjectSelector),
    injectedAnnotations: textMap(value.injectedAnnotations),
    templates: { ...single, ...templates },
    aliases: Object.fromEntries(Object.entries(isRecord(value.aliases) ? value.aliases : {}).map(([name, list]) => [name, textList(list)])),
  }
}

/** What the chart makes of `sidecarInjectorWebhook` values: the injector's configuration where there is no ConfigMap. */
export function injectorConfigOfValues(values: Values): InjectorConfig {
  const webhook = valueAt(values, 'sidecarInjectorWebhook')
  return readInjectorConfig({ policy: textAt(values, 'global.proxy.autoInject', 'enabled'), ...(isRecord(webhook) ? webhook : {}) })
}

function selectors(value: unknown): LabelSelector[] {
  if (!Array.isArray(value)) return []
  return value.filter(isRecord).map((selector) => ({
    matchLabels: textMap(selector.matchLabels),
    matchExpressions: (Array.isArray(selector.matchExpressions) ? selector.matchExpressions : [])
      .filter(isRecord)
      .map((e) => ({ key: String(e.key ?? ''), operator: String(e.operator ?? ''), values: textList(e.values) })),
  }))
}

function textMap(value: unknown): Record<string, string> {
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]))
}

function textList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
