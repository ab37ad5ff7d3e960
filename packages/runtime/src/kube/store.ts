/**
 * The objects of one kind, kept up to date by a list-watch, with listeners and an index by namespace and by owner.
 *
 * Enters: list-watch events. Leaves: reads without waiting, and change notices.
 */
import { type KubeObject, objectKey, type ResourceType } from '@lateen/api'
import type { ListOptions, ListWatch, WatchHandler } from '@lateen/kube'

/** How the cluster follows a kind; `listWatch` of `@lateen/kube`, bound to a client, or an in-process one. */
export type ListWatchFunction = (
  type: ResourceType,
  options: ListOptions,
  handler: WatchHandler<KubeObject>,
) => Pick<ListWatch, 'synced' | 'stop'>

export type ChangeListener<T> = (key: string, now: T | undefined, before: T | undefined) => void

const LONGEST_CATCH_UP_MS = 5_000

export class Store<T extends KubeObject> {
  readonly type: ResourceType
  readonly #objects = new Map<string, T>()
  readonly #byNamespace = new Map<string, Map<string, T>>()
  readonly #byOwner = new Map<string, Map<string, T>>()
  readonly #listeners: ChangeListener<T>[] = []
  readonly #waiters = new Set<(changed: string) => void>()
  readonly #watch: Pick<ListWatch, 'synced' | 'stop'>

  constructor(type: ResourceType, listWatch: ListWatchFunction, options: ListOptions = {}) {
    this.type = type
    this.#watch = listWatch(type, options, {
      // The API server gives only objects of the kind that was asked for.
      replace: (objects) => this.#replace(objects as readonly T[]),
      set: (object) => this.#set(object as T),
      delete: (object) => this.#delete(objectKey(object)),
    })
  }

  get synced(): Promise<void> {
    return this.#watch.synced
  }

  get(namespace: string | undefined, name: string): T | undefined {
    return this.#objects.get(namespace ? `${namespace}/${name}` : name)
  }

  byKey(key: string): T | undefined {
    return this.#objects.get(key)
  }

  all(): Iterable<T> {
    return this.#objects.values()
  }

  inNamespace(namespace: string): Iterable<T> {
    return this.#byNamespace.get(namespace)?.values() ?? []
  }

  ownedBy(uid: string | undefined): T[] {
    return uid === undefined ? [] : [...(this.#byOwner.get(uid)?.values() ?? [])]
  }

  /** Calls `listener` for every later change, and at once for each object known now. */
  listen(listener: ChangeListener<T>): void {
    this.#listeners.push(listener)
    for (const [key, object] of this.#objects) listener(key, object, undefined)
  }

  /**
   * Resolves when this store has seen `written` (or something newer), so that a decision made afterwards does not overlook it; at the
   * latest after five seconds, since the object may be gone already.
   */
  async caughtUp(written: KubeObject): Promise<void> {
    const key = objectKey(written)
    const version = Number(written.metadata.resourceVersion)
    await this.#until((changed) => {
      const known = this.#objects.get(key)
      return known ? Number(known.metadata.resourceVersion) >= version : changed === key
    })
  }

  /** Resolves when the object with this uid is gone or going. */
  async sawDeletion(deleted: KubeObject): Promise<void> {
    await this.#until(() => {
      const known = this.#objects.get(objectKey(deleted))
      return known === undefined || known.metadata.uid !== deleted.metadata.uid || known.metadata.deletionTimestamp !== undefined
    })
  }

  #until(holds: (changed: string | undefined) => boolean): Promise<void> {
    if (holds(undefined)) return Promise.resolve()
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(deadline)
        this.#waiters.delete(look)
        resolve()
      }
      const look = (changed: string | undefined) => {
        if (holds(changed)) done()
      }
      const deadline = setTimeout(done, LONGEST_CATCH_UP_MS)
      this.#waiters.add(look)
    })
  }

  stop(): void {
    this.#watch.stop()
  }

  #replace(objects: readonly T[]): void {
    const gone = new Set(this.#objects.keys())
    for (const object of objects) {
      gone.delete(objectKey(object))
      this.#set(object)
    }
    for (const key of gone) this.#delete(key)
  }

  #set(object: T): void {
    const key = objectKey(object)
    const before = this.#objects.get(key)
    if (before?.metadata.resourceVersion !== undefined && before.metadata.resourceVersion === object.metadata.resourceVersion) return
    if (before) this.#unindex(key, before)
    this.#objects.set(key, object)
    this.#index(key, object)
    for (const listener of this.#listeners) listener(key, object, before)
    for (const waiter of [...this.#waiters]) waiter(key)
  }

  #delete(key: string): void {
    const before = this.#objects.get(key)
    if (!before) return
    this.#objects.delete(key)
    this.#unindex(key, before)
    for (const listener of this.#listeners) listener(key, undefined, before)
    for (const waiter of [...this.#waiters]) waiter(key)
  }

  #index(key: string, object: T): void {
    within(this.#byNamespace, object.metadata.namespace ?? '').set(key, object)
    for (const owner of object.metadata.ownerReferences ?? []) within(this.#byOwner, owner.uid).set(key, object)
  }

  #unindex(key: string, object: T): void {
    without(this.#byNamespace, object.metadata.namespace ?? '', key)
    for (const owner of object.metadata.ownerReferences ?? []) without(this.#byOwner, owner.uid, key)
  }
}

function within<T>(index: Map<string, Map<string, T>>, key: string): Map<string, T> {
  const found = index.get(key)
  if (found) return found
  const made = new Map<string, T>()
  index.set(key, made)
  return made
}

function without<T>(index: Map<string, Map<string, T>>, group: string, key: string): void {
  const members = index.get(group)
  members?.delete(key)
  if (members?.size === 0) index.delete(group)
}
