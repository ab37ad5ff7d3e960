import type { ConfigChange } from '@lateen/config'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Batch, createDebouncer, DEBOUNCE_DEFAULTS } from './debouncer.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

const change = (kind: string, name: string, operation: 'set' | 'delete' = 'set'): ConfigChange => ({
  operation,
  object: { apiVersion: 'x/v1', kind, metadata: { name } },
})
const names = (batch: Batch | undefined) => batch?.changes.map(({ operation, object }) => `${operation} ${object.metadata.name}`)

function start() {
  const batches: Batch[] = []
  const debouncer = createDebouncer(DEBOUNCE_DEFAULTS, (batch) => batches.push(batch))
  return { batches, debouncer }
}

test('changes that come together are applied together, the last of each object', () => {
  const { batches, debouncer } = start()
  debouncer.add([change('VirtualService', 'a'), change('VirtualService', 'b')])
  vi.advanceTimersByTime(5)
  debouncer.add([change('VirtualService', 'a', 'delete')])
  vi.advanceTimersByTime(9)
  expect(batches).toEqual([])
  vi.advanceTimersByTime(1)
  expect(names(batches[0])).toEqual(['set b', 'delete a'])
  expect(batches[0]).toMatchObject({ events: 3, waitedMs: 15 })
})

test('a stream of changes does not put off the first for longer than the bound', () => {
  const { batches, debouncer } = start()
  for (let at = 0; at < 100; at += 5) {
    debouncer.add([change('VirtualService', `v${at}`)])
    vi.advanceTimersByTime(5)
  }
  expect(batches.length).toBe(1)
  expect(batches[0]?.waitedMs).toBe(100)
})

test('endpoints alone wait less, but not when configuration is with them', () => {
  const { batches, debouncer } = start()
  debouncer.add([change('EndpointSlice', 'e')])
  vi.advanceTimersByTime(2)
  expect(batches.length).toBe(1)
  debouncer.add([change('EndpointSlice', 'e'), change('Gateway', 'g')])
  vi.advanceTimersByTime(9)
  expect(batches.length).toBe(1)
  vi.advanceTimersByTime(1)
  expect(batches.length).toBe(2)
})

test('when applying is slow, more is collected before the next time', () => {
  const batches: Batch[] = []
  const debouncer = createDebouncer(DEBOUNCE_DEFAULTS, (batch) => {
    batches.push(batch)
    vi.advanceTimersByTime(200)
  })
  debouncer.add([change('Gateway', 'a')])
  vi.advanceTimersByTime(10)
  debouncer.add([change('Gateway', 'b')])
  vi.advanceTimersByTime(39)
  expect(batches.length).toBe(1)
  vi.advanceTimersByTime(1)
  expect(batches.length).toBe(2)
})
