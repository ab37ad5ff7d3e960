/**
 * Follows the mesh configuration, from files (`--meshConfig`, `--networksConfig`) or from the ConfigMap of the revision. A new
 * text that cannot be used is reported, and what was in force stays.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { type KubeClient, listWatch } from '@lateen/kube'
import { type Fields, isFields, type MeshDocuments, parseMeshDocument } from './mesh-documents.ts'

export interface MeshWatcher {
  readonly current: MeshDocuments
  /** What is wrong with the newest text, when that is not in force. */
  readonly problem: string | undefined
  stop(): void
}

export interface MeshWatcherOptions {
  readonly meshFile: string
  readonly networksFile: string
  readonly client: KubeClient | undefined
  readonly namespace: string
  readonly revision: string
  readonly onChange: (documents: MeshDocuments) => void
}

const log = logger('mesh')
const POLL_MS = 1_000

/**
 * Reads the configuration and begins to follow it; defaults hold where there is none.
 *
 * @throws MeshConfigError when the first text cannot be used: there is no last good one to go on with
 */
export async function watchMesh(options: MeshWatcherOptions): Promise<MeshWatcher> {
  if (existsSync(options.meshFile) || existsSync(options.networksFile) || !options.client) return watchFiles(options)
  return watchConfigMap(options, options.client)
}

interface Keeper extends MeshWatcher {
  /** Puts new texts in force when they can be used. */
  offer(read: () => MeshDocuments): void
}

function createKeeper(first: MeshDocuments, onChange: (documents: MeshDocuments) => void, stop: () => void): Keeper {
  let current = first
  let problem: string | undefined
  return {
    get current() {
      return current
    },
    get problem() {
      return problem
    },
    offer: (read) => {
      try {
        const next = read()
        if (problem) log.info('the mesh configuration can be used again')
        problem = undefined
        if (isDeepStrictEqual(next, current)) return
        current = next
        log.info('the mesh configuration has changed')
        onChange(next)
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        if (message !== problem) log.error(`${message}; the mesh configuration that was in force stays`)
        problem = message
      }
    },
    stop,
  }
}

function watchFiles({ meshFile, networksFile, onChange }: MeshWatcherOptions): MeshWatcher {
  const read = (): MeshDocuments => ({ mesh: readDocument(meshFile), networks: readDocument(networksFile) })
  const signature = () => `${signatureOf(meshFile)} ${signatureOf(networksFile)}`
  let seen = signature()
  const timer = setInterval(() => {
    const now = signature()
    if (now === seen) return
    seen = now
    keeper.offer(read)
  }, POLL_MS)
  timer.unref()
  const keeper = createKeeper(read(), onChange, () => clearInterval(timer))
  return keeper
}

function readDocument(path: string): Fields {
  return existsSync(path) ? parseMeshDocument(readFileSync(path, 'utf8'), path) : {}
}

function signatureOf(path: string): string {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats ? `${stats.ino}:${stats.size}:${stats.mtimeMs}` : ''
}

/** `istio`, or `istio-<revision>`: where each revision finds its mesh configuration. */
export function meshConfigMapName(revision: string): string {
  return revision === 'default' ? 'istio' : `istio-${revision}`
}

async function watchConfigMap(options: MeshWatcherOptions, client: KubeClient): Promise<MeshWatcher> {
  const name = meshConfigMapName(options.revision)
  const read = (object: KubeObject | undefined): MeshDocuments => {
    const data = isFields(object?.data) ? object.data : {}
    const document = (key: string) =>
      typeof data[key] === 'string' ? parseMeshDocument(data[key], `ConfigMap ${options.namespace}/${name}, key ${key}`) : {}
    return { mesh: document('mesh'), networks: document('meshNetworks') }
  }
  let keeper: Keeper | undefined
  let first: KubeObject | undefined
  const tell = (object: KubeObject | undefined) => {
    if (keeper) keeper.offer(() => read(object))
    else first = object
  }
  const watch = listWatch(
    client,
    RESOURCE_TYPES.ConfigMap,
    { namespace: options.namespace, fieldSelector: `metadata.name=${name}`, log },
    { replace: (objects) => tell(objects[0]), set: tell, delete: () => tell(undefined) },
  )
  await watch.synced
  keeper = createKeeper(read(first), options.onChange, () => watch.stop())
  return keeper
}
