/** Waiting times between attempts. */

export interface Backoff {
  /** Milliseconds to wait now; each longer than the last until the limit, varied so that a fleet does not act as one. */
  next(): number
  /** After a success. */
  reset(): void
}

/** Doubles from `firstMs` to `maxMs`, less up to half at random. */
export function exponentialBackoff(firstMs: number, maxMs: number, random: () => number = Math.random): Backoff {
  let attempt = 0
  return {
    next: () => Math.min(maxMs, firstMs * 2 ** Math.min(attempt++, 30)) * (1 - random() / 2),
    reset: () => {
      attempt = 0
    },
  }
}
