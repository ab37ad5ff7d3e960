/** Texts and values of the ConfigMap `istio` → mesh configuration with defaults, and what is wrong with it. */
import type { Diagnostic } from '@lateen/base'
import { parseDocument } from 'yaml'
import { At, Report } from '../diagnostics/at.ts'
import { YAML_OPTIONS } from '../reading/yaml-schema.ts'
import type { Fields, Message, Static } from '../schema/define.ts'
import { depthExceeds, isObject, nameOf, readAs } from '../schema/read.ts'
import { checkMeshConfig, checkMeshNetworks, checkProxyConfigSettings } from './check.ts'
import { defaultMeshConfig, defaultProxyConfig } from './defaults.ts'
import { MeshConfig } from './mesh-config.ts'
import { MeshNetworks } from './mesh-networks.ts'
import { MeshProxyConfig } from './mesh-proxy-config.ts'

export interface ParsedMeshConfig {
  /** Defaults filled in; what could not be read is left at its default. */
  readonly config: MeshConfig & { readonly defaultConfig: MeshProxyConfig }
  readonly diagnostics: readonly Diagnostic[]
}

/**
 * The mesh configuration that a value or a YAML text stands for, over the defaults: objects are joined field by field, lists
 * replace the default, except extension providers, which are joined by name.
 */
export function parseMeshConfig(value: unknown, base: ParsedMeshConfig['config'] = defaultMeshConfig()): ParsedMeshConfig {
  const report = new Report({ kind: 'MeshConfig', namespace: '', name: 'mesh' })
  const at = new At(report, '')
  const given: MeshConfig = readConfig(MeshConfig, value, at)
  const config = {
    ...base,
    ...given,
    defaultConfig: joinProxyConfig(base.defaultConfig, given.defaultConfig ?? {}),
    extensionProviders: joinProviders(base.extensionProviders ?? [], given.extensionProviders ?? []),
    ...joined(base, given),
  }
  checkMeshConfig(config, at)
  return { config, diagnostics: report.diagnostics }
}

/** A proxy configuration (`proxy.istio.io/config`, `PROXY_CONFIG`) over another one. */
export function parseProxyConfig(
  value: unknown,
  base: MeshProxyConfig = defaultProxyConfig(),
): { readonly config: MeshProxyConfig; readonly diagnostics: readonly Diagnostic[] } {
  const report = new Report({ kind: 'ProxyConfig', namespace: '', name: '' })
  const at = new At(report, '')
  const config = joinProxyConfig(base, readConfig(MeshProxyConfig, value, at))
  checkProxyConfigSettings(config, at)
  return { config, diagnostics: report.diagnostics }
}

/** The networks that a value or a YAML text stands for. */
export function parseMeshNetworks(value: unknown): { readonly networks: MeshNetworks; readonly diagnostics: readonly Diagnostic[] } {
  const report = new Report({ kind: 'MeshNetworks', namespace: '', name: 'meshNetworks' })
  const at = new At(report, '')
  const networks: MeshNetworks = readConfig(MeshNetworks, value, at)
  checkMeshNetworks(networks, at)
  return { networks, diagnostics: report.diagnostics }
}

const LARGEST = 1024 * 1024
const DEEPEST = 64

function readConfig<F extends Fields>(definition: Message<F>, value: unknown, at: At): Static<Message<F>> {
  const parsed = (typeof value === 'string' ? parseText(value, at) : value) ?? {}
  if (!isObject(parsed)) at.say('WrongType', { found: nameOf(parsed), wanted: 'an object', hint: '' })
  else if (depthExceeds(parsed, DEEPEST)) at.say('TooDeep', { limit: DEEPEST })
  else return readAs(definition, parsed, at)
  return readAs(definition, {}, at)
}

function parseText(text: string, at: At): unknown {
  if (text.length > LARGEST) {
    at.say('TooLarge', { limit: 1 })
    return undefined
  }
  const document = parseDocument(text, { ...YAML_OPTIONS, prettyErrors: true })
  const [error] = document.errors
  if (error) {
    at.say('NotYaml', { problem: error.message.split('\n')[0] ?? '' })
    return undefined
  }
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (problem) {
    at.say('NotYaml', { problem: problem instanceof Error ? problem.message : 'it cannot be read' })
    return undefined
  }
}

/** Metadata and runtime values are joined; all other settings replace. */
function joinProxyConfig(base: MeshProxyConfig, over: MeshProxyConfig): MeshProxyConfig {
  const { serviceCluster, ...rest } = base
  const kept = over.tracingServiceName !== undefined || serviceCluster === undefined ? rest : { ...rest, serviceCluster }
  return {
    ...kept,
    ...over,
    ...((base.proxyMetadata || over.proxyMetadata) && { proxyMetadata: { ...base.proxyMetadata, ...over.proxyMetadata } }),
    ...((base.runtimeValues || over.runtimeValues) && { runtimeValues: { ...base.runtimeValues, ...over.runtimeValues } }),
  }
}

type Providers = NonNullable<MeshConfig['extensionProviders']>

function joinProviders(base: Providers, over: Providers): Providers {
  const names = new Set(over.map(({ name }) => name))
  return [...base.filter(({ name }) => !names.has(name)), ...over]
}

function joined(base: MeshConfig, over: MeshConfig): Partial<MeshConfig> {
  return {
    ...(base.outboundTrafficPolicy &&
      over.outboundTrafficPolicy && { outboundTrafficPolicy: { ...base.outboundTrafficPolicy, ...over.outboundTrafficPolicy } }),
    ...(base.localityLbSetting &&
      over.localityLbSetting && { localityLbSetting: { ...base.localityLbSetting, ...over.localityLbSetting } }),
    ...(base.defaultProviders && over.defaultProviders && { defaultProviders: { ...base.defaultProviders, ...over.defaultProviders } }),
  }
}
