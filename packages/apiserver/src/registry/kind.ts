/** A served kind: how it is addressed, stored, defaulted, checked and shown. */
import type { FieldError } from '../errors.ts'
import type { Schema } from '../schema/schema.ts'
import type { Obj } from '../values.ts'

/** A column of the table that `kubectl get` prints. */
export interface Column {
  readonly name: string
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date'
  readonly format?: string
  readonly description?: string
  /** 0: always shown; 1: with `-o wide`. */
  readonly priority: number
  readonly cell: (object: Obj) => unknown
}

export interface WriteContext {
  /** Other objects, for checks that need them; collection names as in {@link Kind.collection}. */
  readonly read: (collection: string, namespace: string, name: string) => Obj | undefined
  readonly dryRun: boolean
  readonly user: string
}

/** What is particular to a kind. All functions change the object given. */
export interface Strategy {
  /** Fields that Kubernetes fills in; applied to whatever is written. */
  readonly defaults?: (object: Obj) => void
  /** Before a new object is checked. */
  readonly prepareCreate?: (object: Obj, context: WriteContext) => void
  /** Before a changed object is checked. */
  readonly prepareUpdate?: (object: Obj, old: Obj, context: WriteContext) => void
  readonly validate?: (object: Obj, old: Obj | undefined) => FieldError[]
  /** Only for writes of the status. */
  readonly validateStatus?: (object: Obj, old: Obj) => FieldError[]
  /** Also for deletion. */
  readonly released?: (object: Obj) => void
  /** Default grace period of a deletion, in seconds; 0 for kinds that go at once. */
  readonly grace?: (object: Obj) => number
}

export interface Kind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly listKind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  /** Where its objects are stored; versions of a kind share it. */
  readonly collection: string
  readonly storageVersion: string
  readonly schema: Schema
  /** `status`, `scale`, `log` …: served below an object. */
  readonly subresources: ReadonlySet<string>
  /** Writes to `status` outside the subresource are ignored, and spec changes count the generation up. */
  readonly hasStatus: boolean
  readonly countsGeneration: boolean
  readonly strategy: Strategy
  readonly columns: readonly Column[]
  /** Fields besides metadata that field selectors may name. */
  readonly selectable: readonly string[]
  /** A change of shape between this version and the stored one. */
  readonly convert?: { readonly toStored: (object: Obj) => Obj; readonly fromStored: (object: Obj) => Obj }
  readonly custom?: CustomKind
  /** Only `create`, nothing stored (reviews). */
  readonly virtual?: boolean
}

/** What a CRD's version adds. */
export interface CustomKind {
  readonly name: string
  readonly deprecation: string | undefined
  /** Values of missing fields, and violations of the schema. */
  readonly applyDefaults: (object: Obj) => void
  readonly validate: (object: Obj, old: Obj | undefined) => FieldError[]
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath?: string }
  /** The schema as the CRD has it, for OpenAPI. */
  readonly openApi: Obj | undefined
}

export const groupVersion = (kind: { readonly group: string; readonly version: string }) =>
  kind.group ? `${kind.group}/${kind.version}` : kind.version

export const collectionName = (group: string, plural: string) => `${group}/${plural}`
