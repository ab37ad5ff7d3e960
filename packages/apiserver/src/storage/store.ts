/**
 * All objects: a SQLite file as the truth, with a copy in memory that reads and watches are served from.
 *
 * Enters: writes, each with the revision it expects. Leaves: records, and for each write one event to the watchers of its
 * collection. A write is committed to the file before memory changes or anybody hears of it. Revisions grow by one a write, over
 * restarts too; the last events are kept so that a watch can start from a past revision.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { gone, internal, StatusError } from '../errors.ts'
import { isObj, metadata, type Obj, obj, str } from '../values.ts'

export interface StoredRecord {
  /** `namespace/name`, or `name`. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly revision: number
  /** Never changed in place. */
  readonly object: Obj
}

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly revision: number
  /** For a deletion the last state, with the deletion's revision. */
  readonly record: StoredRecord
  readonly previous: StoredRecord | undefined
  /** Texts of this event by representation, shared by all its watchers. */
  readonly encoded: Map<string, string>
}

export type StoreListener = (event: StoreEvent) => void

/** The file cannot be used; the message says why and what to do. */
export class StorageError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StorageError'
    this.code = code
  }
}

/** The object was changed by somebody else since it was read. */
export class RevisionConflict extends Error {}

const HISTORY = 2000

/** Objects of one kind. */
export class Collection {
  readonly name: string
  readonly records = new Map<string, StoredRecord>()
  /** Watches from before this revision cannot be served. */
  oldest: number
  history: StoreEvent[] = []
  readonly #listeners = new Set<StoreListener>()
  #sorted: StoredRecord[] | undefined
  readonly #byNamespace = new Map<string, Map<string, StoredRecord>>()

  constructor(name: string, oldest: number) {
    this.name = name
    this.oldest = oldest
  }

  get(key: string): StoredRecord | undefined {
    return this.records.get(key)
  }

  /** Records in key order, of one namespace when one is given. */
  list(namespace?: string): readonly StoredRecord[] {
    if (namespace !== undefined) return [...(this.#byNamespace.get(namespace)?.values() ?? [])].sort(byKey)
    this.#sorted ??= [...this.records.values()].sort(byKey)
    return this.#sorted
  }

  /**
   * The state at a past revision, in key order.
   *
   * @throws StatusError 410 when the revision is older than the kept events
   */
  listAt(revision: number, namespace?: string): readonly StoredRecord[] {
    if (revision < this.oldest) throw gone(`The provided continue parameter is too old to display a consistent list result.`)
    const past = new Map<string, StoredRecord | undefined>()
    for (let i = this.history.length - 1; i >= 0; i--) {
      const event = this.history[i]
      if (!event || event.revision <= revision) break
      past.set(event.record.key, event.previous)
    }
    if (past.size === 0) return this.list(namespace)
    const result: StoredRecord[] = []
    for (const record of this.list(namespace)) if (!past.has(record.key)) result.push(record)
    for (const record of past.values()) if (record && (namespace === undefined || record.namespace === namespace)) result.push(record)
    return result.sort(byKey)
  }

  /**
   * Events after a revision, then every new one; returns the function that ends it.
   *
   * @throws StatusError 410 when the revision is older than the kept events
   */
  watch(after: number, listener: StoreListener): () => void {
    if (after < this.oldest) throw gone(`too old resource version: ${after} (${this.oldest})`)
    const replayed = this.history.at(-1)?.revision ?? 0
    for (const event of this.history) if (event.revision > after) listener(event)
    // An event may be in the history and still wait to be told.
    const once: StoreListener = (event) => {
      if (event.revision > replayed && event.revision > after) listener(event)
    }
    this.#listeners.add(once)
    return () => void this.#listeners.delete(once)
  }

  /** Memory's side of a committed write. */
  accept(event: StoreEvent): void {
    const { record } = event
    if (event.type === 'DELETED') {
      this.records.delete(record.key)
      this.#byNamespace.get(record.namespace)?.delete(record.key)
    } else this.put(record)
    if (event.type !== 'MODIFIED') this.#sorted = undefined
    else if (this.#sorted) this.#sorted = undefined
    this.history.push(event)
    if (this.history.length > HISTORY * 1.5) {
      this.history = this.history.slice(-HISTORY)
      this.oldest = (this.history[0]?.revision ?? 1) - 1
    }
  }

  put(record: StoredRecord): void {
    this.records.set(record.key, record)
    let bucket = this.#byNamespace.get(record.namespace)
    if (!bucket) this.#byNamespace.set(record.namespace, (bucket = new Map()))
    bucket.set(record.key, record)
  }

  notify(event: StoreEvent): void {
    for (const listener of [...this.#listeners]) listener(event)
  }

  get watchers(): number {
    return this.#listeners.size
  }
}

const byKey = (a: StoredRecord, b: StoredRecord) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)

export const storeKey = (namespace: string, name: string) => (namespace ? `${namespace}/${name}` : name)

export class Store {
  readonly #db: DatabaseSync
  readonly #path: string
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #bump: StatementSync
  readonly #collections = new Map<string, Collection>()
  #revision: number
  readonly #floor: number
  #queue: Array<[Collection, StoreEvent]> = []
  #draining = false

  /** @throws StorageError when the file is locked, damaged or not writable */
  constructor(path: string) {
    this.#path = path
    try {
      this.#db = new DatabaseSync(path)
      this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2000')
      this.#db.exec(
        `CREATE TABLE IF NOT EXISTS objects (collection TEXT, namespace TEXT, name TEXT, revision INTEGER NOT NULL, value TEXT NOT NULL,
           PRIMARY KEY (collection, namespace, name)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
         INSERT OR IGNORE INTO meta VALUES ('revision', 1)`,
      )
      this.#put = this.#db.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)')
      this.#delete = this.#db.prepare('DELETE FROM objects WHERE collection = ? AND namespace = ? AND name = ?')
      this.#bump = this.#db.prepare(`UPDATE meta SET value = ? WHERE key = 'revision'`)
      this.#revision = Number(this.#db.prepare(`SELECT value FROM meta WHERE key = 'revision'`).get()?.['value'] ?? 1)
      this.#floor = this.#revision
      this.#load()
    } catch (error) {
      throw this.#explain(error, 'open')
    }
  }

  get revision(): number {
    return this.#revision
  }

  #load(): void {
    for (const row of this.#db.prepare('SELECT collection, namespace, name, revision, value FROM objects').iterate()) {
      const object: unknown = JSON.parse(String(row['value']))
      if (!isObj(object)) throw new Error(`the entry ${String(row['collection'])} ${String(row['name'])} is not an object`)
      const namespace = String(row['namespace'])
      const name = String(row['name'])
      this.collection(String(row['collection'])).put({
        key: storeKey(namespace, name),
        namespace,
        name,
        revision: Number(row['revision']),
        object,
      })
    }
  }

  collection(name: string): Collection {
    let found = this.#collections.get(name)
    if (!found) this.#collections.set(name, (found = new Collection(name, this.#floor)))
    return found
  }

  /** Names of the collections that hold something. */
  collections(): Collection[] {
    return [...this.#collections.values()]
  }

  /**
   * Writes a new object or a new state of one; sets its resourceVersion.
   *
   * @param expected the revision that must be there now; 0 for "nothing"
   * @throws RevisionConflict when it is not
   */
  write(collection: Collection, object: Obj, expected: number): StoredRecord {
    const meta = metadata(object)
    const namespace = str(meta['namespace'])
    const name = str(meta['name'])
    const key = storeKey(namespace, name)
    const previous = collection.get(key)
    if ((previous?.revision ?? 0) !== expected) throw new RevisionConflict(key)
    const revision = this.#revision + 1
    meta['resourceVersion'] = String(revision)
    const record: StoredRecord = { key, namespace, name, revision, object }
    this.#commit(revision, () => this.#put.run(collection.name, namespace, name, revision, JSON.stringify(object)))
    this.#publish(collection, { type: previous ? 'MODIFIED' : 'ADDED', revision, record, previous, encoded: new Map() })
    return record
  }

  /**
   * Removes an object; its last state is `object` (as told to watchers), with the deletion's revision.
   *
   * @throws RevisionConflict when the revision is not the expected one
   */
  remove(collection: Collection, record: StoredRecord): StoredRecord {
    const previous = collection.get(record.key)
    if (!previous || previous.revision !== record.revision) throw new RevisionConflict(record.key)
    const revision = this.#revision + 1
    const object: Obj = { ...record.object, metadata: { ...obj(record.object['metadata']), resourceVersion: String(revision) } }
    const last: StoredRecord = { ...record, revision, object }
    this.#commit(revision, () => this.#delete.run(collection.name, record.namespace, record.name))
    this.#publish(collection, { type: 'DELETED', revision, record: last, previous, encoded: new Map() })
    return last
  }

  #commit(revision: number, change: () => void): void {
    try {
      this.#db.exec('BEGIN')
      change()
      this.#bump.run(revision)
      this.#db.exec('COMMIT')
    } catch (error) {
      try {
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      } catch {
        // The first error says more.
      }
      const explained = this.#explain(error, 'write')
      throw new StatusError(explained.code === 'full' ? 507 : 500, 'InternalError', explained.message, undefined, { cause: explained })
    }
    this.#revision = revision
  }

  #publish(collection: Collection, event: StoreEvent): void {
    collection.accept(event)
    // A listener may write; its event waits its turn so that everybody hears events in order.
    this.#queue.push([collection, event])
    if (this.#draining) return
    this.#draining = true
    try {
      for (let next = this.#queue.shift(); next; next = this.#queue.shift()) next[0].notify(next[1])
    } finally {
      this.#draining = false
    }
  }

  #explain(error: unknown, what: string): StorageError {
    if (error instanceof StorageError) return error
    const text = error instanceof Error ? error.message : String(error)
    const at = this.#path
    if (/locked|busy/i.test(text)) {
      return new StorageError('locked', `the store ${at} is in use by another process; stop it, or use another home`, { cause: error })
    }
    if (/malformed|not a database|corrupt|is not an object|JSON/i.test(text)) {
      return new StorageError(
        'corrupt',
        `the store ${at} is damaged (${text}); restore it from a backup, or remove it to start with an empty cluster`,
        { cause: error },
      )
    }
    if (/full|no space/i.test(text)) return new StorageError('full', `the disk holding ${at} is full; free some space`, { cause: error })
    if (/readonly|unable to open|permission/i.test(text)) {
      return new StorageError(
        'unwritable',
        `the store ${at} cannot be written (${text}); check that its folder exists and belongs to you`,
        { cause: error },
      )
    }
    if (/I\/O|ioerr/i.test(text))
      return new StorageError('io', `the store ${at} cannot be ${what === 'open' ? 'opened' : 'written'}: ${text}; check the disk`, {
        cause: error,
      })
    return new StorageError('other', `the store ${at}: ${text}`, { cause: error })
  }

  close(): void {
    try {
      this.#db.close()
    } catch (error) {
      throw internal(this.#explain(error, 'close').message, error)
    }
  }
}
