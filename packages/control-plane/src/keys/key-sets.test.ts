import type { KeySetRequest } from '@lateen/model'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createKeySets } from './key-sets.ts'

const request = (id: string): KeySetRequest => ({ id, source: { uri: id }, timeoutMs: 1_000 })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Key sets whose servers answer what `answers` says, or are away. */
function keeping(answers: Map<string, string>) {
  const told: (readonly [string, string | undefined])[] = []
  const asked: string[] = []
  const counts = { fetched: 0, failed: 0 }
  const sets = createKeySets({
    fetch: async ({ id }) => {
      asked.push(id)
      const answer = answers.get(id)
      if (answer === undefined) throw new Error('away')
      return answer
    },
    onChange: (changed) => void told.push(...changed),
    refreshMs: 60_000,
    observer: { fetched: () => void counts.fetched++, failed: () => void counts.failed++ },
  })
  return { sets, told, asked, counts }
}

test('a set is told once, again when it has changed, and as gone when nobody wants it', async () => {
  const answers = new Map([['a', 'one']])
  const { sets, told } = keeping(answers)
  sets.want([request('a')])
  await sets.tried()
  await vi.advanceTimersByTimeAsync(120_000)
  expect(told).toEqual([['a', 'one']])
  answers.set('a', 'two')
  await vi.advanceTimersByTimeAsync(60_000)
  sets.want([])
  expect(told).toEqual([
    ['a', 'one'],
    ['a', 'two'],
    ['a', undefined],
  ])
})

test('keys stay in use while their server is away, which is asked ever less often', async () => {
  const answers = new Map([['a', 'one']])
  const { sets, told, asked, counts } = keeping(answers)
  sets.want([request('a')])
  await sets.tried()
  answers.delete('a')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(asked).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1_000 + 2_000 + 4_000)
  expect(asked).toHaveLength(5)
  await vi.advanceTimersByTimeAsync(600_000)
  expect(asked.length).toBeLessThan(20)
  expect(told).toEqual([['a', 'one']])
  answers.set('a', 'two')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(told.at(-1)).toEqual(['a', 'two'])
  expect(counts.fetched).toBe(2)
})

test('a set that is wanted no longer is asked for no longer', async () => {
  const { sets, asked } = keeping(new Map())
  sets.want([request('a')])
  await sets.tried()
  sets.want([])
  await vi.advanceTimersByTimeAsync(600_000)
  expect(asked).toEqual(['a'])
})

test('few are fetched at one time, all in the end', async () => {
  let running = 0
  let most = 0
  const sets = createKeySets({
    fetch: async ({ id }) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 10))
      running -= 1
      return id
    },
    onChange: () => {},
    refreshMs: 60_000,
    observer: { fetched: () => {}, failed: () => {} },
  })
  sets.want(Array.from({ length: 50 }, (_, i) => request(`a${i}`)))
  const done = sets.tried()
  await vi.advanceTimersByTimeAsync(1_000)
  await done
  expect(most).toBe(8)
})

test('keys of an earlier run are in use at once, while their server is away, until it has others', async () => {
  const answers = new Map<string, string>()
  const told: (readonly [string, string | undefined])[] = []
  const sets = createKeySets({
    fetch: async ({ id }) => answers.get(id) ?? Promise.reject(new Error('away')),
    onChange: (changed) => void told.push(...changed),
    known: (id) => (id === 'a' ? 'earlier' : undefined),
    refreshMs: 60_000,
    observer: { fetched: () => {}, failed: () => {} },
  })
  sets.want([request('a'), request('b')])
  expect(told).toEqual([['a', 'earlier']])
  await vi.advanceTimersByTimeAsync(10_000)
  expect(told).toEqual([['a', 'earlier']])
  answers.set('a', 'later')
  await vi.advanceTimersByTimeAsync(60_000)
  expect(told).toEqual([
    ['a', 'earlier'],
    ['a', 'later'],
  ])
  sets.stop()
})

test('nobody waits for a server whose keys an earlier run had', async () => {
  const sets = createKeySets({
    fetch: () => new Promise(() => {}),
    onChange: () => {},
    known: () => 'earlier',
    refreshMs: 60_000,
    observer: { fetched: () => {}, failed: () => {} },
  })
  sets.want([request('a')])
  await sets.tried()
  sets.stop()
})

test('all sets together are bounded: one too many counts as not fetched, and the others stay', async () => {
  const large = 'x'.repeat(6 << 20)
  const { sets, told, counts } = keeping(new Map(['a', 'b', 'c'].map((id) => [id, large])))
  sets.want(['a', 'b', 'c'].map(request))
  await sets.tried()
  expect(told.map(([id]) => id)).toEqual(['a', 'b'])
  expect(counts).toEqual({ fetched: 2, failed: 1 })
  sets.stop()
})
