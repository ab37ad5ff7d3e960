/**
 * Deletes what its owners left behind, and carries out the two other ways of deleting an owner: `Foreground` (dependents first) and
 * `Orphan` (dependents stay and forget the owner).
 *
 * All kinds are watched, those of CustomResourceDefinitions too; an owner is believed gone only when the API itself says so.
 */
import { type KubeObject, type OwnerReference, objectKey, type ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { ignoreMissing, isConflict, isNotFound, messageOf } from '../kube/api-failure.ts'
import { Store } from '../kube/store.ts'
import { WorkQueue } from '../work-queue.ts'
import type { Controller, ControllerContext } from './context.ts'
import { servedKinds } from './served-kinds.ts'

const DEFINITIONS: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
}
/** Events are many, own nothing and go by themselves. */
const UNWATCHED = new Set(['events', 'events.events.k8s.io', 'leases.coordination.k8s.io'])
const REDISCOVER_MS = 300
const FOREGROUND = 'foregroundDeletion'
const ORPHAN = 'orphan'

// biome-ignore lint/complexity/noExcessiveLinesPerFunction: a controller is a closure of short steps over its context.
export function garbageCollector(context: ControllerContext): Controller {
  const { client } = context
  const log = logger('cluster')
  const stores = new Map<string, Store<KubeObject>>()
  const queue = new WorkQueue({ name: 'garbage', reconcile })
  const definitions = new Store<KubeObject>(DEFINITIONS, context.listWatch)
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  definitions.listen(() => rediscover())
  rediscover()
  return {
    stop: async () => {
      stopped = true
      clearTimeout(timer)
      definitions.stop()
      for (const store of stores.values()) store.stop()
      await queue.stop()
    },
  }

  function rediscover(): void {
    clearTimeout(timer)
    timer = setTimeout(
      () => void discover().catch((error: unknown) => log.debug(`kinds for garbage collection: ${messageOf(error)}`)),
      REDISCOVER_MS,
    )
  }

  async function discover(): Promise<void> {
    const kinds = await servedKinds(client)
    const served = new Set(kinds.map(kindId))
    for (const [id, store] of stores) {
      if (served.has(id)) continue
      store.stop()
      stores.delete(id)
    }
    for (const type of kinds) {
      const id = kindId(type)
      if (stopped || stores.has(id) || UNWATCHED.has(id)) continue
      const store = new Store<KubeObject>(type, context.listWatch)
      stores.set(id, store)
      store.listen((key, now, before) => changed(id, key, now, before))
    }
  }

  function changed(id: string, key: string, now: KubeObject | undefined, before: KubeObject | undefined): void {
    if (now && before && now.metadata.uid !== before.metadata.uid) enqueueDependents(before)
    if (now && concerns(now)) queue.add(`${id}|${key}`)
    if (!now && before) {
      enqueueDependents(before)
      // An owner that is deleted in the foreground waits for this one.
      for (const reference of before.metadata.ownerReferences ?? []) {
        const owner = ownerIn(reference, before.metadata.namespace)
        if (owner?.object && isForeground(owner.object)) queue.add(`${owner.id}|${objectKey(owner.object)}`)
      }
    }
  }

  /** Whether there is anything to look at: a way of deletion to carry out, or an owner that is not known. */
  function concerns(object: KubeObject): boolean {
    const { deletionTimestamp, finalizers = [], ownerReferences = [] } = object.metadata
    if (deletionTimestamp) return finalizers.includes(FOREGROUND) || finalizers.includes(ORPHAN)
    return ownerReferences.some((reference) => ownerIn(reference, object.metadata.namespace)?.object === undefined)
  }

  function enqueueDependents(owner: KubeObject): void {
    for (const { id, object } of dependentsOf(owner)) queue.add(`${id}|${objectKey(object)}`)
  }

  function dependentsOf(owner: KubeObject): { id: string; object: KubeObject }[] {
    return [...stores].flatMap(([id, store]) => store.ownedBy(owner.metadata.uid).map((object) => ({ id, object })))
  }

  async function reconcile(item: string): Promise<undefined> {
    const [id = '', key = ''] = item.split('|')
    const store = stores.get(id)
    const object = store?.byKey(key)
    if (!store || !object) return undefined
    const { deletionTimestamp, finalizers = [] } = object.metadata
    if (deletionTimestamp && finalizers.includes(ORPHAN)) await orphan(store, object)
    else if (deletionTimestamp && finalizers.includes(FOREGROUND)) await deleteForeground(store, object)
    else if (!deletionTimestamp) await judge(store, object)
    return undefined
  }

  /** Deletes an object whose owners are all gone; forgets those that are gone when others remain. */
  async function judge(store: Store<KubeObject>, object: KubeObject): Promise<void> {
    const { ownerReferences = [], namespace, name, uid } = object.metadata
    if (ownerReferences.length === 0) return
    const alive: OwnerReference[] = []
    for (const reference of ownerReferences) if (await exists(reference, namespace)) alive.push(reference)
    if (alive.length === ownerReferences.length) return
    if (alive.length > 0) {
      await ignoreMissing(
        client.patch(store.type, namespace, name, { metadata: { uid, ownerReferences: alive } }, { type: 'application/merge-patch+json' }),
      )
      return
    }
    log.debug(`${object.kind} ${objectKey(object)} goes with its owner`)
    await remove(store, object)
  }

  async function exists(reference: OwnerReference, namespace: string | undefined): Promise<boolean> {
    const known = ownerIn(reference, namespace)
    // A kind that is not served says nothing about its objects.
    if (!known) return true
    if (known.object) return true
    const store = stores.get(known.id)
    if (!store) return true
    try {
      const found = await client.get(store.type, store.type.namespaced ? namespace : undefined, reference.name)
      return found.metadata.uid === reference.uid
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  function ownerIn(reference: OwnerReference, namespace: string | undefined): { id: string; object: KubeObject | undefined } | undefined {
    const group = reference.apiVersion.includes('/') ? (reference.apiVersion.split('/')[0] ?? '') : ''
    for (const [id, store] of stores) {
      if (store.type.kind !== reference.kind || store.type.group !== group) continue
      const object = store.get(store.type.namespaced ? namespace : undefined, reference.name)
      return { id, object: object?.metadata.uid === reference.uid ? object : undefined }
    }
    return undefined
  }

  async function orphan(store: Store<KubeObject>, owner: KubeObject): Promise<void> {
    for (const { id, object } of dependentsOf(owner)) {
      const type = stores.get(id)?.type
      const ownerReferences = (object.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid)
      if (type)
        await ignoreMissing(
          client.patch(
            type,
            object.metadata.namespace,
            object.metadata.name,
            { metadata: { uid: object.metadata.uid, ownerReferences } },
            { type: 'application/merge-patch+json' },
          ),
        )
    }
    await dropFinalizer(store, owner, ORPHAN)
  }

  async function deleteForeground(store: Store<KubeObject>, owner: KubeObject): Promise<void> {
    const dependents = dependentsOf(owner)
    const blocking = dependents.filter(({ object }) =>
      object.metadata.ownerReferences?.some(({ uid, blockOwnerDeletion }) => uid === owner.metadata.uid && blockOwnerDeletion),
    )
    for (const { id, object } of dependents) {
      const dependentStore = stores.get(id)
      if (dependentStore && !object.metadata.deletionTimestamp)
        await remove(dependentStore, object, dependentsOf(object).length > 0 ? 'Foreground' : 'Background')
    }
    // Each of them comes back here when it is gone.
    if (blocking.length === 0) await dropFinalizer(store, owner, FOREGROUND)
  }

  async function remove(
    store: Store<KubeObject>,
    object: KubeObject,
    propagationPolicy: 'Background' | 'Foreground' = 'Background',
  ): Promise<void> {
    const { namespace, name, uid } = object.metadata
    await ignoreMissing(client.delete(store.type, namespace, name, { propagationPolicy, ...(uid ? { uid } : {}) })).catch(
      (error: unknown) => {
        // The name belongs to another object by now.
        if (!isConflict(error)) throw error
      },
    )
  }

  async function dropFinalizer(store: Store<KubeObject>, object: KubeObject, finalizer: string): Promise<void> {
    const { namespace, name, uid, resourceVersion, finalizers = [] } = object.metadata
    const metadata = { uid, resourceVersion, finalizers: finalizers.filter((each) => each !== finalizer) }
    await ignoreMissing(client.patch(store.type, namespace, name, { metadata }, { type: 'application/merge-patch+json' }))
  }
}

function isForeground(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers?.includes(FOREGROUND) ?? false)
}

function kindId(type: ResourceType): string {
  return type.group ? `${type.plural}.${type.group}` : type.plural
}
