import { expect, test } from 'vitest'
import { parseSchedule } from './cron-schedule.ts'

const after = (schedule: string, time: string) => {
  const next = parseSchedule(schedule).next(Date.parse(time))
  return next === undefined ? undefined : new Date(next).toISOString()
}

test.each([
  ['* * * * *', '2026-03-01T10:00:30Z', '2026-03-01T10:01:00.000Z'],
  ['*/15 * * * *', '2026-03-01T10:15:00Z', '2026-03-01T10:30:00.000Z'],
  ['0 3 * * mon-fri', '2026-03-06T04:00:00Z', '2026-03-09T03:00:00.000Z'],
  ['30 4 1,15 * 0', '2026-03-02T00:00:00Z', '2026-03-08T04:30:00.000Z'],
  ['0 0 29 2 *', '2026-03-01T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ['@daily', '2026-12-31T23:59:00Z', '2027-01-01T00:00:00.000Z'],
  ['5 0 * * 7', '2026-03-01T00:04:00Z', '2026-03-01T00:05:00.000Z'],
])('%s after %s is %s', (schedule, time, next) => {
  expect(after(schedule, time)).toBe(next)
})

test('a day that never comes has no next time', () => {
  expect(after('0 0 30 2 *', '2026-01-01T00:00:00Z')).toBeUndefined()
})

test.each([
  ['* * * *', 'must have five fields'],
  ['61 * * * *', `the schedule's minute "61" is not understood`],
  ['* * * foo *', `the schedule's month "foo" is not understood`],
  ['*/0 * * * *', `the schedule's minute "*/0" is not understood`],
])('%s is refused', (schedule, message) => {
  expect(() => parseSchedule(schedule)).toThrow(message)
})
