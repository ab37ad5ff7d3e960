/** Cron schedules: five fields, `*`, lists, ranges, steps, names of months and days, `@hourly` and the like. */

const NAMED: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}
const FIELDS = [
  { name: 'minute', low: 0, high: 59, names: [] },
  { name: 'hour', low: 0, high: 23, names: [] },
  { name: 'day of month', low: 1, high: 31, names: [] },
  { name: 'month', low: 1, high: 12, names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'] },
  { name: 'day of week', low: 0, high: 7, names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
] as const
const MINUTE = 60_000
/** A schedule that never comes (30 February) is given up after this many days. */
const HORIZON_DAYS = 366 * 5

export interface Schedule {
  /** The first minute after `time` (milliseconds, UTC); `undefined` when there is none. */
  next(time: number): number | undefined
}

/** @throws Error naming the field that is not understood */
export function parseSchedule(text: string): Schedule {
  const parts = (NAMED[text.trim()] ?? text).trim().split(/\s+/)
  if (parts.length !== 5)
    throw new Error(`the schedule ${JSON.stringify(text)} must have five fields: minute, hour, day of month, month, day of week`)
  const sets = FIELDS.map((field, index) => parseField(parts[index] ?? '', field))
  const [minutes, hours, days, months, weekdays] = sets
  const anyDay = parts[2] === '*' || parts[2] === '?'
  const anyWeekday = parts[4] === '*' || parts[4] === '?'
  const dayMatches = (date: Date) => {
    const day = days?.has(date.getUTCDate()) ?? false
    const weekday = (weekdays?.has(date.getUTCDay()) || (date.getUTCDay() === 0 && weekdays?.has(7))) ?? false
    // As cron: when both are restricted, either is enough.
    return anyDay ? weekday : anyWeekday ? day : day || weekday
  }
  return {
    next(time) {
      const date = new Date(Math.floor(time / MINUTE) * MINUTE + MINUTE)
      for (let tries = 0; tries < HORIZON_DAYS + 24 * 60; tries++) {
        if (!months?.has(date.getUTCMonth() + 1) || !dayMatches(date)) date.setUTCHours(24, 0, 0, 0)
        else if (!hours?.has(date.getUTCHours())) date.setUTCMinutes(60, 0, 0)
        else if (!minutes?.has(date.getUTCMinutes())) date.setUTCMinutes(date.getUTCMinutes() + 1, 0, 0)
        else return date.getTime()
      }
      return undefined
    },
  }
}

function parseField(text: string, field: (typeof FIELDS)[number]): Set<number> {
  const wrong = () =>
    new Error(
      `the schedule's ${field.name} ${JSON.stringify(text)} is not understood; use numbers from ${field.low} to ${field.high}, *, a-b, a,b or */n`,
    )
  const number = (word: string) => {
    const named = (field.names as readonly string[]).indexOf(word.toLowerCase())
    const value = named >= 0 ? named + (field.name === 'month' ? 1 : 0) : Number(word)
    if (word === '' || !Number.isInteger(value) || value < field.low || value > field.high) throw wrong()
    return value
  }
  const result = new Set<number>()
  for (const item of text.split(',')) {
    const [range = '', step] = item.split('/')
    const size = step === undefined ? 1 : Number(step)
    if (!Number.isInteger(size) || size < 1) throw wrong()
    const [from, to] = range.split('-')
    const any = range === '*' || range === '?'
    const low = any ? field.low : number(from ?? '')
    const high = any || (step !== undefined && to === undefined) ? field.high : to === undefined ? low : number(to)
    for (let value = low; value <= high; value += size) result.add(value)
  }
  return result
}
