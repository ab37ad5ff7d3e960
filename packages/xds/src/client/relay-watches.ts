/** Types that the agent wants for itself, such as the name table for DNS: they ride on the proxy's stream but never reach the proxy. */
import { type DeltaResource, type OutgoingDeltaRequest, readDeltaResponse, writeDeltaRequest } from '../protocol/messages.ts'
import type { RelayCache } from './relay-cache.ts'
import { type RawResponse, writeRawResponse } from './relay-messages.ts'

/** One type that the agent takes for itself. */
export interface Watch {
  readonly typeUrl: string
  /** Names to ask for; without them, everything. */
  readonly names?: readonly string[]
  /** The agent is sent everything on each stream, though it may hold it: its acknowledgement is what the control plane waits for. */
  readonly restated?: true
  /**
   * Takes a response. The control plane is told that it was taken once a promise that this returns is fulfilled; what is thrown, or
   * the promise is rejected with, goes there as the reason for a refusal, and nothing of the response is kept.
   */
  update(changed: readonly DeltaResource[], removed: readonly string[]): void | Promise<void>
  /** Takes what was kept from an earlier run, which may be out of date; without it, `update` does. */
  restored?(kept: readonly DeltaResource[]): void
}

export class RelayWatches {
  readonly #subscriptions: ReadonlyMap<string, Watch>
  readonly #versions = new Map<string, Map<string, string>>()
  readonly #cache: RelayCache

  constructor(subscriptions: readonly Watch[], cache: RelayCache) {
    this.#subscriptions = new Map(subscriptions.map((subscription) => [subscription.typeUrl, subscription]))
    this.#cache = cache
    for (const { typeUrl } of subscriptions) this.#versions.set(typeUrl, new Map())
  }

  /** Hands out what was kept from an earlier run. What cannot be used any more is asked for anew. */
  restore(): void {
    for (const { typeUrl, update, restored } of this.#subscriptions.values()) {
      const kept = [...(this.#cache.get(typeUrl)?.values() ?? [])]
      if (kept.length === 0) continue
      const response = readDeltaResponse(writeRawResponse({ typeUrl, nonce: '', resources: kept, removed: [] }))
      try {
        if (restored) restored(response.resources)
        else void update(response.resources, [])
      } catch {
        continue
      }
      for (const { name, version } of kept) this.#versions.get(typeUrl)?.set(name, version)
    }
  }

  /** Requests to send when a stream is up. */
  *requests(): Generator<OutgoingDeltaRequest> {
    for (const [typeUrl, { names = [], restated }] of this.#subscriptions) {
      yield { typeUrl, subscribe: names, initialVersions: (restated ? undefined : this.#versions.get(typeUrl)) ?? new Map() }
    }
  }

  /** Takes a response of a watched type; `answer` is called with the answer to it. @returns whether the type is watched */
  take(raw: RawResponse, answer: (message: Buffer) => void): boolean {
    const { typeUrl, nonce } = raw
    const subscription = this.#subscriptions.get(typeUrl)
    const versions = this.#versions.get(typeUrl)
    if (!subscription || !versions) return false
    const taken = () => {
      for (const { name, version } of raw.resources) versions.set(name, version)
      for (const name of raw.removed) versions.delete(name)
      this.#cache.put(typeUrl, raw.resources, raw.removed)
      answer(writeDeltaRequest({ typeUrl, nonce }))
    }
    const refused = (error: unknown) =>
      answer(writeDeltaRequest({ typeUrl, nonce, error: { code: 3, message: error instanceof Error ? error.message : String(error) } }))
    try {
      const { resources } = readDeltaResponse(writeRawResponse(raw))
      const pending = subscription.update(resources, raw.removed)
      if (pending) void pending.then(taken, refused)
      else taken()
    } catch (error) {
      refused(error)
    }
    return true
  }
}
