/**
 * ProxyConfig: the mesh file's `defaultConfig`, then PROXY_CONFIG, then the annotation `proxy.istio.io/config`, each over the one
 * before; `proxyMetadata` merges, other fields are replaced.
 */
import { readFile } from 'node:fs/promises'
import { type Environment, isObject, jsonObject, SettingError } from './environment.ts'

export type ProxyConfig = Readonly<Record<string, unknown>>

/** What holds where nothing is set. */
export const DEFAULTS = {
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
  concurrency: 2,
} as const

const MAX_TEXT = 1 << 20

/**
 * Reads and merges all that configures this proxy.
 *
 * @throws SettingError naming the source that cannot be used
 */
export async function readProxyConfig(meshFile: string, env: Environment, annotation: string | undefined): Promise<ProxyConfig> {
  const mesh = await readMeshFile(meshFile)
  const fromMesh = mesh && isObject(mesh.defaultConfig) ? mesh.defaultConfig : {}
  const fromEnv = env.PROXY_CONFIG ? await parseObject(env.PROXY_CONFIG, 'PROXY_CONFIG') : {}
  const fromAnnotation = annotation ? await parseObject(annotation, 'the annotation proxy.istio.io/config') : {}
  return [fromMesh, fromEnv, fromAnnotation].reduce<ProxyConfig>(merge, DEFAULTS)
}

async function readMeshFile(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    return await parseObject(await readFile(file, 'utf8'), file)
  } catch (error) {
    if (error instanceof SettingError) throw error
    return undefined
  }
}

/** JSON or YAML with an object at its top. */
async function parseObject(text: string, what: string): Promise<Record<string, unknown>> {
  if (text.length > MAX_TEXT) throw new SettingError(`${what} is longer than ${MAX_TEXT} characters`)
  const json = jsonObject(text)
  if (json) return json
  // Loaded only where it is needed: most pods are given JSON.
  const { parse } = await import('yaml')
  try {
    const value: unknown = parse(text, { maxAliasCount: 100 })
    if (value === null || value === undefined) return {}
    if (isObject(value)) return value
  } catch (cause) {
    throw new SettingError(`${what} is not YAML: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  throw new SettingError(`${what} is not an object of settings`)
}

function merge(base: ProxyConfig, over: ProxyConfig): ProxyConfig {
  const set = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== null && value !== undefined))
  const metadata = { ...metadataOf(base), ...metadataOf(set) }
  return { ...base, ...set, ...(Object.keys(metadata).length > 0 ? { proxyMetadata: metadata } : {}) }
}

/** `proxyMetadata`, as environment variables. */
export function metadataOf(config: ProxyConfig): Record<string, string> {
  const { proxyMetadata } = config
  if (!isObject(proxyMetadata)) return {}
  return Object.fromEntries(Object.entries(proxyMetadata).map(([key, value]) => [key, String(value)]))
}

/** A text field; its default where it is not set or of another type. */
export function configText(config: ProxyConfig, field: keyof typeof DEFAULTS): string {
  const value = config[field]
  return typeof value === 'string' && value !== '' ? value : String(DEFAULTS[field])
}

/** A number field; its default where it is not set or of another type. */
export function configNumber(config: ProxyConfig, field: 'proxyAdminPort' | 'statusPort' | 'concurrency' | 'statNameLength'): number {
  const value = config[field]
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : DEFAULTS[field]
}
