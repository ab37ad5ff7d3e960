import { expect, test } from 'vitest'
import { type Answer, countBy, percentile } from './requests.ts'

const answer = (status: number, milliseconds: number): Answer => ({ status, body: '', milliseconds })

test('kinds are counted, the most frequent first', () => {
  expect(countBy([answer(200, 1), answer(503, 1), answer(200, 1)], ({ status }) => String(status))).toEqual([
    ['200', 2],
    ['503', 1],
  ])
})

test('a percentile is a time that was measured', () => {
  const answers = [5, 1, 4, 2, 3].map((time) => answer(200, time))
  expect(percentile(answers, 0.5)).toBe(3)
  expect(percentile(answers, 0.99)).toBe(5)
  expect(percentile([], 0.5)).toBe(0)
})
