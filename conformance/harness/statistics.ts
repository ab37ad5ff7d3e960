/** Bounds for shares that come by chance. */
import { expect } from 'vitest'

const DEVIATIONS = 4.5

/**
 * Expects `seen` of `total` where each has the chance `share`: within 4.5 standard deviations, which chance leaves about 7 times in
 * a million.
 */
export function expectShare(seen: number, total: number, share: number): void {
  const deviation = Math.sqrt(total * share * (1 - share)) * DEVIATIONS
  expect(seen).toBeGreaterThanOrEqual(Math.floor(total * share - deviation))
  expect(seen).toBeLessThanOrEqual(Math.ceil(total * share + deviation))
}

/** How often each value occurs. */
export function tally(values: Iterable<string | number | undefined>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[String(value)] = (counts[String(value)] ?? 0) + 1
  return counts
}
