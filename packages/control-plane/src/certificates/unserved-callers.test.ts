import { expect, test } from 'vitest'
import { followUnserved } from './unserved-callers.ts'

test('a caller is listed with its last reason until it is served', () => {
  const callers = followUnserved(() => 0)
  callers.refused('spiffe://a', 'no ink')
  callers.refused('spiffe://a', 'no paper')
  expect(callers.list()).toEqual([{ identity: 'spiffe://a', reason: 'no paper', since: '1970-01-01T00:00:00.000Z', attempts: 2 }])
  callers.issued('spiffe://a')
  expect(callers.list()).toEqual([])
})

test('one that no longer asks is forgotten, and so many are kept at most', () => {
  let now = 0
  const callers = followUnserved(() => now)
  for (let index = 0; index < 1_500; index++) callers.refused(`spiffe://${index}`, 'no ink')
  expect(callers.list()).toHaveLength(1_000)
  now = 200_000
  expect(callers.list()).toEqual([])
})
