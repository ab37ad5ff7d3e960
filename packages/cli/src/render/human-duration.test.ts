import { expect, test } from 'vitest'
import { humanDuration } from './human-duration.ts'

const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400]

test.each([
  [-5, '0s'],
  [119, '119s'],
  [2 * MINUTE, '2m'],
  [5 * MINUTE + 12, '5m12s'],
  [10 * MINUTE + 12, '10m'],
  [3 * HOUR + 20 * MINUTE, '3h20m'],
  [8 * HOUR + 20 * MINUTE, '8h'],
  [2 * DAY + 3 * HOUR, '2d3h'],
  [8 * DAY + 3 * HOUR, '8d'],
  [800 * DAY, '2y70d'],
  [4000 * DAY, '10y'],
])('%d seconds are %s', (seconds, text) => {
  expect(humanDuration(seconds * 1000)).toBe(text)
})
