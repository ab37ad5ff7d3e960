/** Gateways to look at, one after the other; one that failed is looked at again, each time later. */
import { logger } from '@lateen/base'

export interface GatewayQueue {
  /** `namespace/name`; of one that waits already, nothing changes. */
  add(key: string): void
}

const log = logger('gateways')
const FIRST_RETRY_MS = 250
const LONGEST_RETRY_MS = 60_000

/** Ends with the signal. */
export function gatewayQueue(reconcile: (key: string) => Promise<void>, signal: AbortSignal): GatewayQueue {
  const waiting = new Set<string>()
  const failures = new Map<string, number>()
  const timers = new Set<NodeJS.Timeout>()
  let working = false
  const fail = (key: string, error: unknown) => {
    const count = (failures.get(key) ?? 0) + 1
    failures.set(key, count)
    log.warn(`Gateway ${key} could not be deployed: ${error instanceof Error ? error.message : String(error)}; it will be tried again`)
    const timer = setTimeout(
      () => {
        timers.delete(timer)
        add(key)
      },
      Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (count - 1)),
    )
    timers.add(timer)
  }
  const work = async () => {
    working = true
    for (const key of waiting) {
      if (signal.aborted) break
      waiting.delete(key)
      try {
        await reconcile(key)
        failures.delete(key)
      } catch (error) {
        if (!signal.aborted) fail(key, error)
      }
    }
    working = false
  }
  const add = (key: string) => {
    if (signal.aborted) return
    waiting.add(key)
    if (!working) void work()
  }
  signal.addEventListener('abort', () => {
    for (const timer of timers) clearTimeout(timer)
  })
  return { add }
}
