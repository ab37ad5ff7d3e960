/** Waiting for a condition instead of for a time. */
import { setTimeout as delay } from 'node:timers/promises'

export interface Patience {
  readonly withinMs?: number
  readonly everyMs?: number
}

/** Calls `attempt` until it neither throws nor answers `false`; rejects with its last error when the time is over. */
export async function eventually<T>(attempt: () => Promise<T> | T, { withinMs = 20_000, everyMs = 100 }: Patience = {}): Promise<T> {
  const end = Date.now() + withinMs
  for (;;) {
    try {
      const value = await attempt()
      if (value !== false) return value
      if (Date.now() > end) throw new Error(`still not so after ${withinMs / 1000} s: ${attempt}`)
    } catch (error) {
      if (Date.now() > end) throw error
    }
    await delay(everyMs)
  }
}
