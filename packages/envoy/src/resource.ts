/** Encoded resources and sets of them: what translation makes and the xDS server sends. Types only. */

/** One encoded resource. `version` is a hash of `bytes`: equal bytes have equal versions on every replica. */
export interface Resource {
  readonly name: string
  readonly version: string
  /** The resource message itself, without the Any around it. */
  readonly bytes: Uint8Array
}

/**
 * An immutable set of resources of one type, in parts. A part is shared, by identity, by every set that holds it, so that two
 * sets are compared part by part and only parts that differ are looked into. A name occurs in one part of a set only.
 */
export interface ResourceSet {
  readonly parts: readonly ReadonlyMap<string, Resource>[]
}
