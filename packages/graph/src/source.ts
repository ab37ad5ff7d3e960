/**
 * Sources: keyed collections of immutable values with indexes; the graph's only inputs. Each key, each value of an index and
 * the whole list are cells of their own, made when first read, so that a reader depends on just what it asked for.
 */
import { Cell } from './cells.ts'
import { equal } from './equal.ts'

/** From a value to the texts under which it is found. */
export type IndexFunction<V> = (value: V, key: string) => Iterable<string>

export type Indexes<V> = Readonly<Record<string, IndexFunction<V>>>

class InputCell extends Cell {
  readonly source: string
  readonly label: string
  readonly objects: () => Iterable<string>
  private readonly drop: () => void

  constructor(source: string, label: string, objects: () => Iterable<string>, drop: () => void) {
    super()
    this.source = source
    this.label = label
    this.objects = objects
    this.drop = drop
  }

  override unread(): void {
    this.drop()
  }
}

/** The values under one index text, in key order once sorted. */
class Bucket<V> {
  readonly entries = new Map<string, V>()
  sorted: readonly V[] | undefined
}

export class Source<V> {
  readonly name: string
  /** Place in the order of computation; a collection may read only what comes before it. */
  readonly order: number
  private readonly values = new Map<string, V>()
  private readonly indexes: ReadonlyMap<string, { readonly of: IndexFunction<V>; readonly buckets: Map<string, Bucket<V>> }>
  private readonly keyCells = new Map<string, InputCell>()
  private readonly bucketCells = new Map<string, InputCell>()
  private readonly textsCells = new Map<string, InputCell>()
  private allCell: InputCell | undefined
  private allSorted: readonly V[] | undefined
  private readonly subscribers: ((key: string) => void)[] = []

  constructor(name: string, order: number, indexes: Indexes<V> = {}) {
    this.name = name
    this.order = order
    this.indexes = new Map(Object.entries(indexes).map(([index, of]) => [index, { of, buckets: new Map<string, Bucket<V>>() }]))
  }

  get size(): number {
    return this.values.size
  }

  /** The value now held, untracked: for writers and dumps, never for computations. */
  peek(key: string): V | undefined {
    return this.values.get(key)
  }

  /** All keys, untracked, unsorted. */
  keys(): Iterable<string> {
    return this.values.keys()
  }

  /** Puts a value; an equal one is no change. Returns whether anything changed. Call inside `Graph.batch`. */
  set(key: string, value: V): boolean {
    const old = this.values.get(key)
    if (old !== undefined && equal(old, value)) return false
    this.values.set(key, value)
    for (const [name, index] of this.indexes) this.reindex(name, index, key, old, value)
    this.touch(key)
    return true
  }

  /** Takes a value out. Returns whether there was one. */
  delete(key: string): boolean {
    const old = this.values.get(key)
    if (old === undefined) return false
    this.values.delete(key)
    for (const [name, index] of this.indexes) this.reindex(name, index, key, old, undefined)
    this.touch(key)
    return true
  }

  /** @internal Tells of every key that is written; for collections. */
  subscribe(subscriber: (key: string) => void): void {
    this.subscribers.push(subscriber)
  }

  private touch(key: string): void {
    this.allSorted = undefined
    for (const subscriber of this.subscribers) subscriber(key)
    this.keyCells.get(key)?.changed()
    this.allCell?.changed()
  }

  private reindex(
    name: string,
    index: { readonly of: IndexFunction<V>; readonly buckets: Map<string, Bucket<V>> },
    key: string,
    old: V | undefined,
    value: V | undefined,
  ): void {
    const before = new Set(old === undefined ? [] : index.of(old, key))
    const after = new Set(value === undefined ? [] : index.of(value, key))
    let textsChanged = false
    for (const text of before) {
      if (after.has(text)) continue
      const bucket = index.buckets.get(text)
      if (!bucket) continue
      bucket.entries.delete(key)
      bucket.sorted = undefined
      if (bucket.entries.size === 0) {
        index.buckets.delete(text)
        textsChanged = true
      }
      this.bucketCells.get(`${name}\0${text}`)?.changed()
    }
    for (const text of after) {
      let bucket = index.buckets.get(text)
      if (!bucket) {
        index.buckets.set(text, (bucket = new Bucket<V>()))
        textsChanged = true
      }
      if (value !== undefined) bucket.entries.set(key, value)
      bucket.sorted = undefined
      this.bucketCells.get(`${name}\0${text}`)?.changed()
    }
    if (textsChanged) this.textsCells.get(name)?.changed()
  }

  /** @internal the cell and value of one key */
  readKey(key: string): { cell: Cell; value: V | undefined } {
    const cell = this.cell(this.keyCells, key, `${this.name}[${key}]`, () => (this.values.has(key) ? [key] : []))
    return { cell, value: this.values.get(key) }
  }

  /** @internal the cell and values under one text of an index, in key order */
  readBucket(name: string, text: string): { cell: Cell; value: readonly V[] } {
    const index = this.indexes.get(name)
    if (!index) throw new Error(`${this.name} has no index "${name}"`)
    const bucket = index.buckets.get(text)
    const cell = this.cell(
      this.bucketCells,
      `${name}\0${text}`,
      `${this.name}.${name}[${text}]`,
      () => index.buckets.get(text)?.entries.keys() ?? [],
    )
    if (!bucket) return { cell, value: EMPTY }
    bucket.sorted ??= inKeyOrder(bucket.entries)
    return { cell, value: bucket.sorted }
  }

  /** @internal the cell and the texts of an index, sorted */
  readTexts(name: string): { cell: Cell; value: readonly string[] } {
    const index = this.indexes.get(name)
    if (!index) throw new Error(`${this.name} has no index "${name}"`)
    const cell = this.cell(this.textsCells, name, `${this.name}.${name}`, () => [])
    return { cell, value: [...index.buckets.keys()].sort() }
  }

  /** @internal the cell and all values, in key order */
  readAll(): { cell: Cell; value: readonly V[] } {
    this.allCell ??= new InputCell(
      this.name,
      this.name,
      () => this.values.keys(),
      () => {
        this.allCell = undefined
      },
    )
    this.allSorted ??= inKeyOrder(this.values)
    return { cell: this.allCell, value: this.allSorted }
  }

  private cell(cells: Map<string, InputCell>, id: string, label: string, objects: () => Iterable<string>): InputCell {
    let cell = cells.get(id)
    if (!cell) cells.set(id, (cell = new InputCell(this.name, label, objects, () => void cells.delete(id))))
    return cell
  }
}

const EMPTY: readonly never[] = []

function inKeyOrder<V>(entries: ReadonlyMap<string, V>): readonly V[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, value]) => value)
}

/** Which source and which keys an input cell stands for; undefined for computed cells. */
export function inputOf(cell: Cell): { readonly source: string; readonly keys: Iterable<string> } | undefined {
  return cell instanceof InputCell ? { source: cell.source, keys: cell.objects() } : undefined
}
