/**
 * Follows all objects of a kind for ever: an explicit state machine that restarts itself.
 *
 *     listing ──► watching ──► backing-off ──► listing │ watching
 *        └──► unavailable (kind not served) ──► listing          any ──► stopped
 *
 * Enters: a client and a kind. Leaves: `replace`, `set` and `delete` calls; each object is projected first, so that what is not
 * needed is never kept.
 */
import type { KubeObject, ResourceType } from '@lateen/api'
import { type Logger, logger } from '@lateen/base'
import { withQuery } from './client.ts'
import { ApiError, CLOSED, ConnectionError, isGone, isNotFound, statusCode } from './errors.ts'
import { readLines } from './lines.ts'
import { apiVersionOf, resourcePath } from './resource-path.ts'
import type { KubeClient, ListWatch, WatchHandler, WatchState } from './types.ts'

export interface ListWatchOptions<T extends KubeObject> {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Keeps what is needed of an object; `undefined` leaves the object out altogether. */
  readonly project?: (object: KubeObject) => T | undefined
  /** The mesh works without this kind: being forbidden to read it counts as not being served. */
  readonly optional?: boolean
  /** Objects a page of the list. Default 500. */
  readonly pageSize?: number
  readonly timing?: Partial<ListWatchTiming>
  readonly log?: Logger
}

/** In milliseconds. */
export interface ListWatchTiming {
  readonly firstBackOff: number
  readonly longestBackOff: number
  /** Between two questions whether the kind is served. */
  readonly unavailable: number
  /** How long the server should keep a watch open; jittered up to twice. */
  readonly watch: number
}

const TIMING: ListWatchTiming = { firstBackOff: 200, longestBackOff: 10_000, unavailable: 15_000, watch: 300_000 }
const MAX_LINE_BYTES = 16 << 20
/** A kind that was served and gives 404 is asked for once more before its objects are given up: the server may be starting. */
const MISSING_CONFIRM_MS = 2_000

/** Starts at once. Objects are handed over in the order of the server's changes; a listener that throws causes a new list. */
export function listWatch<T extends KubeObject = KubeObject>(
  client: KubeClient,
  type: ResourceType,
  options: ListWatchOptions<T>,
  listener: WatchHandler<T>,
): ListWatch {
  return new ListWatchMachine(client, type, options, listener)
}

class ListWatchMachine<T extends KubeObject> implements ListWatch {
  state: WatchState = 'listing'
  lastError: Error | undefined
  readonly synced: Promise<void>

  readonly #client: KubeClient
  readonly #type: ResourceType
  readonly #options: ListWatchOptions<T>
  readonly #listener: WatchHandler<T>
  readonly #timing: ListWatchTiming
  readonly #log: Logger
  readonly #abort = new AbortController()
  readonly #name: string
  #markSynced: () => void = () => undefined
  #wake: () => void = () => undefined
  #resourceVersion: string | undefined
  #served: 'unknown' | 'yes' | 'doubtful' | 'no' = 'unknown'
  #failures = 0

  constructor(client: KubeClient, type: ResourceType, options: ListWatchOptions<T>, listener: WatchHandler<T>) {
    this.#client = client
    this.#type = type
    this.#options = options
    this.#listener = listener
    this.#timing = { ...TIMING, ...options.timing }
    this.#log = options.log ?? logger('kube')
    this.#name = `${type.plural}${type.group ? `.${type.group}` : ''}`
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve
    })
    void this.#run()
  }

  wake(): void {
    if (this.state === 'unavailable' || this.state === 'backing-off') this.#wake()
  }

  stop(): void {
    this.#enter('stopped')
    this.#abort.abort()
    this.#wake()
  }

  async #run(): Promise<void> {
    while (!this.#stopped()) {
      try {
        if (this.#resourceVersion === undefined) await this.#list()
        await this.#watch()
      } catch (error) {
        if (this.#stopped()) return
        await this.#recover(error instanceof Error ? error : new Error(String(error)))
      }
    }
  }

  #stopped(): boolean {
    return this.#abort.signal.aborted
  }

  /** Stopped is final, whatever was still under way. */
  #enter(state: WatchState): void {
    if (!this.#stopped()) this.state = state
  }

  async #list(): Promise<void> {
    this.#enter('listing')
    const { namespace, labelSelector, fieldSelector } = this.#options
    const objects: T[] = []
    let next: string | undefined
    let resourceVersion = ''
    do {
      const page = await this.#client.list(this.#type, {
        limit: this.#options.pageSize ?? 500,
        ...(namespace ? { namespace } : {}),
        ...(labelSelector ? { labelSelector } : {}),
        ...(fieldSelector ? { fieldSelector } : {}),
        ...(next ? { continue: next } : {}),
      })
      if (this.#stopped()) return
      for (const item of page.items) {
        const object = this.#project(item)
        if (object) objects.push(object)
      }
      resourceVersion = page.resourceVersion
      next = page.continue
    } while (next)
    this.#served = 'yes'
    this.#listener.replace(objects)
    this.#resourceVersion = resourceVersion
    this.#markSynced()
  }

  async #watch(): Promise<void> {
    const { namespace, labelSelector, fieldSelector } = this.#options
    const seconds = Math.ceil((this.#timing.watch * (1 + Math.random())) / 1000)
    const path = withQuery(resourcePath(this.#type, { namespace }), {
      watch: 'true',
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
      resourceVersion: this.#resourceVersion,
      labelSelector,
      fieldSelector,
    })
    const opened = performance.now()
    const stream = await this.#client.stream(path, { signal: this.#abort.signal })
    this.#enter('watching')
    let events = 0
    for await (const lines of readLines(stream, MAX_LINE_BYTES)) {
      if (this.#stopped()) return
      for (const line of lines) this.#event(line)
      events += lines.length
      this.#failures = 0
      this.lastError = undefined
    }
    // A watch that ends at once, with nothing said, would otherwise be opened in a tight loop.
    if (events === 0 && performance.now() - opened < 1_000) throw new Error('the server ended the watch at once')
    this.#failures = 0
  }

  #event(line: string): void {
    const event = parseEvent(line)
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED': {
        const object = this.#project(event.object)
        // An object that is no longer selected by the projection was perhaps known before.
        if (object) this.#listener.set(object)
        else this.#listener.delete(this.#identity(event.object))
        break
      }
      case 'DELETED':
        this.#listener.delete(this.#project(event.object) ?? this.#identity(event.object))
        break
      case 'BOOKMARK':
        break
      case 'ERROR':
        throw new ApiError(event.code, event.reason, event.message)
    }
    if (event.object.metadata.resourceVersion) this.#resourceVersion = event.object.metadata.resourceVersion
  }

  #project(item: KubeObject): T | undefined {
    // Without a projection T is KubeObject, by the default of the type parameter.
    return this.#options.project ? this.#options.project(item) : (item as T)
  }

  /** What `delete` needs to know of an object that the projection leaves out. */
  #identity(object: KubeObject): T {
    const { name, namespace } = object.metadata
    return { apiVersion: apiVersionOf(this.#type), kind: this.#type.kind, metadata: { name, ...(namespace ? { namespace } : {}) } } as T
  }

  async #recover(error: Error): Promise<void> {
    this.lastError = error
    if (error instanceof ConnectionError && error.code === CLOSED) return this.stop()
    const code = statusCode(error)
    if (isGone(error)) {
      this.#log.debug(`${this.#name}: the history is gone, listing again`)
      this.#resourceVersion = undefined
      // The first time costs no wait; a server that always says so must not be asked in a tight loop.
      if (this.#failures++ > 0) await this.#backOff(error)
      return
    }
    if (isNotFound(error)) return this.#missing(error)
    if (code === 403 && this.#options.optional) return this.#unavailable(error)
    if (code === 401 || code === 403) {
      this.#log.warn(`may not list or watch ${this.#name}: ${error.message}; give the service account the verbs list and watch on it`)
    } else if (!('code' in error)) {
      // Unreadable line or a listener that threw: what is known may be wrong, begin anew.
      this.#log.warn(`${this.#name}: ${error.message}; listing again`)
      this.#resourceVersion = undefined
    } else this.#log.info(`${this.#name}: ${error.message}; trying again`)
    // A failed watch is resumed from where it was; if that is too old the server says 410.
    if (code !== undefined && code >= 400 && code < 500 && code !== 429) this.#resourceVersion = undefined
    await this.#backOff(error)
  }

  async #missing(error: Error): Promise<void> {
    this.#resourceVersion = undefined
    if (this.#served === 'yes') {
      this.#served = 'doubtful'
      this.#enter('backing-off')
      return this.#sleep(Math.min(MISSING_CONFIRM_MS, this.#timing.unavailable))
    }
    if (this.#served === 'doubtful') {
      this.#log.info(`${this.#name} is no longer served; its objects are gone`)
      this.#listener.replace([])
    }
    return this.#unavailable(error)
  }

  async #unavailable(error: Error): Promise<void> {
    if (this.#served !== 'no') this.#log.debug(`${this.#name} is not available: ${error.message}`)
    this.#served = 'no'
    this.#resourceVersion = undefined
    this.#enter('unavailable')
    this.#markSynced()
    await this.#sleep(this.#timing.unavailable)
  }

  async #backOff(error: Error): Promise<void> {
    this.#enter('backing-off')
    const { firstBackOff, longestBackOff } = this.#timing
    const ceiling = Math.min(longestBackOff, firstBackOff * 2 ** Math.min(this.#failures, 16))
    this.#failures++
    const asked = error instanceof ApiError && error.retryAfter !== undefined ? Math.min(error.retryAfter * 1000, longestBackOff) : 0
    // Half fixed, half random: clients that lost the same server do not come back in one wave.
    await this.#sleep(Math.max(asked, ceiling / 2 + Math.random() * (ceiling / 2)))
  }

  async #sleep(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = () => undefined
  }
}

type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: KubeObject }
  | { readonly type: 'ERROR'; readonly object: KubeObject; readonly code: number; readonly reason: string; readonly message: string }

/** @throws Error when the line is no watch event */
function parseEvent(line: string): WatchEvent {
  let event: unknown
  try {
    event = JSON.parse(line)
  } catch {
    throw new Error(`a watch event is not JSON: ${line.slice(0, 80)}`)
  }
  if (typeof event !== 'object' || event === null || !('type' in event) || !('object' in event))
    throw new Error('a watch event has no type or no object')
  const { type, object } = event
  if (type === 'ERROR') return errorEvent(object)
  if (!isKubeObject(object)) throw new Error('a watch event holds no object with metadata')
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK') return { type, object }
  throw new Error(`a watch event has the unknown type ${JSON.stringify(type).slice(0, 40)}`)
}

function errorEvent(status: unknown): WatchEvent {
  const fields: Record<string, unknown> = typeof status === 'object' && status !== null ? { ...status } : {}
  return {
    type: 'ERROR',
    object: { apiVersion: 'v1', kind: 'Status', metadata: { name: '' } },
    code: typeof fields.code === 'number' ? fields.code : 500,
    reason: typeof fields.reason === 'string' ? fields.reason : '',
    message: typeof fields.message === 'string' ? fields.message : 'the server ended the watch with an error',
  }
}

function isKubeObject(value: unknown): value is KubeObject {
  return typeof value === 'object' && value !== null && 'metadata' in value && typeof value.metadata === 'object' && value.metadata !== null
}
