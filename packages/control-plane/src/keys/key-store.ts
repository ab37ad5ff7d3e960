/**
 * Fetched key sets over a restart: a ConfigMap in the control plane's namespace, one entry for each set. The keys are public; who may
 * write there may change the mesh's configuration as well. Replicas write the entries that they fetched, and leave the others' alone.
 */
import { createHash } from 'node:crypto'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { isConflict, isNotFound, type KubeClient } from '@lateen/kube'

export interface KeyStore {
  /** What was kept before, by the name of the set; empty where nothing was or where it cannot be read. */
  load(): Promise<ReadonlyMap<string, string>>
  /** Keeps the keys of a set, or forgets them; written soon, several changes at once. */
  keep(id: string, keys: string | undefined): void
  /** Forgets all but these sets. */
  keepOnly(ids: ReadonlySet<string>): void
  /** Writes what is to be written now. */
  stop(): Promise<void>
}

/** The ConfigMap's name. */
export const KEY_MAP = 'lateen-fetched-keys'

const log = logger('jwks')
const TYPE = RESOURCE_TYPES.ConfigMap
const WRITE_AFTER_MS = 1_000
const RETRY_AFTER_MS = 10_000
/** Kubernetes takes a megabyte; names and entries' JSON need some of it. */
const MOST_CHARACTERS = 900_000

interface Entry {
  readonly id: string
  readonly keys: string
}

export function createKeyStore(client: KubeClient, namespace: string): KeyStore {
  const kept = new Map<string, Entry>()
  const dirty = new Set<string>()
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  let problem = ''

  const write = async (): Promise<void> => {
    timer = undefined
    const data = Object.fromEntries([...dirty].map((name) => [name, kept.has(name) ? JSON.stringify(kept.get(name)) : null]))
    dirty.clear()
    if (Object.keys(data).length === 0) return
    try {
      await patch(client, namespace, data)
      problem = ''
    } catch (error) {
      for (const name of Object.keys(data)) dirty.add(name)
      const text = `fetched keys cannot be kept in ConfigMap ${namespace}/${KEY_MAP}, and are lost when this control plane ends: ${textOf(error)}`
      if (text !== problem) log.warn(text)
      problem = text
      later(RETRY_AFTER_MS)
    }
  }
  const later = (milliseconds: number): void => {
    if (stopped) return
    timer ??= setTimeout(() => void write(), milliseconds).unref()
  }
  const set = (id: string, keys: string | undefined): void => {
    const name = nameOf(id)
    if (kept.get(name)?.keys === keys) return
    kept.delete(name)
    if (keys !== undefined && fits(kept, keys)) kept.set(name, { id, keys })
    dirty.add(name)
    later(WRITE_AFTER_MS)
  }

  return {
    load: async () => {
      for (const [name, entry] of await read(client, namespace)) kept.set(name, entry)
      return new Map([...kept.values()].map(({ id, keys }) => [id, keys]))
    },
    keep: set,
    keepOnly: (ids) => {
      for (const { id } of [...kept.values()]) if (!ids.has(id)) set(id, undefined)
    },
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      await write()
    },
  }
}

/** A key of a ConfigMap's data; addresses have characters that those may not. */
const nameOf = (id: string): string => createHash('sha256').update(id).digest('hex').slice(0, 32)

function fits(kept: ReadonlyMap<string, Entry>, keys: string): boolean {
  const used = [...kept.values()].reduce((sum, entry) => sum + entry.keys.length, 0)
  return used + keys.length <= MOST_CHARACTERS
}

async function read(client: KubeClient, namespace: string): Promise<ReadonlyMap<string, Entry>> {
  try {
    const { data } = await client.get<KubeObject & { readonly data?: Readonly<Record<string, string>> }>(TYPE, namespace, KEY_MAP)
    return new Map(Object.entries(data ?? {}).flatMap(([name, text]) => entryOf(name, text)))
  } catch (error) {
    if (!isNotFound(error))
      log.warn(`keys that were fetched earlier cannot be read from ConfigMap ${namespace}/${KEY_MAP}: ${textOf(error)}`)
    return new Map()
  }
}

/** Entries that are not of this form are nobody's keys. */
function entryOf(name: string, text: string): readonly (readonly [string, Entry])[] {
  try {
    const entry: unknown = JSON.parse(text)
    if (typeof entry !== 'object' || entry === null || !('id' in entry) || !('keys' in entry)) return []
    const { id, keys } = entry
    return typeof id === 'string' && typeof keys === 'string' && nameOf(id) === name ? [[name, { id, keys }]] : []
  } catch {
    return []
  }
}

async function patch(client: KubeClient, namespace: string, data: Readonly<Record<string, string | null>>): Promise<void> {
  try {
    await client.patch(TYPE, namespace, KEY_MAP, { data })
  } catch (error) {
    if (!isNotFound(error)) throw error
    const present = Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))
    if (Object.keys(present).length === 0) return
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: KEY_MAP, namespace }, data: present }
    try {
      await client.create(TYPE, object)
    } catch (conflict) {
      // Another replica was first.
      if (!isConflict(conflict)) throw conflict
      await client.patch(TYPE, namespace, KEY_MAP, { data })
    }
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
