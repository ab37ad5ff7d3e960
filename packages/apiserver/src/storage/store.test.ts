import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StatusError } from '../errors.ts'
import { at, type Obj } from '../values.ts'
import { RevisionConflict, StorageError, Store, type StoreEvent } from './store.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const object = (name: string, value: number): Obj => ({ metadata: { name, namespace: 'n' }, value })

const steps = fc.array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), remove: fc.boolean(), value: fc.nat(9) }), { maxLength: 60 })

function play(store: Store, list: ReadonlyArray<{ name: string; remove: boolean; value: number }>): void {
  const collection = store.collection('/things')
  for (const step of list) {
    const record = collection.get(`n/${step.name}`)
    if (!step.remove) store.write(collection, object(step.name, step.value), record?.revision ?? 0)
    else if (record) store.remove(collection, record)
  }
}

const state = (store: Store) =>
  store
    .collection('/things')
    .list()
    .map((r) => r.object)

test('a watch from any past revision, laid over the list of that revision, gives the present state', () => {
  fc.assert(
    fc.property(steps, fc.nat(70), (list, back) => {
      const store = new Store(':memory:')
      play(store, list)
      const collection = store.collection('/things')
      const from = Math.max(collection.oldest, store.revision - back)
      const replayed = new Map(collection.listAt(from).map((r) => [r.key, r.object]))
      collection.watch(from, (event: StoreEvent) => {
        if (event.type === 'DELETED') replayed.delete(event.record.key)
        else replayed.set(event.record.key, event.record.object)
      })
      expect([...replayed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, o]) => o)).toEqual(state(store))
      store.close()
    }),
    { numRuns: 100 },
  )
})

test('what was written is there after a restart, and revisions go on growing', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const path = join(dir, `${crypto.randomUUID()}.db`)
      const store = new Store(path)
      play(store, list)
      const before = state(store)
      const { revision } = store
      store.close()
      const again = new Store(path)
      expect(state(again)).toEqual(before)
      expect(again.revision).toBe(revision)
      expect(Number(at(again.write(again.collection('/things'), object('new', 1), 0).object, 'metadata', 'resourceVersion'))).toBe(
        revision + 1,
      )
      again.close()
    }),
    { numRuns: 15 },
  )
})

test('a write on a stale revision changes nothing', () => {
  const store = new Store(':memory:')
  const collection = store.collection('/things')
  const first = store.write(collection, object('a', 1), 0)
  store.write(collection, object('a', 2), first.revision)
  expect(() => store.write(collection, object('a', 3), first.revision)).toThrow(RevisionConflict)
  expect(at(collection.get('n/a')?.object, 'value')).toBe(2)
  store.close()
})

test('a watch from before the kept events is refused with 410', () => {
  const store = new Store(':memory:')
  const collection = store.collection('/things')
  let record = store.write(collection, object('a', 0), 0)
  for (let i = 1; i < 3100; i++) record = store.write(collection, object('a', i), record.revision)
  expect(() => collection.watch(2, () => undefined)).toThrow(expect.objectContaining({ code: 410, reason: 'Expired' }))
  expect(() => collection.listAt(2)).toThrow(StatusError)
  store.close()
})

test('events that a listener causes are told in order', () => {
  const store = new Store(':memory:')
  const things = store.collection('/things')
  const seen: number[] = []
  things.watch(store.revision, (event) => {
    const value = at(event.record.object, 'value')
    if (typeof value === 'number' && value < 3) store.write(things, object('a', value + 1), event.revision)
  })
  things.watch(store.revision, (event) => seen.push(event.revision))
  store.write(things, object('a', 0), 0)
  expect(seen).toEqual([2, 3, 4, 5])
  store.close()
})

test('a file in use, a damaged file and a missing folder are told apart', () => {
  const path = join(dir, 'used.db')
  const store = new Store(path)
  expect(() => new Store(path)).toThrow(
    expect.objectContaining({ code: 'locked', message: expect.stringContaining('in use by another process') }),
  )
  store.close()
  const damaged = join(dir, 'damaged.db')
  writeFileSync(damaged, 'this is no database, although it has some length to it'.repeat(100))
  expect(() => new Store(damaged)).toThrow(expect.objectContaining({ code: 'corrupt' }))
  expect(() => new Store(join(dir, 'nowhere', 'x.db'))).toThrow(StorageError)
})
