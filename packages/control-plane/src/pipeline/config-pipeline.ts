/** From configuration sources into the mesh: everything at the start as one batch, then debounced batches. */
import type { ConfigChange, ConfigSource } from '@lateen/config'
import { type Batch, createDebouncer, type DebounceOptions } from './debouncer.ts'

export interface Pipeline {
  /** Resolves when all sources have told what they had and it is applied. */
  readonly synced: Promise<void>
  stop(): void
}

/** Starts the source; `apply` gets the first batch when the source has synced. */
export function startPipeline(source: ConfigSource, debounce: DebounceOptions, apply: (batch: Batch) => void): Pipeline {
  const debouncer = createDebouncer(debounce, apply)
  let initial: ConfigChange[] | undefined = []
  const started = performance.now()
  source.start((changes) => {
    if (initial) for (const change of changes) initial.push(change)
    else debouncer.add(changes)
  })
  const synced = source.synced.then(() => {
    const changes = initial ?? []
    initial = undefined
    apply({ changes, waitedMs: performance.now() - started, events: changes.length })
  })
  return {
    synced,
    stop: () => {
      source.stop()
      debouncer.stop()
    },
  }
}
