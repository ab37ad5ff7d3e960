/** Which files a ConfigMap, Secret, downward API or projected volume holds. */

import type { KubeObject } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'
import { type Container, type DownwardApiItem, type KeyToPath, type Pod, podSpec, type Volume, type VolumeProjection } from '../kube/pod.ts'
import { requestToken } from '../kube/token-request.ts'
import { ConfigMissing, type ConfigSource } from '../node/environment.ts'
import { fieldValue, type NodeFacts, resourceValue } from '../node/field-values.ts'
import type { VolumeFile } from './atomic-directory.ts'

export interface VolumeContext {
  readonly pod: Pod
  readonly address: string
  readonly node: NodeFacts
  readonly source: ConfigSource
  readonly tokens: TokenSource
}

/** Files by path below the volume, and when (milliseconds since the epoch) they must be made again. */
export interface VolumeFiles {
  readonly files: Map<string, VolumeFile>
  readonly refreshAt?: number
}

/** The files of a volume, or `undefined` when it is not of a kind made of files. */
export async function volumeFiles(volume: Volume, context: VolumeContext): Promise<VolumeFiles | undefined> {
  const { configMap, secret, downwardAPI, projected } = volume
  if (configMap) return filesOf([{ configMap }], configMap.defaultMode, context)
  if (secret) {
    const { secretName, items, optional } = secret
    const source = {
      ...(secretName ? { name: secretName } : {}),
      ...(items ? { items } : {}),
      ...(optional === undefined ? {} : { optional }),
    }
    return filesOf([{ secret: source }], secret.defaultMode, context)
  }
  if (downwardAPI) return filesOf([{ downwardAPI }], downwardAPI.defaultMode, context)
  if (projected) return filesOf(projected.sources ?? [], projected.defaultMode, context)
  return undefined
}

/** The ConfigMaps and Secrets whose changes concern the pod's volumes, as `kind/name`. */
export function referencesOf(pod: Pod): Set<string> {
  const names = new Set<string>()
  for (const volume of podSpec(pod).volumes ?? []) {
    if (volume.configMap?.name) names.add(`ConfigMap/${volume.configMap.name}`)
    if (volume.secret?.secretName) names.add(`Secret/${volume.secret.secretName}`)
    for (const source of volume.projected?.sources ?? []) {
      if (source.configMap?.name) names.add(`ConfigMap/${source.configMap.name}`)
      if (source.secret?.name) names.add(`Secret/${source.secret.name}`)
    }
  }
  return names
}

async function filesOf(sources: readonly VolumeProjection[], defaultMode = 0o644, context: VolumeContext): Promise<VolumeFiles> {
  const files = new Map<string, VolumeFile>()
  let refreshAt: number | undefined
  const namespace = context.pod.metadata.namespace ?? ''
  for (const { configMap, secret, downwardAPI, serviceAccountToken } of sources) {
    if (configMap) addKeys(files, 'configmap', configMap, context.source.configMap(namespace, configMap.name ?? ''), defaultMode)
    if (secret) addKeys(files, 'secret', secret, context.source.secret(namespace, secret.name ?? ''), defaultMode)
    for (const item of downwardAPI?.items ?? [])
      files.set(safePath(item.path), { content: Buffer.from(downward(item, context)), mode: item.mode ?? defaultMode })
    if (serviceAccountToken) {
      const { token, refresh } = await context.tokens.get(
        context.pod,
        serviceAccountToken.audience,
        serviceAccountToken.expirationSeconds ?? 3600,
      )
      files.set(safePath(serviceAccountToken.path), { content: Buffer.from(token), mode: defaultMode })
      refreshAt = Math.min(refreshAt ?? refresh, refresh)
    }
  }
  return refreshAt === undefined ? { files } : { files, refreshAt }
}

interface KeySource {
  readonly name?: string
  readonly items?: readonly KeyToPath[]
  readonly optional?: boolean
}

function addKeys(
  files: Map<string, VolumeFile>,
  kind: 'configmap' | 'secret',
  source: KeySource,
  object: KubeObject | undefined,
  mode: number,
): void {
  if (!object) {
    if (source.optional) return
    throw new ConfigMissing(`${kind} "${source.name ?? ''}" not found`)
  }
  const data = dataOf(object)
  if (!source.items) {
    for (const [key, content] of data) files.set(safePath(key), { content, mode })
    return
  }
  for (const item of source.items) {
    const content = data.get(item.key)
    if (content) files.set(safePath(item.path), { content, mode: item.mode ?? mode })
    else if (!source.optional) throw new ConfigMissing(`${kind} "${source.name ?? ''}" references non-existent key: ${item.key}`)
  }
}

function dataOf(object: KubeObject): Map<string, Buffer> {
  const result = new Map<string, Buffer>()
  const add = (values: unknown, encoding: BufferEncoding) => {
    if (typeof values !== 'object' || values === null) return
    for (const [key, value] of Object.entries(values)) if (typeof value === 'string') result.set(key, Buffer.from(value, encoding))
  }
  add(object.data, object.kind === 'Secret' ? 'base64' : 'utf8')
  add(object.binaryData, 'base64')
  return result
}

function downward(item: DownwardApiItem, context: VolumeContext): string {
  if (item.fieldRef) return fieldValue(context.pod, item.fieldRef, context.address, context.node)
  const [first] = podSpec(context.pod).containers
  const none: Container = { name: '' }
  return item.resourceFieldRef ? resourceValue(context.pod, first ?? none, item.resourceFieldRef) : ''
}

/** The API server checks this as well; a path that climbs out of the volume would be written on the host. */
function safePath(path: string): string {
  if (path === '' || path.startsWith('/') || path.split('/').some((part) => part === '..' || part === '')) {
    throw new Error(`the volume path ${JSON.stringify(path)} must be relative and must not contain ".."`)
  }
  return path
}

interface Token {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly refresh: number
}

/** Service account tokens bound to pods, asked for again after four fifths of their life. */
export class TokenSource {
  readonly #client: KubeClient
  readonly #known = new Map<string, Token>()

  constructor(client: KubeClient) {
    this.#client = client
  }

  async get(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<Token> {
    const key = `${pod.metadata.uid}/${audience ?? ''}/${expirationSeconds}`
    const known = this.#known.get(key)
    if (known && known.refresh > Date.now()) return known
    const { token, expires } = await requestToken(this.#client, {
      namespace: pod.metadata.namespace ?? '',
      account: podSpec(pod).serviceAccountName || 'default',
      audience,
      expirationSeconds,
      boundTo: { kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid },
    })
    const now = Date.now()
    const made = { token, refresh: now + Math.min(Math.max(expires - now, 10_000) * 0.8, 24 * 3_600_000) }
    this.#known.set(key, made)
    return made
  }

  forget(uid: string): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${uid}/`)) this.#known.delete(key)
  }
}
