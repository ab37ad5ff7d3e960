/**
 * Keeps the key sets that policies need: fetched when they are first wanted, again at intervals, again soon after a failure. What was
 * had stays in use while a server is away, also what an earlier run had; what was never had is told as absent, and no token is accepted
 * by it.
 */
import { logger } from '@lateen/base'
import type { KeySetRequest } from '@lateen/model'

export interface KeySetsOptions {
  /** Fetches one set; rejects when it cannot be had. */
  readonly fetch: (request: KeySetRequest, signal: AbortSignal) => Promise<string>
  /** Hears of each set that is another now, or gone. */
  readonly onChange: (sets: readonly (readonly [id: string, keys: string | undefined])[]) => void
  /** The keys of a set that an earlier run fetched. */
  readonly known?: (id: string) => string | undefined
  /** Between two fetches of a set (milliseconds). */
  readonly refreshMs: number
  readonly observer: { fetched(): void; failed(): void }
}

export interface KeySets {
  /** The sets that are wanted from now on; others are forgotten. */
  want(requests: readonly KeySetRequest[]): void
  /** Resolves when every wanted set was tried once. */
  tried(): Promise<void>
  stop(): void
}

const log = logger('jwks')

const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000
/** Fetches at one time. */
const AT_ONCE = 8
/** Most sets that are kept: as many issuers as no mesh has. */
const MOST_SETS = 2_000
/** Most characters of all sets together; each alone is bounded where it is fetched. */
const MOST_CHARACTERS = 16 << 20

export function createKeySets(options: KeySetsOptions): KeySets {
  const sets = new Map<string, KeySet>()
  const slots = new Slots(AT_ONCE)
  const others = (own: KeySet): number => [...sets.values()].reduce((sum, set) => sum + (set === own ? 0 : set.size), 0)
  const shared: Shared = { slots, fits: (own, keys) => others(own) + keys.length <= MOST_CHARACTERS }
  let stopped = false
  return {
    want: (requests) => {
      if (stopped) return
      const wanted = new Map(requests.slice(0, MOST_SETS).map((request) => [request.id, request]))
      if (requests.length > wanted.size) log.error(`policies name ${requests.length} key sets; only ${MOST_SETS} are fetched`)
      const gone = [...sets.values()].filter((set) => !wanted.has(set.request.id))
      for (const set of gone) {
        set.stop()
        sets.delete(set.request.id)
      }
      if (gone.length > 0) options.onChange(gone.map((set) => [set.request.id, undefined]))
      for (const request of wanted.values()) {
        const known = sets.get(request.id)
        if (known) known.request = request
        else sets.set(request.id, new KeySet(request, options, shared))
      }
    },
    tried: async () => {
      await Promise.all([...sets.values()].map((set) => set.tried))
    },
    stop: () => {
      stopped = true
      for (const set of sets.values()) set.stop()
      sets.clear()
    },
  }
}

/** What the sets share. */
interface Shared {
  readonly slots: Slots
  /** Whether there is room for a set with these keys beside the others. */
  fits(set: KeySet, keys: string): boolean
}

/** One set: being fetched, waiting for the next time, or stopped. */
class KeySet {
  request: KeySetRequest
  /** Resolves after the first attempt. */
  readonly tried: Promise<void>
  readonly #options: KeySetsOptions
  readonly #shared: Shared
  readonly #abort = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #keys: string | undefined
  #failures = 0
  #problem = ''

  constructor(request: KeySetRequest, options: KeySetsOptions, shared: Shared) {
    this.request = request
    this.#options = options
    this.#shared = shared
    this.#keys = options.known?.(request.id)
    if (this.#keys !== undefined) options.onChange([[request.id, this.#keys]])
    const tried = this.#refresh()
    // Nobody waits for a server whose keys are there.
    this.tried = this.#keys === undefined ? tried : Promise.resolve()
  }

  /** Characters that it holds. */
  get size(): number {
    return this.#keys?.length ?? 0
  }

  stop(): void {
    this.#abort.abort()
    clearTimeout(this.#timer)
  }

  async #refresh(): Promise<void> {
    const { signal } = this.#abort
    try {
      const keys = await this.#shared.slots.run(() => this.#options.fetch(this.request, signal))
      if (signal.aborted) return
      if (!this.#shared.fits(this, keys)) throw new RangeError('the keys of all issuers together are more than 16 MiB')
      this.#fetched(keys)
    } catch (error) {
      if (signal.aborted) return
      this.#failed(error instanceof Error ? error.message : String(error))
    }
    const retryMs = Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), LONGEST_RETRY_MS)
    this.#timer = setTimeout(() => void this.#refresh(), this.#failures > 0 ? retryMs : this.#options.refreshMs)
    this.#timer.unref()
  }

  #fetched(keys: string): void {
    this.#options.observer.fetched()
    if (this.#problem) log.info(`keys of ${this.request.id} can be fetched again`)
    this.#failures = 0
    this.#problem = ''
    if (keys === this.#keys) return
    this.#keys = keys
    this.#options.onChange([[this.request.id, keys]])
  }

  #failed(problem: string): void {
    this.#options.observer.failed()
    this.#failures += 1
    const meanwhile = this.#keys === undefined ? 'its tokens are refused' : 'the keys fetched before stay in use'
    if (problem !== this.#problem) log.error(`keys of ${this.request.id} cannot be fetched, ${meanwhile}: ${problem}`)
    this.#problem = problem
  }
}

/** So many at a time; the others wait in the order in which they came. */
class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}
