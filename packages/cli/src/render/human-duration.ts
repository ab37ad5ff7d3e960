/** Durations for people, as kubectl writes ages: two parts at most, and one when the smaller of them no longer matters. */

const [SECOND, MINUTE, HOUR, DAY, YEAR] = [1_000, 60_000, 3_600_000, 86_400_000, 31_536_000_000]

interface Step {
  /** Durations below this are written so. */
  readonly below: number
  readonly unit: readonly [milliseconds: number, letter: string]
  readonly rest?: readonly [milliseconds: number, letter: string]
}

const STEPS: readonly Step[] = [
  { below: 2 * MINUTE, unit: [SECOND, 's'] },
  { below: 10 * MINUTE, unit: [MINUTE, 'm'], rest: [SECOND, 's'] },
  { below: 3 * HOUR, unit: [MINUTE, 'm'] },
  { below: 8 * HOUR, unit: [HOUR, 'h'], rest: [MINUTE, 'm'] },
  { below: 2 * DAY, unit: [HOUR, 'h'] },
  { below: 8 * DAY, unit: [DAY, 'd'], rest: [HOUR, 'h'] },
  { below: 2 * YEAR, unit: [DAY, 'd'] },
  { below: 8 * YEAR, unit: [YEAR, 'y'], rest: [DAY, 'd'] },
  { below: Number.POSITIVE_INFINITY, unit: [YEAR, 'y'] },
]

/** @param milliseconds below zero for clocks that disagree, which counts as now */
export function humanDuration(milliseconds: number): string {
  const duration = Math.max(0, milliseconds)
  const { unit, rest } = STEPS.find(({ below }) => duration < below) ?? { unit: [SECOND, 's'] as const }
  const whole = Math.floor(duration / unit[0])
  const more = rest ? Math.floor((duration % unit[0]) / rest[0]) : 0
  return `${whole}${unit[1]}${rest && more > 0 ? `${more}${rest[1]}` : ''}`
}
