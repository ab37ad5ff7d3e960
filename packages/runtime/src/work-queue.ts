/**
 * The reconcile loop that every controller shares: keys go in, each is worked on once at a time, a failure is tried again later.
 *
 * A key added while it is worked on is worked on once more afterwards. Failures back off from 50 ms to 30 s, each key for itself.
 */
import { logger } from '@lateen/base'
import { isConflict, messageOf } from './kube/api-failure.ts'

export interface WorkQueueOptions {
  readonly name: string
  /** Brings the object named by `key` to its wanted state; a number asks for another look after that many milliseconds. */
  readonly reconcile: (key: string) => Promise<number | undefined>
  /** Keys worked on at the same time. Default 8. */
  readonly concurrency?: number
}

const FIRST_BACK_OFF = 50
const LONGEST_BACK_OFF = 30_000
/** Failures of one key in a row before the log says so at the warning level. */
const QUIET_FAILURES = 4

export class WorkQueue {
  readonly #options: WorkQueueOptions
  readonly #log
  readonly #waiting = new Set<string>()
  readonly #running = new Set<string>()
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly due: number }>()
  readonly #failures = new Map<string, number>()
  #idle: (() => void)[] = []
  #stopped = false
  #scheduled = false

  constructor(options: WorkQueueOptions) {
    this.#options = options
    this.#log = logger('cluster')
  }

  add(key: string): void {
    if (this.#stopped) return
    this.#waiting.add(key)
    if (this.#scheduled) return
    this.#scheduled = true
    // One turn later, so that a burst of changes to one object is one piece of work.
    setImmediate(() => {
      this.#scheduled = false
      this.#fill()
    })
  }

  /** Adds the key after `milliseconds`, unless it is due sooner already. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#stopped) return
    const due = performance.now() + milliseconds
    const known = this.#timers.get(key)
    if (known && known.due <= due) return
    if (known) clearTimeout(known.timer)
    const timer = setTimeout(
      () => {
        this.#timers.delete(key)
        this.add(key)
      },
      Math.min(milliseconds, 2 ** 31 - 1),
    )
    timer.unref()
    this.#timers.set(key, { timer, due })
  }

  /** Takes no more work and resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#waiting.clear()
    for (const { timer } of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #fill(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= (this.#options.concurrency ?? 8)) return
      if (this.#running.has(key)) continue
      this.#waiting.delete(key)
      this.#running.add(key)
      void this.#work(key)
    }
  }

  async #work(key: string): Promise<void> {
    try {
      const again = await this.#options.reconcile(key)
      this.#failures.delete(key)
      if (again !== undefined) this.addAfter(key, again)
    } catch (error) {
      this.#retry(key, error)
    } finally {
      this.#running.delete(key)
      if (this.#running.size === 0) for (const done of this.#idle.splice(0)) done()
      if (!this.#stopped) this.#fill()
    }
  }

  #retry(key: string, error: unknown): void {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    const words = `${this.#options.name} ${key}: ${messageOf(error)}; trying again`
    // A conflict only means that someone else wrote first; the next look sees it.
    if (!isConflict(error) && failures >= QUIET_FAILURES) this.#log.warn(words)
    else this.#log.debug(words)
    this.addAfter(key, Math.min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** Math.min(failures - 1, 12)))
  }
}
