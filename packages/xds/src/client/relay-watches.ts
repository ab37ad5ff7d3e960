/** Types that the agent wants for itself, such as the name table for DNS: they ride on the proxy's stream but never reach the proxy. */
import { type OutgoingDeltaRequest, readDeltaResponse, writeDeltaRequest } from '../protocol/messages.ts'
import type { Subscription } from './ads-client.ts'
import type { RelayCache } from './relay-cache.ts'
import { type RawResponse, writeRawResponse } from './relay-messages.ts'

export class RelayWatches {
  readonly #subscriptions: ReadonlyMap<string, Subscription>
  readonly #versions = new Map<string, Map<string, string>>()
  readonly #cache: RelayCache

  constructor(subscriptions: readonly Subscription[], cache: RelayCache) {
    this.#subscriptions = new Map(subscriptions.map((subscription) => [subscription.typeUrl, subscription]))
    this.#cache = cache
    for (const { typeUrl } of subscriptions) this.#versions.set(typeUrl, new Map())
  }

  /** Hands out what was kept from an earlier run. What cannot be used any more is asked for anew. */
  restore(): void {
    for (const { typeUrl, update } of this.#subscriptions.values()) {
      const kept = [...(this.#cache.get(typeUrl)?.values() ?? [])]
      if (kept.length === 0) continue
      const response = readDeltaResponse(writeRawResponse({ typeUrl, nonce: '', resources: kept, removed: [] }))
      try {
        update(response.resources, [])
      } catch {
        continue
      }
      for (const { name, version } of kept) this.#versions.get(typeUrl)?.set(name, version)
    }
  }

  /** Requests to send when a stream is up. */
  *requests(): Generator<OutgoingDeltaRequest> {
    for (const [typeUrl, { names = [] }] of this.#subscriptions) {
      yield { typeUrl, subscribe: names, initialVersions: this.#versions.get(typeUrl) ?? new Map() }
    }
  }

  /** Takes a response of a watched type; returns the answer to it, or nothing when the type is not watched. */
  take(raw: RawResponse): Buffer | undefined {
    const { typeUrl, nonce } = raw
    const subscription = this.#subscriptions.get(typeUrl)
    const versions = this.#versions.get(typeUrl)
    if (!subscription || !versions) return undefined
    try {
      const { resources } = readDeltaResponse(writeRawResponse(raw))
      subscription.update(resources, raw.removed)
    } catch (error) {
      return writeDeltaRequest({ typeUrl, nonce, error: { code: 3, message: error instanceof Error ? error.message : String(error) } })
    }
    for (const { name, version } of raw.resources) versions.set(name, version)
    for (const name of raw.removed) versions.delete(name)
    this.#cache.put(typeUrl, raw.resources, raw.removed)
    return writeDeltaRequest({ typeUrl, nonce })
  }
}
