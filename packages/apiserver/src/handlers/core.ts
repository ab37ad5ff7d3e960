/** What all handlers share: the store, the kinds, and what stands between a request and a write. */
import type { Admission } from '../admission/admission.ts'
import type { User } from '../auth/user.ts'
import type { ServiceAllocator } from '../kinds/service-allocator.ts'
import { groupVersion, type Kind } from '../registry/kind.ts'
import type { Registry } from '../registry/registry.ts'
import type { Collection, Store, StoredRecord } from '../storage/store.ts'
import { storeKey } from '../storage/store.ts'
import type { Obj } from '../values.ts'

export interface Core {
  readonly store: Store
  readonly registry: Registry
  readonly allocator: ServiceAllocator
  readonly admission: Admission
}

/** Options of a write that come with the request. */
export interface WriteOptions {
  readonly user: User
  readonly dryRun: boolean
  readonly fieldManager: string
  /** Strict: unknown fields are refused; Warn: they are dropped with a warning; Ignore: they are dropped. */
  readonly fieldValidation: 'Strict' | 'Warn' | 'Ignore'
  readonly warn: (message: string) => void
  readonly signal: AbortSignal
}

export const collectionOf = (core: Core, kind: Kind): Collection => core.store.collection(kind.collection)

export function recordOf(core: Core, kind: Kind, namespace: string, name: string): StoredRecord | undefined {
  return collectionOf(core, kind).get(storeKey(kind.namespaced ? namespace : '', name))
}

/** A stored object in the version that is asked for. */
export function shownAs(kind: Kind, object: Obj): Obj {
  if (kind.convert) return kind.convert.fromStored(object)
  if (kind.version === kind.storageVersion) return object
  return { ...object, apiVersion: groupVersion(kind) }
}

/** An object of the asked version in the form that is stored. */
export function storedAs(kind: Kind, object: Obj): Obj {
  if (kind.convert) return kind.convert.toStored(object)
  if (kind.version === kind.storageVersion) return object
  return { ...object, apiVersion: groupVersion({ group: kind.group, version: kind.storageVersion }) }
}
