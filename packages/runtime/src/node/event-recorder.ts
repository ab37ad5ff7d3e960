/** Writes Events about objects; the same Event again within a while raises the count of the first one. */
import { randomBytes } from 'node:crypto'
import type { KubeObject } from '@lateen/api'
import { logger } from '@lateen/base'
import type { KubeClient } from '@lateen/kube'
import { messageOf } from '../kube/api-failure.ts'
import { EVENT } from '../kube/kinds.ts'

export type EventType = 'Normal' | 'Warning'

export interface EventTarget {
  readonly object: KubeObject
  /** `spec.containers{name}` for Events about one container. */
  readonly fieldPath?: string
}

const MOST_REMEMBERED = 1000
const SAME_FOR_MS = 10 * 60_000
const MAX_MESSAGE = 1024

interface Remembered {
  readonly name: string
  count: number
  last: number
}

export class EventRecorder {
  readonly #client: KubeClient
  readonly #component: string
  readonly #host: string
  readonly #log = logger('cluster')
  readonly #recent = new Map<string, Remembered>()
  #chain: Promise<void> = Promise.resolve()
  #queued = 0

  constructor(client: KubeClient, component: string, host: string) {
    this.#client = client
    this.#component = component
    this.#host = host
  }

  /** Never waits and never fails: an Event that cannot be written is logged. */
  record(target: EventTarget, type: EventType, reason: string, message: string): void {
    if (this.#queued > 500) return
    this.#queued++
    this.#chain = this.#chain
      .then(() => this.#write(target, type, reason, message.slice(0, MAX_MESSAGE)))
      .catch((error: unknown) => this.#log.debug(`an Event could not be written: ${messageOf(error)}`))
      .finally(() => {
        this.#queued--
      })
  }

  async #write(target: EventTarget, type: EventType, reason: string, message: string): Promise<void> {
    const { object, fieldPath } = target
    const { name, namespace = 'default', uid } = object.metadata
    const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
    const key = [object.kind, namespace, name, uid, fieldPath, type, reason, message].join('\n')
    const known = this.#recent.get(key)
    if (known && Date.now() - known.last < SAME_FOR_MS) {
      known.count++
      known.last = Date.now()
      await this.#client.patch(
        EVENT,
        namespace,
        known.name,
        { count: known.count, lastTimestamp: now },
        { type: 'application/merge-patch+json' },
      )
      return
    }
    const eventName = `${name.slice(0, 200)}.${randomBytes(8).toString('hex')}`
    await this.#client.create(EVENT, {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: eventName, namespace },
      involvedObject: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name,
        namespace: object.metadata.namespace ?? '',
        ...(uid ? { uid } : {}),
        ...(object.metadata.resourceVersion ? { resourceVersion: object.metadata.resourceVersion } : {}),
        ...(fieldPath ? { fieldPath } : {}),
      },
      type,
      reason,
      message,
      count: 1,
      firstTimestamp: now,
      lastTimestamp: now,
      source: { component: this.#component, host: this.#host },
      reportingComponent: this.#component,
      reportingInstance: this.#host,
    })
    if (this.#recent.size >= MOST_REMEMBERED)
      for (const old of [...this.#recent.keys()].slice(0, MOST_REMEMBERED / 2)) this.#recent.delete(old)
    this.#recent.set(key, { name: eventName, count: 1, last: Date.now() })
  }
}
