/** A delta ADS client: holds the resources of some types, in the newest version that its handlers took. */
import { type DeltaResource, readDeltaResponse, writeDeltaRequest } from '../protocol/messages.ts'
import { DELTA_PATH } from '../protocol/service.ts'
import { type Upstream, UpstreamStream } from './upstream-stream.ts'

export interface Subscription {
  readonly typeUrl: string
  /** Names to ask for; without them, everything. */
  readonly names?: readonly string[]
  /**
   * Takes a response. What it throws goes to the control plane as the reason for a refusal, and nothing of the response is kept.
   */
  update(changed: readonly DeltaResource[], removed: readonly string[]): void
}

export interface AdsClientOptions {
  readonly upstream: Upstream
  /** The encoded Node message. */
  readonly node: Buffer
  readonly subscriptions: readonly Subscription[]
  /** Told when the stream comes up and, with the reason, when it goes down. */
  readonly connection?: (state: 'up' | 'down', reason: string) => void
}

export interface AdsClient {
  readonly isUp: boolean
  /** Asks for more names of a type, or lets go of some. */
  change(typeUrl: string, names: { readonly subscribe?: readonly string[]; readonly unsubscribe?: readonly string[] }): void
  /** Versions held of a type, by name. */
  versions(typeUrl: string): ReadonlyMap<string, string>
  close(): void
}

interface TypeState {
  readonly subscription: Subscription
  readonly wildcard: boolean
  readonly names: Set<string>
  readonly versions: Map<string, string>
}

/** Starts a client; it connects, and reconnects, by itself. */
export function createAdsClient(options: AdsClientOptions): AdsClient {
  const types = new Map<string, TypeState>()
  for (const subscription of options.subscriptions) {
    const names = new Set(subscription.names)
    types.set(subscription.typeUrl, { subscription, wildcard: !subscription.names, names, versions: new Map() })
  }
  // Goes with the first request of each stream.
  let node: Buffer | undefined
  const stream = new UpstreamStream(options.upstream, DELTA_PATH, {
    up: () => {
      node = options.node
      for (const [typeUrl, { wildcard, names, versions }] of types) {
        // An empty list of names would mean everything.
        if (!wildcard && names.size === 0) continue
        stream.send(writeDeltaRequest({ typeUrl, node, subscribe: [...names], initialVersions: versions }))
        node = undefined
      }
      options.connection?.('up', '')
    },
    message: (message) => receive(types, stream, message),
    down: (reason) => options.connection?.('down', reason),
  })
  stream.start()
  return {
    get isUp() {
      return stream.isUp
    },
    change: (typeUrl, { subscribe = [], unsubscribe = [] }) => {
      const state = types.get(typeUrl)
      if (!state) throw new Error(`the client was not made for resources of ${typeUrl}`)
      for (const name of subscribe) state.names.add(name)
      for (const name of unsubscribe) {
        state.names.delete(name)
        if (!state.wildcard) state.versions.delete(name)
      }
      if (!stream.isUp) return
      stream.send(writeDeltaRequest({ typeUrl, node, subscribe, unsubscribe }))
      node = undefined
    },
    versions: (typeUrl) => types.get(typeUrl)?.versions ?? new Map(),
    close: () => stream.close(),
  }
}

function receive(types: ReadonlyMap<string, TypeState>, stream: UpstreamStream, message: Buffer): void {
  const { typeUrl, nonce, resources, removed } = readDeltaResponse(message)
  const state = types.get(typeUrl)
  if (!state) return
  try {
    state.subscription.update(resources, removed)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return stream.send(writeDeltaRequest({ typeUrl, nonce, error: { code: 3, message } }))
  }
  for (const { name, version, bytes } of resources) {
    if (bytes) state.versions.set(name, version)
    else state.versions.delete(name)
  }
  for (const name of removed) state.versions.delete(name)
  stream.send(writeDeltaRequest({ typeUrl, nonce }))
}
