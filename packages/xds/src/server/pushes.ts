/**
 * Responses, encoded once for all streams that go from one view to another. They are kept for a few seconds only: long enough
 * for every stream to pick up a change, short enough that the first push of a large mesh does not stay in memory.
 */
import type { Resource, ResourceSet } from '../resource-source.ts'
import { type Steps, stepsBetween, type View } from './views.ts'

/** An encoded response with the nonce inside it. */
export interface Encoded {
  readonly body: Buffer
  readonly nonce: string
}

/** Responses up to this size are kept for as long as the push is. */
const KEEP_BYTES = 64 << 10

/** The steps between two views with whatever was encoded from them. */
export class Push {
  readonly steps: Steps
  readonly #encoded = new Map<string, Encoded | WeakRef<Encoded>>()
  readonly #derived = new Map<string, unknown>()

  constructor(steps: Steps) {
    this.steps = steps
  }

  get empty(): boolean {
    return this.steps.changed.length === 0 && this.steps.removed.length === 0 && this.steps.unknown.length === 0
  }

  /** The response of one form (delta, without removals, …), made by the first stream that needs it. */
  encoded(form: string, make: () => Encoded): Encoded {
    const known = this.#encoded.get(form)
    const kept = known instanceof WeakRef ? known.deref() : known
    if (kept) return kept
    const made = make()
    // A large one is there for whoever sends it at the same time. Where each proxy has a set of its own, keeping them all would be
    // the whole configuration times the number of proxies.
    this.#encoded.set(form, made.body.length > KEEP_BYTES ? new WeakRef(made) : made)
    return made
  }

  /** A value that follows from the steps alone, made once. */
  derived<T>(key: PushKey<T>, make: () => T): T {
    const known = this.#derived.get(key.name)
    if (known !== undefined) return known as T // Only `make` of the same typed key writes under this name.
    const made = make()
    this.#derived.set(key.name, made)
    return made
  }
}

/** Names a derived value and its type. */
export interface PushKey<T> {
  readonly name: string
  readonly type?: T
}

type ByKey = Map<string, Push>

export interface PushCacheOptions {
  /** How long a response is kept after it was made, in milliseconds. */
  readonly keepMs: number
}

export class PushCache {
  readonly #keepMs: number
  #current = new WeakMap<ResourceSet, WeakMap<ResourceSet, ByKey>>()
  #previous = new WeakMap<ResourceSet, WeakMap<ResourceSet, ByKey>>()
  #fragments = new WeakMap<ReadonlyMap<string, Resource>, Buffer>()
  #olderFragments = new WeakMap<ReadonlyMap<string, Resource>, Buffer>()
  #timer: NodeJS.Timeout | undefined
  #nonces = 0
  /** Whether something was made since the last turn. */
  #fresh = false

  constructor(options: PushCacheOptions) {
    this.#keepMs = options.keepMs
  }

  /**
   * A nonce. It is part of the shared response, so two streams can see the same one; within a stream that is never ambiguous,
   * because a response of a type is sent only after the one before was answered.
   */
  nextNonce(): string {
    this.#nonces += 1
    return this.#nonces.toString(36)
  }

  /** A part of a set in encoded form; sets of different proxies differ in small parts and share the large ones. */
  fragment(part: ReadonlyMap<string, Resource>, make: () => Buffer): Buffer {
    const known = this.#fragments.get(part) ?? this.#olderFragments.get(part)
    if (known) return known
    const made = make()
    this.#fragments.set(part, made)
    this.#startTimer()
    return made
  }

  /** The shared push from one view to another of one type. */
  between(typeUrl: string, from: View, to: View): Push {
    const key = `${typeUrl} ${from.selection.key}>${to.selection.key}`
    const known = find(this.#current, from.set, to.set, key) ?? find(this.#previous, from.set, to.set, key)
    if (known) return known
    const made = new Push(stepsBetween(from, to))
    let byTarget = this.#current.get(from.set)
    if (!byTarget) this.#current.set(from.set, (byTarget = new WeakMap()))
    let byKey = byTarget.get(to.set)
    if (!byKey) byTarget.set(to.set, (byKey = new Map()))
    byKey.set(key, made)
    this.#startTimer()
    return made
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer)
  }

  // Two generations: what is in the older one is dropped as a whole, so nothing needs to be walked.
  #startTimer(): void {
    this.#fresh = true
    this.#timer ??= setTimeout(() => this.#turn(), this.#keepMs).unref()
  }

  #turn(): void {
    this.#timer = this.#fresh ? setTimeout(() => this.#turn(), this.#keepMs).unref() : undefined
    this.#previous = this.#current
    this.#current = new WeakMap()
    this.#olderFragments = this.#fragments
    this.#fragments = new WeakMap()
    this.#fresh = false
  }
}

function find(cache: WeakMap<ResourceSet, WeakMap<ResourceSet, ByKey>>, from: ResourceSet, to: ResourceSet, key: string): Push | undefined {
  return cache.get(from)?.get(to)?.get(key)
}
