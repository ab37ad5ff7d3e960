/** Forgets events that are older than an hour. */
import type { Core } from '../handlers/core.ts'
import { at, str } from '../values.ts'

const LIFETIME = 3600 * 1000
const SWEEP_EVERY = 5 * 60 * 1000

/** Starts sweeping; the returned function ends it. */
export function sweepEvents(core: Core): () => void {
  const sweep = () => {
    const events = core.store.collection('/events')
    const oldest = Date.now() - LIFETIME
    for (const record of [...events.list()]) {
      const { object } = record
      const times = [
        at(object, 'series', 'lastObservedTime'),
        object['lastTimestamp'],
        object['eventTime'],
        at(object, 'metadata', 'creationTimestamp'),
      ]
      const last = Math.max(...times.map((t) => Date.parse(str(t))).filter((t) => !Number.isNaN(t)), 0)
      if (last < oldest && events.get(record.key) === record) core.store.remove(events, record)
    }
  }
  sweep()
  const timer = setInterval(sweep, SWEEP_EVERY)
  timer.unref()
  return () => clearInterval(timer)
}
