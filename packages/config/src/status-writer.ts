/**
 * Writes the mesh's verdict on an object to `.status.conditions`, and an Event beside it. Desired conditions are values that are
 * set; writing happens later, at a limited rate, only while this replica leads, and only where it changes something.
 */
import type { KubeObject, ResourceType } from '@lateen/api'
import { logger, type ObjectRef, objectName } from '@lateen/base'
import { isConflict, isNotFound, type KubeClient } from '@lateen/kube'
import { createEvent } from './events.ts'

export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

export interface StatusWriterOptions {
  readonly client: KubeClient
  /** How a kind with conditions is addressed; `undefined` for kinds that get none. */
  readonly typeOf: (ref: ObjectRef) => ResourceType | undefined
  /** Who writes, for Events: `istiod`. */
  readonly component: string
  /** How long to wait for more before writing. Default 500 ms. */
  readonly settleMs?: number
  /** The least time between two writes. Default 100 ms. */
  readonly intervalMs?: number
}

export interface StatusWriter {
  /** What the object's condition of this type should be. Of several calls the last counts. */
  set(ref: ObjectRef, condition: Condition): void
  /** Starts writing; until then, and after the signal aborts, conditions are only remembered. */
  lead(signal: AbortSignal): void
  /** Resolves when all that is to be written has been. */
  idle(): Promise<void>
  stop(): void
}

const log = logger('status')
const MAX_MESSAGE = 2_000
const MAX_ATTEMPTS = 5
/** A bound on memory, whatever the proxies say. */
const MAX_PENDING = 5_000

export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  return new ConditionWriter(options)
}

interface Pending {
  readonly ref: ObjectRef
  readonly conditions: Map<string, Condition>
  attempts: number
}

class ConditionWriter implements StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #pending = new Map<string, Pending>()
  #leading = false
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> | undefined
  #idle: (() => void)[] = []

  constructor(options: StatusWriterOptions) {
    this.#options = options
  }

  set(ref: ObjectRef, condition: Condition): void {
    const key = objectName(ref)
    let pending = this.#pending.get(key)
    if (!pending) {
      if (this.#pending.size >= MAX_PENDING) return
      this.#pending.set(key, (pending = { ref, conditions: new Map(), attempts: 0 }))
    }
    pending.conditions.set(condition.type, { ...condition, message: condition.message.slice(0, MAX_MESSAGE) })
    this.#schedule(this.#options.settleMs ?? 500)
  }

  lead(signal: AbortSignal): void {
    this.#leading = true
    signal.addEventListener('abort', () => {
      this.#leading = false
      clearTimeout(this.#timer)
      this.#timer = undefined
    })
    this.#schedule(0)
  }

  idle(): Promise<void> {
    if (this.#pending.size === 0 && !this.#writing) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  stop(): void {
    this.#leading = false
    clearTimeout(this.#timer)
  }

  #schedule(milliseconds: number): void {
    if (!this.#leading || this.#timer || this.#writing) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#writing = this.#next().finally(() => {
        this.#writing = undefined
        if (this.#pending.size > 0) return this.#schedule(this.#options.intervalMs ?? 100)
        for (const resolve of this.#idle.splice(0)) resolve()
      })
    }, milliseconds)
    this.#timer.unref()
  }

  async #next(): Promise<void> {
    const [entry] = this.#pending
    if (!entry) return
    const [key, pending] = entry
    this.#pending.delete(key)
    try {
      await this.#write(pending)
    } catch (error) {
      if (isNotFound(error)) return
      if (++pending.attempts < MAX_ATTEMPTS) {
        // What was set meanwhile is newer than what failed.
        const newer = this.#pending.get(key)
        for (const [type, condition] of newer?.conditions ?? []) pending.conditions.set(type, condition)
        this.#pending.set(key, pending)
        if (isConflict(error)) return
      }
      log.warn(`the status of ${key} could not be written: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async #write({ ref, conditions }: Pending): Promise<void> {
    const type = this.#options.typeOf(ref)
    if (!type) return
    const { client, component } = this.#options
    const object = await client.get(type, ref.namespace, ref.name)
    const { merged, changed } = mergeConditions(object, [...conditions.values()])
    if (changed.length === 0) return
    // The version goes along: conditions are one list, and a write of another controller in between must not be lost.
    const patch = { metadata: { resourceVersion: object.metadata.resourceVersion }, status: { conditions: merged } }
    await client.patch(type, ref.namespace, ref.name, patch, { subresource: 'status' })
    for (const condition of changed) {
      await createEvent(client, object, {
        type: condition.status === 'False' ? 'Warning' : 'Normal',
        reason: condition.reason,
        message: condition.message,
        component,
      })
    }
  }
}

interface StoredCondition extends Condition {
  readonly lastTransitionTime?: string
  readonly observedGeneration?: number | string
  readonly [field: string]: unknown
}

/** The object's conditions with ours in place; those of other writers stay as they are. */
function mergeConditions(object: KubeObject, ours: readonly Condition[]): { merged: StoredCondition[]; changed: readonly Condition[] } {
  const existing = conditionsOf(object)
  const generation = object.metadata.generation
  const changed: Condition[] = []
  const merged = [...existing]
  for (const condition of ours) {
    const index = merged.findIndex((entry) => entry.type === condition.type)
    const before = merged[index]
    const isSame = before?.status === condition.status && before.reason === condition.reason && before.message === condition.message
    if (before && isSame && Number(before.observedGeneration ?? generation) === generation) continue
    if (!isSame) changed.push(condition)
    const stored: StoredCondition = {
      ...condition,
      lastTransitionTime:
        before?.status === condition.status && before.lastTransitionTime
          ? before.lastTransitionTime
          : `${new Date().toISOString().slice(0, 19)}Z`,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    }
    if (index < 0) merged.push(stored)
    else merged[index] = stored
  }
  return { merged, changed }
}

function conditionsOf(object: KubeObject): StoredCondition[] {
  const status: unknown = object.status
  if (typeof status !== 'object' || status === null || !('conditions' in status) || !Array.isArray(status.conditions)) return []
  return status.conditions.filter((entry): entry is StoredCondition => typeof entry === 'object' && entry !== null && 'type' in entry)
}
