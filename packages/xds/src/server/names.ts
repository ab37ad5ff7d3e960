/**
 * Sets of resource names, interned: streams that subscribed to the same names share one set, however they came to it. A
 * thousand streams with a thousand names each thus cost one set, not a million strings.
 */

/** An immutable, interned set: equal sets are the same object. */
export class NameSet {
  /** Unique in the process; names the set in cache keys. */
  readonly id: number
  readonly names: ReadonlySet<string>
  readonly #interner: NameInterner
  readonly #fingerprint: number
  /** Sets that streams went on to from here, by what they added and dropped: many go the same way. */
  #next: Map<string, WeakRef<NameSet>> | undefined

  constructor(id: number, names: ReadonlySet<string>, fingerprint: number, interner: NameInterner) {
    this.id = id
    this.names = names
    this.#fingerprint = fingerprint
    this.#interner = interner
  }

  has(name: string): boolean {
    return this.names.has(name)
  }

  get size(): number {
    return this.names.size
  }

  /** The set with names added and then others taken away. */
  change(added: readonly string[], taken: readonly string[] = []): NameSet {
    if (added.length === 0 && taken.length === 0) return this
    if (added.length + taken.length > MAX_STEP) return this.#changed(added, taken)
    const key = `${added.join('\n')}\0${taken.join('\n')}`
    const known = this.#next?.get(key)?.deref()
    if (known) return known
    const changed = this.#changed(added, taken)
    if (!this.#next || this.#next.size >= MAX_STEPS) this.#next = new Map()
    this.#next.set(key, new WeakRef(changed))
    return changed
  }

  #changed(added: readonly string[], taken: readonly string[]): NameSet {
    const copy = new Set(this.names)
    let fingerprint = this.#fingerprint
    for (const name of added) {
      if (copy.has(name)) continue
      copy.add(name)
      fingerprint = (fingerprint + hashText(name)) | 0
    }
    for (const name of taken) if (copy.delete(name)) fingerprint = (fingerprint - hashText(name)) | 0
    return this.#interner.find(copy, fingerprint)
  }
}

/** Steps of up to so many names are remembered, and so many steps from one set. */
const MAX_STEP = 32
const MAX_STEPS = 64

export class NameInterner {
  readonly empty: NameSet
  readonly #known = new Map<string, WeakRef<NameSet>[]>()
  readonly #ended = new FinalizationRegistry<string>((key) => this.#sweep(key))
  #nextId = 0

  constructor() {
    this.empty = new NameSet(this.#nextId++, new Set(), 0, this)
  }

  /** The one set that holds these names. The given set must not be changed afterwards. */
  intern(names: ReadonlySet<string>): NameSet {
    return this.find(names, fingerprintOf(names))
  }

  /** The same with the fingerprint, when it is known already. */
  find(names: ReadonlySet<string>, fingerprint: number): NameSet {
    if (names.size === 0) return this.empty
    const key = `${names.size}:${fingerprint}`
    const bucket = this.#known.get(key) ?? []
    for (const ref of bucket) {
      const known = ref.deref()
      if (known && sameNames(known.names, names)) return known
    }
    const made = new NameSet(this.#nextId++, names, fingerprint, this)
    bucket.push(new WeakRef(made))
    this.#known.set(key, bucket)
    this.#ended.register(made, key)
    return made
  }

  /** How many different sets are in use, for dumps and tests. */
  get size(): number {
    let count = 0
    for (const bucket of this.#known.values()) count += bucket.filter((ref) => ref.deref()).length
    return count
  }

  #sweep(key: string): void {
    const rest = this.#known.get(key)?.filter((ref) => ref.deref()) ?? []
    if (rest.length > 0) this.#known.set(key, rest)
    else this.#known.delete(key)
  }
}

// Independent of the order of names: clients list them in the order of their hash tables. Only picks a bucket; equality decides.
function fingerprintOf(names: ReadonlySet<string>): number {
  let sum = 0
  for (const name of names) sum = (sum + hashText(name)) | 0
  return sum
}

function hashText(text: string): number {
  let hash = text.length | 0
  // The ends tell names apart well enough (`outbound|80||svc-1.ns.svc…`), and cost less than the whole.
  for (let i = 0; i < text.length; i += text.length > 32 ? 3 : 1) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

function sameNames(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  if (a.size !== b.size) return false
  for (const name of a) if (!b.has(name)) return false
  return true
}
