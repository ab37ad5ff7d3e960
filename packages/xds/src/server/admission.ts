/**
 * Spreads the cost of many streams over time: a queue of streams with something to do, worked off in short slices; a budget of
 * bytes for large responses, so that a thousand proxies that come back at once do not cost a thousand responses of memory; and a
 * limit on new streams a second.
 */
import type { XdsLimits } from './limits.ts'

/** Milliseconds of work before other events get their turn. */
const SLICE_MS = 10

/** Responses up to this size are not counted: holding them back would save nothing. */
const SMALL_BYTES = 128 << 10

/** A response that has not left after so long belongs to a client that does not read; it must not hold up the others. */
const STALLED_MS = 1000

/** Runs each waiting task once, in the order of arrival. */
export class WorkQueue<T> {
  readonly #run: (task: T) => void
  readonly #waiting = new Set<T>()
  #scheduled = false

  constructor(run: (task: T) => void) {
    this.#run = run
  }

  add(task: T): void {
    this.#waiting.add(task)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#slice())
  }

  delete(task: T): void {
    this.#waiting.delete(task)
  }

  #slice(): void {
    const end = performance.now() + SLICE_MS
    for (const task of this.#waiting) {
      this.#waiting.delete(task)
      this.#run(task)
      if (performance.now() > end) break
    }
    this.#scheduled = this.#waiting.size > 0
    if (this.#scheduled) setImmediate(() => this.#slice())
  }
}

/** Counts the bytes of large responses on their way. */
export class TransitBudget {
  readonly #limit: number
  readonly #wake: () => void
  #used = 0

  constructor(limit: number, wake: () => void) {
    this.#limit = limit
    this.#wake = wake
  }

  /** Whether another large response may be made. */
  get open(): boolean {
    return this.#used < this.#limit
  }

  /** Takes a response into account; the result is called when it has left. */
  take(bytes: number): () => void {
    if (bytes <= SMALL_BYTES) return () => undefined
    this.#used += bytes
    let counted = true
    const give = () => {
      if (!counted) return
      counted = false
      clearTimeout(timer)
      this.#used -= bytes
      this.#wake()
    }
    const timer = setTimeout(give, STALLED_MS)
    timer.unref()
    return give
  }
}

/** Lets new streams in, one after the other, no faster than the limit. */
export class StreamGate {
  readonly #intervalMs: number
  readonly #waiting: (() => void)[] = []
  #nextAt = 0
  #timer: NodeJS.Timeout | undefined

  constructor(limits: Pick<XdsLimits, 'streamsPerSecond'>) {
    this.#intervalMs = limits.streamsPerSecond > 0 ? 1000 / limits.streamsPerSecond : 0
  }

  /** Calls `enter` when it is the stream's turn. */
  enter(enter: () => void): void {
    if (this.#intervalMs === 0) return enter()
    this.#waiting.push(enter)
    this.#open()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#waiting.length = 0
  }

  #open(): void {
    this.#timer = undefined
    const now = performance.now()
    while (this.#waiting.length > 0 && this.#nextAt <= now) {
      this.#nextAt = Math.max(this.#nextAt, now - 1000) + this.#intervalMs
      this.#waiting.shift()?.()
    }
    if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#open(), this.#nextAt - now)
  }
}
