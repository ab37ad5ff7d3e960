/** The shape of a kind, as pruning, patching, field ownership and validation need it; the same for built-in kinds and CRDs. */

/** `any`: nothing is known below this point. `map`: an object whose keys are the user's. */
export type SchemaType = 'object' | 'map' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'intOrString' | 'any'

export interface Schema {
  readonly type: SchemaType
  /** Fields of an `object`. A getter in built-in kinds, which may be recursive. */
  readonly fields?: Readonly<Record<string, Schema>>
  /** Values of a `map`. */
  readonly values?: Schema
  /** Elements of an `array`. */
  readonly items?: Schema
  readonly required?: readonly string[]
  readonly enum?: readonly string[]
  /** `quantity`, `time`, `microtime`, `byte`. */
  readonly format?: string
  /** Unknown fields are kept. */
  readonly preserve?: boolean
  /** The value is a whole Kubernetes object. */
  readonly embedded?: boolean
  readonly nullable?: boolean
  /** How server-side apply merges a list; `atomic` when absent. */
  readonly list?: 'atomic' | 'set' | 'map'
  readonly keys?: readonly string[]
  /** An object or map that has one owner as a whole. */
  readonly atomic?: boolean
  /** Strategic merge patch: lists with `merge` are merged (by `key`, when their elements are objects). */
  readonly patch?: { readonly key?: string; readonly retainKeys?: boolean }
  readonly default?: unknown
  /** Name of the definition in OpenAPI documents. */
  readonly ref?: string
}

export const ANY: Schema = { type: 'any', preserve: true }
