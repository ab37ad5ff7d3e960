/**
 * Configuration from a Kubernetes API: a list-watch for each kind, projected, compared with what was told before, so that only
 * real changes leave.
 */
import { isDeepStrictEqual } from 'node:util'
import { type KubeObject, type LabelSelector, objectKey, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { type KubeClient, type ListWatch, listWatch } from '@lateen/kube'
import type { ConfigChange, ConfigSink, ConfigSource } from './change.ts'
import { MESH_KINDS, type WatchedKind } from './kinds.ts'
import { selectsNamespace } from './namespace-filter.ts'

export interface KubeSourceOptions {
  readonly client: KubeClient
  readonly kinds?: readonly WatchedKind[]
  /** Objects outside of the selected namespaces are not told; the root namespace always is. */
  readonly rootNamespace: string
  readonly discoverySelectors?: readonly LabelSelector[]
  /** Sees each object as the API server sent it, before it is projected. */
  readonly inspect?: (object: KubeObject) => void
}

export interface KubeSource extends ConfigSource {
  /** Changes which namespaces are looked into; objects appear and disappear accordingly. */
  select(selectors: readonly LabelSelector[]): void
}

const log = logger('config')

export function kubeSource(options: KubeSourceOptions): KubeSource {
  return new KubernetesSource(options)
}

interface Followed {
  readonly kind: WatchedKind
  readonly objects: Map<string, KubeObject>
  watch: ListWatch | undefined
}

class KubernetesSource implements KubeSource {
  readonly synced: Promise<void>
  readonly #options: KubeSourceOptions
  readonly #followed: readonly Followed[]
  readonly #namespaces = new Map<string, Readonly<Record<string, string>>>()
  #selectors: readonly LabelSelector[]
  #definitions: ListWatch | undefined
  #sink: ConfigSink | undefined
  #markSynced: () => void = () => undefined

  constructor(options: KubeSourceOptions) {
    this.#options = options
    this.#selectors = options.discoverySelectors ?? []
    this.#followed = (options.kinds ?? MESH_KINDS).map((kind) => ({ kind, objects: new Map(), watch: undefined }))
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve
    })
  }

  start(sink: ConfigSink): void {
    this.#sink = sink
    for (const followed of this.#followed) followed.watch = this.#follow(followed)
    this.#definitions = this.#followDefinitions()
    void Promise.all(this.#followed.map((followed) => followed.watch?.synced)).then(() => this.#markSynced())
  }

  stop(): void {
    this.#sink = undefined
    this.#definitions?.stop()
    for (const followed of this.#followed) followed.watch?.stop()
  }

  *objects(): Generator<KubeObject> {
    for (const { objects } of this.#followed) for (const object of objects.values()) if (this.#tells(object)) yield object
  }

  status() {
    return this.#followed.map(({ kind, objects, watch }) => ({
      name: `${kind.type.group ? `${kind.type.group}/` : ''}${kind.type.kind}`,
      state: watch?.state ?? 'stopped',
      objects: objects.size,
      ...(watch?.lastError ? { error: watch.lastError.message } : {}),
    }))
  }

  select(selectors: readonly LabelSelector[]): void {
    if (isDeepStrictEqual(selectors, this.#selectors)) return
    const before = this.#selectors
    this.#selectors = selectors
    const changed = [...this.#namespaces].filter(([name, labels]) => this.#visible(name, labels, before) !== this.#visible(name, labels))
    this.#tell(changed.flatMap(([name]) => this.#contents(name)))
  }

  #follow(followed: Followed): ListWatch {
    const { type, project, optional, fieldSelector, pageSize } = followed.kind
    const { inspect } = this.#options
    const options = {
      project: (object: KubeObject) => {
        inspect?.(object)
        return project(object)
      },
      optional,
      ...(fieldSelector ? { fieldSelector } : {}),
      ...(pageSize ? { pageSize } : {}),
      log,
    }
    const isNamespace = type.kind === 'Namespace' && type.group === ''
    return listWatch(this.#options.client, type, options, {
      replace: (objects) => {
        const gone = new Map(followed.objects)
        const changes: ConfigChange[] = []
        for (const object of objects) {
          gone.delete(objectKey(object))
          changes.push(...this.#set(followed, object, isNamespace))
        }
        for (const object of gone.values()) changes.push(...this.#delete(followed, object, isNamespace))
        this.#tell(changes)
      },
      set: (object) => this.#tell(this.#set(followed, object, isNamespace)),
      delete: (object) => this.#tell(this.#delete(followed, object, isNamespace)),
    })
  }

  #set(followed: Followed, object: KubeObject, isNamespace: boolean): ConfigChange[] {
    const key = objectKey(object)
    const before = followed.objects.get(key)
    if (before && isDeepStrictEqual(before, object)) return []
    followed.objects.set(key, object)
    const own: ConfigChange[] = this.#tells(object) ? [{ operation: 'set', object }] : []
    return isNamespace ? [...own, ...this.#relabel(object.metadata.name, object.metadata.labels ?? {})] : own
  }

  #delete(followed: Followed, object: KubeObject, isNamespace: boolean): ConfigChange[] {
    const key = objectKey(object)
    const known = followed.objects.get(key)
    if (!known) return []
    followed.objects.delete(key)
    if (isNamespace) this.#namespaces.delete(object.metadata.name)
    return this.#tells(known) ? [{ operation: 'delete', object: known }] : []
  }

  #relabel(namespace: string, labels: Readonly<Record<string, string>>): ConfigChange[] {
    const before = this.#namespaces.get(namespace)
    const wasVisible = this.#visible(namespace, before)
    this.#namespaces.set(namespace, labels)
    return this.#visible(namespace, labels) === wasVisible ? [] : this.#contents(namespace)
  }

  /** Tells all objects of a namespace, or takes them back, as it is now visible or not. */
  #contents(namespace: string): ConfigChange[] {
    const operation = this.#visible(namespace, this.#namespaces.get(namespace)) ? 'set' : 'delete'
    return this.#followed.flatMap(({ kind, objects }) =>
      kind.type.namespaced
        ? [...objects.values()]
            .filter((object) => object.metadata.namespace === namespace)
            .map((object) => ({ operation, object }) as const)
        : [],
    )
  }

  #tells(object: KubeObject): boolean {
    const { namespace } = object.metadata
    return namespace === undefined || this.#visible(namespace, this.#namespaces.get(namespace))
  }

  #visible(namespace: string, labels: Readonly<Record<string, string>> | undefined, selectors = this.#selectors): boolean {
    if (selectors.length === 0 || namespace === this.#options.rootNamespace) return true
    return labels !== undefined && selectsNamespace(selectors, labels)
  }

  #tell(changes: readonly ConfigChange[]): void {
    if (changes.length > 0) this.#sink?.(changes)
  }

  /** A new CRD is noticed at once instead of at the next question for its kind. */
  #followDefinitions(): ListWatch {
    const notice = (object: KubeObject) => {
      for (const { kind, watch } of this.#followed) {
        if (watch?.state === 'unavailable' && object.metadata.name === `${kind.type.plural}.${kind.type.group}`) watch.wake()
      }
    }
    return listWatch(
      this.#options.client,
      RESOURCE_TYPES.CustomResourceDefinition,
      {
        optional: true,
        project: ({ apiVersion, kind, metadata }) => ({ apiVersion, kind, metadata: { name: metadata.name } }),
        pageSize: 100,
        log,
      },
      { replace: (objects) => objects.forEach(notice), set: notice, delete: () => undefined },
    )
  }
}
