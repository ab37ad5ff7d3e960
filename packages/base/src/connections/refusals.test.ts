import { afterEach, expect, test, vi } from 'vitest'
import type { LogFields } from '../log.ts'
import { refusalLog } from './refusals.ts'

afterEach(() => {
  vi.useRealTimers()
})

function refusals() {
  vi.useFakeTimers()
  const lines: [string, LogFields | undefined][] = []
  return { lines, tell: refusalLog({ warn: (message, fields) => void lines.push([message, fields]) }, 'refused') }
}

test('an address is told of at once, and then once a minute with how often it was', async () => {
  const { lines, tell } = refusals()
  for (let i = 0; i < 1_000; i++) tell(`10.0.0.1:${40_000 + i}`, `reason ${i}`)
  tell('fd00::1:7', 'another')
  expect(lines).toEqual([
    ['refused', { address: '10.0.0.1:40000', reason: 'reason 0' }],
    ['refused', { address: 'fd00::1:7', reason: 'another' }],
  ])
  await vi.advanceTimersByTimeAsync(60_000)
  expect(lines.slice(2)).toEqual([['refused, again', { address: '10.0.0.1:40999', reason: 'reason 999', times: 999 }]])
  expect(vi.getTimerCount()).toBe(0)
  tell('10.0.0.1:1', 'later')
  expect(lines[3]).toEqual(['refused', { address: '10.0.0.1:1', reason: 'later' }])
})

test('a flood from many addresses is as few lines', async () => {
  const { lines, tell } = refusals()
  for (let i = 0; i < 5_000; i++) tell(`10.0.${i >> 8}.${i & 255}:1`, 'no token')
  expect(lines).toHaveLength(100)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(lines.slice(100)).toEqual([['refused, of further addresses', { times: 4_900 }]])
})
