/**
 * The graph: sources, collections derived from them, and computations read on demand. Enters: writes to sources, in batches.
 * Leaves: values, and a call to every watcher whose value became another one.
 */
import { Cell, CHECK, CLEAN, CycleError, DIRTY, type Reader, type State } from './cells.ts'
import { equal } from './equal.ts'
import { type Indexes, inputOf, Source } from './source.ts'

/**
 * What a computation may read. Everything read is recorded; there is no other way to reach the graph, so what was read is
 * exactly what the result depends on.
 */
export interface Context {
  /** One value of a source, or undefined. */
  get<V>(source: Source<V>, key: string): V | undefined
  /** The values of a source found under a text of an index, in key order. */
  list<V>(source: Source<V>, index: string, text: string): readonly V[]
  /** All values of a source, in key order; depends on every one of them. */
  all<V>(source: Source<V>): readonly V[]
  /** The texts that an index of a source now has, sorted; depends on their coming and going only. */
  texts<V>(source: Source<V>, index: string): readonly string[]
  /** The result of another computation. */
  read<K extends FamilyKey, V>(family: Family<K, V>, key: K): V
}

/** Families are keyed by texts or by interned values. */
export type FamilyKey = string | Interned<unknown>

/** A value made unique: equal values are the same object, so that it can be a key, compared by identity. */
export interface Interned<T> {
  readonly value: T
}

export type Compute<K extends FamilyKey, V> = (context: Context, key: K) => V

interface FamilyOptions<V> {
  /** When a new value counts as the old one; structural equality unless given. */
  readonly equal?: (a: V, b: V) => boolean
}

/** One pure function, remembered for each key for as long as somebody reads it. */
export class Family<K extends FamilyKey, V> {
  readonly name: string
  /** @internal */ readonly cells = new Map<K, Computed<K, V>>()
  /** @internal */ readonly compute: Compute<K, V>
  /** @internal */ readonly equal: (a: V, b: V) => boolean

  constructor(name: string, compute: Compute<K, V>, options: FamilyOptions<V> = {}) {
    this.name = name
    this.compute = compute
    this.equal = options.equal ?? equal
  }
}

class Computed<K extends FamilyKey, V> extends Cell implements Reader {
  readonly family: Family<K, V>
  readonly key: K
  state: State = DIRTY
  dependencies: Cell[] = []
  value: V | undefined
  error: unknown
  computed = false
  readonly watchers = new Set<Watcher>()
  private readonly graph: Graph
  private computing = false

  constructor(graph: Graph, family: Family<K, V>, key: K) {
    super()
    this.graph = graph
    this.family = family
    this.key = key
  }

  get label(): string {
    return `${this.family.name}[${typeof this.key === 'string' ? this.key : JSON.stringify(this.key.value)}]`
  }

  mark(state: State): void {
    if (state <= this.state) return
    const before = this.state
    this.state = state
    if (before !== CLEAN) return
    for (const reader of this.readers) reader.mark(CHECK)
    if (this.watchers.size > 0) this.graph.wake(this)
  }

  override refresh(): void {
    if (this.state === CLEAN) return
    if (this.computing) throw new CycleError(`${this.label} needs its own result`)
    if (this.state === CHECK) {
      for (const dependency of this.dependencies) {
        dependency.refresh()
        if (this.isDirty()) break
      }
    }
    if (this.isDirty()) this.recompute()
    this.state = CLEAN
  }

  private isDirty(): boolean {
    return this.state === DIRTY
  }

  private recompute(): void {
    const read = new Set<Cell>()
    this.computing = true
    let value: V | undefined
    let error: unknown
    try {
      value = this.family.compute(this.graph.contextFor(read), this.key)
    } catch (thrown) {
      if (thrown instanceof CycleError) throw thrown
      error = thrown ?? new Error('thrown: nothing')
    } finally {
      this.computing = false
    }
    for (const old of this.dependencies) {
      if (read.has(old)) continue
      old.readers.delete(this)
      if (old.readers.size === 0) this.graph.orphan(old)
    }
    for (const cell of read) cell.readers.add(this)
    this.dependencies = [...read]
    const same = this.computed && error === undefined && this.error === undefined && this.family.equal(this.value as V, value as V)
    this.computed = true
    this.error = error
    if (same) return
    this.value = value
    this.changed()
  }

  override unread(): void {
    if (this.watchers.size > 0) return
    this.family.cells.delete(this.key)
    for (const dependency of this.dependencies) {
      dependency.readers.delete(this)
      if (dependency.readers.size === 0) this.graph.orphan(dependency)
    }
    this.dependencies = []
    this.state = DIRTY
  }

  /** The value, up to date. A computation that threw throws again for each reader. */
  result(): V {
    this.refresh()
    if (this.error !== undefined) throw this.error
    return this.value as V
  }
}

interface Watcher {
  /** Told while a batch settles (collections), not after it. */
  readonly atOnce: boolean
  notify(): void
}

/** A value that is kept up to date and watched. */
export interface Watch<V> {
  /** The value, up to date as of the last batch. */
  value(): V
  close(): void
}

/** A derived collection: from each value of an input to any number of values, kept as a source that others index and read. */
interface Collection {
  settle(): void
}

export class Graph {
  private readonly sources = new Map<string, Source<unknown>>()
  private readonly collections: Collection[] = []
  private readonly orphans = new Set<Cell>()
  private readonly woken = new Set<{ refresh(): void; readonly watchers: Set<Watcher> }>()
  private readonly interned = new Map<string, WeakRef<Interned<unknown>>>()
  private readonly forgotten = new FinalizationRegistry<string>((id) => {
    if (this.interned.get(id)?.deref() === undefined) this.interned.delete(id)
  })
  private depth = 0
  private nextOrder = 0

  /** A new source. Names are unique; they appear in origins and dumps. */
  source<V>(name: string, indexes?: Indexes<V>): Source<V> {
    return this.addSource<V>(name, indexes)
  }

  private addSource<V>(name: string, indexes?: Indexes<V>): Source<V> {
    if (this.sources.has(name)) throw new Error(`the graph has a source "${name}" already`)
    const source = new Source<V>(name, this.nextOrder++, indexes)
    this.sources.set(name, source as Source<unknown>)
    return source
  }

  /**
   * A derived collection. `derive` is called for each value of `input` and gives keyed values; keys must be unique over all
   * inputs (start them with the input's key). It may read sources and collections made before it, nothing later.
   * A derivation that throws gives nothing; `onError` hears of it.
   */
  collection<I, V>(
    name: string,
    input: Source<I>,
    derive: (context: Context, value: I, key: string) => Iterable<readonly [string, V]>,
    indexes?: Indexes<V>,
  ): Source<V> {
    const family = new Family<string, ReadonlyMap<string, V>>(`${name}.derive`, (context, key) => {
      const value = context.get(input, key)
      return new Map(value === undefined ? [] : derive(context, value, key))
    })
    const output = this.addSource<V>(name, indexes)
    const held = new Map<string, Watcher>()
    const stale = new Set<string>()
    input.subscribe((key) => void stale.add(key))
    for (const key of input.keys()) stale.add(key)
    const produced = new Map<string, ReadonlyMap<string, V>>()
    const put = (key: string) => {
      const before = produced.get(key)
      let after: ReadonlyMap<string, V> | undefined
      if (held.has(key)) {
        const cell = this.computed(family, key)
        try {
          after = cell.result()
        } catch (error) {
          this.onError(cell.label, error)
        }
      }
      for (const old of before?.keys() ?? []) if (!after?.has(old)) output.delete(old)
      for (const [outKey, value] of after ?? []) output.set(outKey, value)
      if (after) produced.set(key, after)
      else produced.delete(key)
    }
    this.collections.push({
      settle: () => {
        const work = [...stale].sort()
        stale.clear()
        for (const key of work) {
          const known = held.get(key)
          const exists = input.peek(key) !== undefined
          if (exists && !known) {
            const watcher: Watcher = { atOnce: true, notify: () => void stale.add(key) }
            held.set(key, watcher)
            this.computed(family, key).watchers.add(watcher)
          }
          if (!exists && known) {
            held.delete(key)
            const cell = this.computed(family, key)
            cell.watchers.delete(known)
            this.orphan(cell)
          }
          put(key)
        }
      },
    })
    return output
  }

  /** The values of several sources in one, with indexes of its own. Of a key that two of them have, the first one's value counts. */
  union<V>(name: string, inputs: readonly Source<V>[], indexes?: Indexes<V>): Source<V> {
    const output = this.addSource<V>(name, indexes)
    const stale = new Set<string>()
    for (const input of inputs) {
      input.subscribe((key) => void stale.add(key))
      for (const key of input.keys()) stale.add(key)
    }
    this.collections.push({
      settle: () => {
        const work = [...stale].sort()
        stale.clear()
        for (const key of work) {
          const value = inputs.find((input) => input.peek(key) !== undefined)?.peek(key)
          if (value === undefined) output.delete(key)
          else output.set(key, value)
        }
      },
    })
    return output
  }

  /** Hears of derivations that threw: a fault of ours, never of the user's objects. */
  onError: (label: string, error: unknown) => void = () => {}

  /**
   * Makes changes to sources; afterwards collections and watched values are up to date and watchers have been told.
   * Batches nest: only the outermost settles.
   */
  batch<T>(change: () => T): T {
    this.depth++
    try {
      return change()
    } finally {
      if (--this.depth === 0) this.settle()
    }
  }

  private settle(): void {
    const notified = new Set<Watcher>()
    for (const collection of this.collections) {
      this.drain(notified)
      collection.settle()
    }
    this.drain(notified)
    for (const watcher of notified) watcher.notify()
    this.collect()
  }

  /** Wakes collections' own watchers at once, gathers the others for the end of the batch. */
  private drain(notified: Set<Watcher>): void {
    for (const cell of this.woken) {
      for (const watcher of cell.watchers) {
        if (watcher.atOnce) watcher.notify()
        else notified.add(watcher)
      }
    }
    this.woken.clear()
  }

  /** @internal */
  wake(cell: { refresh(): void; readonly watchers: Set<Watcher> }): void {
    this.woken.add(cell)
  }

  /** @internal */
  orphan(cell: Cell): void {
    this.orphans.add(cell)
  }

  /** Drops what nobody reads any more. */
  private collect(): void {
    while (this.orphans.size > 0) {
      const batch = [...this.orphans]
      this.orphans.clear()
      for (const cell of batch) if (cell.readers.size === 0) cell.unread()
    }
  }

  /** @internal */
  contextFor(read: Set<Cell>): Context {
    const record = <T>({ cell, value }: { cell: Cell; value: T }): T => {
      read.add(cell)
      return value
    }
    return {
      get: (source, key) => record(source.readKey(key)),
      list: (source, index, text) => record(source.readBucket(index, text)),
      all: (source) => record(source.readAll()),
      texts: (source, index) => record(source.readTexts(index)),
      read: (family, key) => {
        const cell = this.computed(family, key)
        read.add(cell)
        return cell.result()
      },
    }
  }

  private computed<K extends FamilyKey, V>(family: Family<K, V>, key: K): Computed<K, V> {
    let cell = family.cells.get(key)
    if (!cell) family.cells.set(key, (cell = new Computed(this, family, key)))
    return cell
  }

  /** Reads a value once, without keeping it. For tests and dumps; computations read through their context. */
  peek<K extends FamilyKey, V>(family: Family<K, V>, key: K): V {
    const cell = this.computed(family, key)
    const value = cell.result()
    if (cell.readers.size === 0 && cell.watchers.size === 0) {
      this.orphan(cell)
      if (this.depth === 0) this.collect()
    }
    return value
  }

  /**
   * Keeps a value up to date. `onChange` is called after each batch in which the value became another one.
   */
  watch<K extends FamilyKey, V>(family: Family<K, V>, key: K, onChange: (value: V) => void): Watch<V> {
    const cell = this.computed(family, key)
    let seen = cell.result()
    const watcher: Watcher = {
      atOnce: false,
      notify: () => {
        const value = cell.result()
        if (value === seen) return
        seen = value
        onChange(value)
      },
    }
    cell.watchers.add(watcher)
    return {
      value: () => cell.result(),
      close: () => {
        cell.watchers.delete(watcher)
        if (cell.readers.size > 0 || cell.watchers.size > 0) return
        this.orphan(cell)
        if (this.depth === 0) this.collect()
      },
    }
  }

  /**
   * The inputs that a computed value was made from, directly or through others: source name → keys, both sorted. Derived
   * collections count as their own inputs.
   */
  origins<K extends FamilyKey, V>(family: Family<K, V>, key: K): ReadonlyMap<string, readonly string[]> {
    const found = new Map<string, Set<string>>()
    const seen = new Set<Cell>()
    const visit = (cell: Cell): void => {
      if (seen.has(cell)) return
      seen.add(cell)
      const input = inputOf(cell)
      if (input === undefined) {
        if (cell instanceof Computed) for (const dependency of cell.dependencies) visit(dependency)
        return
      }
      let set = found.get(input.source)
      if (!set) found.set(input.source, (set = new Set()))
      for (const key of input.keys) set.add(key)
    }
    this.peekCell(family, key, visit)
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, keys]) => [name, [...keys].sort()]))
  }

  private peekCell<K extends FamilyKey, V>(family: Family<K, V>, key: K, visit: (cell: Cell) => void): void {
    const cell = this.computed(family, key)
    cell.refresh()
    visit(cell)
    if (cell.readers.size === 0 && cell.watchers.size === 0) this.orphan(cell)
  }

  /** The one object for all values with this canonical JSON text; forgotten when nobody holds it. */
  intern<T>(value: T): Interned<T> {
    const id = canonical(value)
    const known = this.interned.get(id)?.deref()
    if (known) return known as Interned<T>
    const fresh: Interned<T> = Object.freeze({ value })
    this.interned.set(id, new WeakRef<Interned<unknown>>(fresh))
    this.forgotten.register(fresh, id)
    return fresh
  }

  /** The values that a family now keeps, with their keys; for dumps and for finding what made a value. */
  *entries<K extends FamilyKey, V>(family: Family<K, V>): Iterable<readonly [K, V]> {
    for (const [key, cell] of family.cells) if (cell.computed && cell.error === undefined) yield [key, cell.result()]
  }

  /** How many computed values are kept, by family: for dumps and leak tests. */
  statistics(families: readonly Family<never, unknown>[]): Record<string, number> {
    return Object.fromEntries(families.map((family) => [family.name, family.cells.size]))
  }
}

/** JSON with sorted keys: equal values, equal text. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined)
    fields.sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}
