/**
 * Writes the statuses that follow from the configuration: of Gateways, routes, Ingresses and ServiceEntries. Only while leading, one
 * object at a time, only where something changes, and with the object's version, so that nothing that others write is lost.
 */
import { type KubeObject, objectKey, type ResourceType } from '@lateen/api'
import { logger } from '@lateen/base'
import { ConnectionError, isConflict, isNotFound, type KubeClient } from '@lateen/kube'
import type { WantedStatus } from '@lateen/model'
import type { StatusWatch } from '@lateen/translate'
import { statusChanges } from './merge-status.ts'

export interface ObjectStatusesOptions {
  readonly client: KubeClient
  /** The statuses by `group/kind namespace/name`, followed from now on. */
  readonly watch: (onChange: (statuses: ReadonlyMap<string, WantedStatus>) => void) => StatusWatch
  /** How a kind is addressed, by `group/kind`; undefined for kinds whose status is not written. */
  readonly typeOf: (kind: string) => ResourceType | undefined
  /** Whether an object is this control plane's and not another revision's. */
  readonly isOurs: (object: KubeObject) => boolean
  /** The least time between two writes. Default 10 ms. */
  readonly intervalMs?: number
}

export interface ObjectStatuses {
  /** Sees each object as the API server sent it: what others have changed in the mesh's part is written again. */
  inspect(object: KubeObject): void
  lead(signal: AbortSignal): void
  /** Resolves when nothing is left to write. */
  idle(): Promise<void>
  stop(): void
}

const log = logger('status')
const MAX_ATTEMPTS = 5
const MIN_PAUSE_MS = 200
const MAX_PAUSE_MS = 10_000
/** How often the same status is written against somebody who writes another one. */
const MAX_REWRITES = 3

export function createObjectStatuses(options: ObjectStatusesOptions): ObjectStatuses {
  return new LedStatuses(options)
}

class LedStatuses implements ObjectStatuses {
  readonly #options: ObjectStatusesOptions
  #watch: StatusWatch | undefined
  #wanted: ReadonlyMap<string, WantedStatus> = new Map()
  /** Keys to write, with the attempts made. */
  readonly #queue = new Map<string, number>()
  readonly #rewrites = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined
  /** How long to wait before the next write, after one that failed. */
  #pauseMs = 0
  #writing = false
  #idle: (() => void)[] = []

  constructor(options: ObjectStatusesOptions) {
    this.#options = options
  }

  lead(signal: AbortSignal): void {
    this.#watch = this.#options.watch((statuses) => this.#follow(statuses))
    this.#follow(this.#watch.value())
    signal.addEventListener('abort', () => this.stop())
  }

  inspect(object: KubeObject): void {
    if (!this.#watch) return
    const slash = object.apiVersion.indexOf('/')
    const key = `${slash < 0 ? 'core' : object.apiVersion.slice(0, slash)}/${object.kind} ${objectKey(object)}`
    const wanted = this.#wanted.get(key)
    if (!wanted || this.#queue.has(key) || !statusChanges(object, wanted, new Date())) return
    const rewrites = this.#rewrites.get(key) ?? 0
    if (rewrites === MAX_REWRITES) log.warn(`the status of ${key} is written by somebody else as well; it is left as it is`)
    this.#rewrites.set(key, rewrites + 1)
    if (rewrites < MAX_REWRITES) this.#enqueue(key, 0)
  }

  idle(): Promise<void> {
    if (this.#queue.size === 0 && !this.#writing) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  stop(): void {
    this.#watch?.close()
    this.#watch = undefined
    this.#wanted = new Map()
    this.#queue.clear()
    this.#rewrites.clear()
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pauseMs = 0
  }

  #follow(statuses: ReadonlyMap<string, WantedStatus>): void {
    const before = this.#wanted
    this.#wanted = statuses
    for (const [key, status] of statuses) {
      if (before.get(key) === status) continue
      this.#rewrites.delete(key)
      this.#enqueue(key, 0)
    }
    for (const key of before.keys()) if (!statuses.has(key)) this.#rewrites.delete(key)
  }

  #enqueue(key: string, attempts: number): void {
    this.#queue.set(key, attempts)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#timer || this.#writing || !this.#watch) return
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#writing = true
        void this.#next().finally(() => {
          this.#writing = false
          if (this.#queue.size > 0) return this.#schedule()
          for (const resolve of this.#idle.splice(0)) resolve()
        })
      },
      Math.max(this.#options.intervalMs ?? 10, this.#pauseMs),
    )
    this.#timer.unref()
  }

  async #next(): Promise<void> {
    const [entry] = this.#queue
    if (!entry) return
    const [key, attempts] = entry
    this.#queue.delete(key)
    const wanted = this.#wanted.get(key)
    if (!wanted) return
    try {
      await this.#write(key.slice(0, key.indexOf(' ')), wanted)
      this.#pauseMs = 0
    } catch (error) {
      if (isNotFound(error) || !this.#watch) return
      // An API server that is away comes back; what it refuses, it refuses again.
      const isAway = error instanceof ConnectionError
      const isLast = !isAway && attempts + 1 >= MAX_ATTEMPTS
      // What has changed meanwhile is in the queue already, from the start.
      if (!isLast && !this.#queue.has(key)) this.#queue.set(key, attempts + 1)
      if (isConflict(error) && !isLast) return
      this.#pauseMs = Math.min(MAX_PAUSE_MS, Math.max(2 * this.#pauseMs, MIN_PAUSE_MS))
      if (isLast || attempts === 0)
        log.warn(`the status of ${key} could not be written: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async #write(kind: string, wanted: WantedStatus): Promise<void> {
    const { client, typeOf, isOurs } = this.#options
    const type = typeOf(kind)
    if (!type) return
    const { namespace, name } = wanted.object
    const object = await client.get(type, type.namespaced ? namespace : undefined, name)
    const status = isOurs(object) ? statusChanges(object, wanted, new Date()) : undefined
    if (!status || !this.#watch) return
    const patch = { metadata: { resourceVersion: object.metadata.resourceVersion }, status }
    await client.patch(type, type.namespaced ? namespace : undefined, name, patch, { subresource: 'status' })
  }
}
