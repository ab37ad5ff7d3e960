/**
 * Collects changes until it is quiet, so that what was applied together is translated together.
 *
 * Endpoints matter more than quiet: a change of endpoints alone waits only a moment. When a batch takes long to apply, the wait
 * grows with it, so that a storm of changes spends its time on work and not on repeating it.
 */
import { type ConfigChange, changeKey } from '@lateen/config'

/** All in milliseconds. */
export interface DebounceOptions {
  /** Apply when nothing came for this long. */
  readonly quietMs: number
  /** Apply at the latest after this long. */
  readonly maxMs: number
  readonly endpointQuietMs: number
  readonly endpointMaxMs: number
}

export const DEBOUNCE_DEFAULTS: DebounceOptions = { quietMs: 10, maxMs: 100, endpointQuietMs: 2, endpointMaxMs: 20 }

export interface Batch {
  readonly changes: readonly ConfigChange[]
  /** How long the first change of the batch has waited. */
  readonly waitedMs: number
  /** How many changes came in, before those of one object were joined. */
  readonly events: number
}

export interface Debouncer {
  add(changes: readonly ConfigChange[]): void
  /** Applies at once what is waiting. */
  flush(): void
  stop(): void
}

const ENDPOINT_KINDS = new Set(['EndpointSlice', 'Pod', 'WorkloadEntry', 'Node'])
const SLOWEST_FACTOR = 4

export function createDebouncer(options: DebounceOptions, apply: (batch: Batch) => void): Debouncer {
  let pending = new Map<string, ConfigChange>()
  let events = 0
  let first = 0
  let onlyEndpoints = true
  let lastApplyMs = 0
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (pending.size === 0) return
    const batch = { changes: [...pending.values()], waitedMs: performance.now() - first, events }
    pending = new Map()
    events = 0
    onlyEndpoints = true
    const start = performance.now()
    try {
      apply(batch)
    } finally {
      lastApplyMs = performance.now() - start
    }
  }

  return {
    add: (changes) => {
      const now = performance.now()
      if (pending.size === 0) first = now
      for (const change of changes) {
        const key = changeKey(change.object)
        // A later change of the same object goes to the end: what it refers to may have come in between.
        pending.delete(key)
        pending.set(key, change)
        onlyEndpoints &&= ENDPOINT_KINDS.has(change.object.kind)
      }
      events += changes.length
      if (pending.size === 0) return
      const quiet = onlyEndpoints ? options.endpointQuietMs : options.quietMs
      const longest = onlyEndpoints ? options.endpointMaxMs : options.maxMs
      const wait = Math.max(quiet, Math.min(lastApplyMs, quiet * SLOWEST_FACTOR))
      const latest = first + Math.max(longest, Math.min(lastApplyMs * 2, longest * SLOWEST_FACTOR))
      clearTimeout(timer)
      timer = setTimeout(flush, Math.max(0, Math.min(wait, latest - now)))
    },
    flush,
    stop: () => clearTimeout(timer),
  }
}
