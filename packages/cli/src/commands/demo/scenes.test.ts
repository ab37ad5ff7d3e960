import { expect, test } from 'vitest'
import { reviewsVersion, withinChance } from './scenes.ts'

test('the version of reviews is read off the name of the pod that answered', () => {
  expect(reviewsVersion({ status: 200, body: '{"podname": "reviews-v3-5d4f"}', milliseconds: 1 })).toBe('v3')
  expect(reviewsVersion({ status: 503, body: '', milliseconds: 1 })).toBe('status 503')
})

test('a count that chance explains is accepted, and one that it does not is not', () => {
  expect(withinChance(10, 100, 0.1)).toBe(true)
  expect(withinChance(21, 100, 0.1)).toBe(true)
  expect(withinChance(23, 100, 0.1)).toBe(false)
  expect(withinChance(50, 100, 0.1)).toBe(false)
})
