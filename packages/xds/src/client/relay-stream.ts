/**
 * One proxy's stream through the relay. While the control plane is there, messages pass through as they are and what the proxy
 * accepts is remembered; while it is away, the proxy is answered from what was remembered. The proxy's own stream stays up all
 * the time, and the control plane is told, when it comes back, what the proxy holds.
 */
import { TYPE_URL } from '@lateen/envoy'
import { culpritsNamed, othersWereApplied } from '../protocol/culprits.ts'
import {
  type DeltaRequest,
  type ErrorDetail,
  type OutgoingDeltaRequest,
  readDeltaRequest,
  writeDeltaRequest,
} from '../protocol/messages.ts'
import type { RelayCache } from './relay-cache.ts'
import { type RawResource, type RawResponse, readRawResponse, writeRawResponse } from './relay-messages.ts'
import type { RelayWatches } from './relay-watches.ts'

/** The side towards the control plane. */
export interface RelayUpstream {
  readonly isUp: boolean
  send(message: Buffer): void
}

export interface RelayStreamOptions {
  readonly cache: RelayCache
  readonly watches: RelayWatches
  /** What the control plane is told of the client itself, on each stream; by type. */
  readonly reports: ReadonlyMap<string, OutgoingDeltaRequest>
  readonly upstream: RelayUpstream
  /** Sends to the proxy. */
  readonly respond: (message: Buffer) => void
  /** What becomes of the proxy's Node message before it is sent on. */
  readonly rewriteNode: (node: Buffer) => Buffer
}

interface Pending {
  readonly response: RawResponse
  /** The upstream stream that it came by; 0 for the cache. */
  readonly epoch: number
}

interface TypeState {
  wildcard: boolean
  readonly names: Set<string>
  /** What the proxy holds, as it has said or accepted: name → version. */
  readonly held: Map<string, string>
  /** Responses that the proxy has not answered, by nonce. */
  readonly pending: Map<string, Pending>
  /** Whether the proxy was sent anything of this type on this stream. */
  answered: boolean
  /** Whether the control plane's first word on this stream was accepted. */
  synced: boolean
}

const PARENT = /^(.*)\//s

export class RelayStream {
  readonly #options: RelayStreamOptions
  readonly #types = new Map<string, TypeState>()
  #node: Buffer | undefined
  #nodeSent = false
  #epoch = 0
  #nonces = 0
  /** Whether the control plane is taken to be away, so that the cache answers. */
  #away = false
  #heard = false

  constructor(options: RelayStreamOptions) {
    this.#options = options
  }

  /** Names held of each type, for status pages. */
  held(): ReadonlyMap<string, number> {
    return new Map(Array.from(this.#types, ([typeUrl, type]) => [typeUrl, type.held.size]))
  }

  /** Takes a request of the proxy. @throws WireError */
  request(message: Buffer): void {
    const request = readDeltaRequest(message)
    if (request.node) this.#node = this.#options.rewriteNode(Buffer.from(request.node))
    const known = this.#types.get(request.typeUrl)
    const type = known ?? this.#newType(request)
    const mine = this.#settle(request, type)
    if (known) subscribe(type, request, (name) => this.#options.cache.put(request.typeUrl, [], [name]))
    if (this.#options.upstream.isUp) this.#forward(message, request, mine)
    if (this.#away) this.#answerFromCache()
  }

  /** The control plane is there: tells it what the proxy asks for and holds. */
  up(): void {
    this.#away = false
    this.#heard = false
    this.#epoch += 1
    this.#nodeSent = false
    for (const [typeUrl, type] of this.#types) {
      if (!type.wildcard && type.names.size === 0) continue
      const names = type.wildcard && type.names.size > 0 ? ['*', ...type.names] : [...type.names]
      this.#send({ typeUrl, subscribe: names, initialVersions: versionsWithPending(type) })
    }
    if (this.#node) this.#startWatches()
  }

  /** Tells the control plane something new; what it cannot be told now, it is told when it is there. */
  report(report: OutgoingDeltaRequest): void {
    if (this.#nodeSent && this.#options.upstream.isUp) this.#send(report)
  }

  /** Whether the control plane has said anything on the present stream to it. */
  get heard(): boolean {
    return this.#heard
  }

  /** The control plane is away, or has been silent for too long. */
  away(): void {
    this.#away = true
    this.#answerFromCache()
  }

  /** Takes a response of the control plane. @throws WireError */
  response(message: Buffer): void {
    const response = readRawResponse(message)
    this.#heard = true
    this.#away = false
    const epoch = this.#epoch
    // An answer that takes its time may come after the stream that it is for.
    const answer = (message: Buffer) => {
      if (epoch === this.#epoch) this.#options.upstream.send(message)
    }
    if (this.#options.watches.take(response, answer)) return
    const type = this.#types.get(response.typeUrl)
    if (type) {
      type.pending.set(response.nonce, { response, epoch: this.#epoch })
      type.answered = true
    }
    this.#options.respond(message)
  }

  #newType(request: DeltaRequest): TypeState {
    const { subscribe: names, initialVersions } = request
    const wildcard = names.length === 0 || names.includes('*')
    const type: TypeState = {
      wildcard,
      names: new Set(names.filter((name) => name !== '*')),
      held: initialVersions.toMap(),
      pending: new Map(),
      answered: initialVersions.size > 0,
      synced: false,
    }
    this.#types.set(request.typeUrl, type)
    return type
  }

  /** @returns whether the request may be sent on with its nonce */
  #settle(request: DeltaRequest, type: TypeState): boolean {
    if (request.nonce === '') return true
    const pending = type.pending.get(request.nonce)
    if (!pending) return false
    type.pending.delete(request.nonce)
    this.#accept(request.typeUrl, type, pending, request.error)
    return pending.epoch === this.#epoch
  }

  #accept(typeUrl: string, type: TypeState, { response, epoch }: Pending, error: ErrorDetail | undefined): void {
    const taken = error ? takenDespite(response, error.message) : response
    for (const resource of taken.resources) {
      if (resource.present) type.held.set(resource.name, resource.version)
      else type.held.delete(resource.name)
    }
    for (const name of taken.removed) type.held.delete(name)
    if (epoch === 0) return
    this.#options.cache.put(typeUrl, taken.resources, taken.removed)
    if (type.synced) return
    type.synced = true
    // What was kept from before, and is not in the first full answer, has gone meanwhile.
    if (type.wildcard) this.#options.cache.keepOnly(typeUrl, (name) => type.held.has(name))
  }

  #forward(message: Buffer, request: DeltaRequest, mine: boolean): void {
    const plain = mine && this.#nodeSent && !request.node
    if (plain) return this.#options.upstream.send(message)
    const { typeUrl, subscribe: added, unsubscribe: dropped, error } = request
    const initialVersions = request.initialVersions.toMap()
    if (mine)
      this.#send({ typeUrl, subscribe: added, unsubscribe: dropped, initialVersions, nonce: request.nonce, ...(error ? { error } : {}) })
    // An answer to an older stream means nothing to this one, but names may have come along with it.
    else if (added.length > 0 || dropped.length > 0) this.#send({ typeUrl, subscribe: added, unsubscribe: dropped })
    if (request.node) this.#startWatches()
  }

  #send(request: OutgoingDeltaRequest): void {
    const first = !this.#nodeSent && this.#node
    this.#nodeSent = true
    this.#options.upstream.send(writeDeltaRequest(first ? { ...request, node: first } : request))
  }

  #startWatches(): void {
    for (const message of this.#options.watches.requests()) this.#send(message)
    for (const report of this.#options.reports.values()) this.#send(report)
  }

  #answerFromCache(): void {
    for (const [typeUrl, type] of this.#types) {
      const cached = this.#options.cache.get(typeUrl)
      if (!cached || type.pending.size > 0) continue
      const resources = Array.from(this.#wanted(typeUrl, type, cached)).filter(
        (resource) => type.held.get(resource.name) !== resource.version,
      )
      if (resources.length === 0 && (type.answered || !type.wildcard)) continue
      this.#nonces += 1
      const response: RawResponse = { typeUrl, nonce: `cache-${this.#nonces}`, resources, removed: [] }
      type.pending.set(response.nonce, { response, epoch: 0 })
      type.answered = true
      this.#options.respond(writeRawResponse(response))
    }
  }

  *#wanted(typeUrl: string, type: TypeState, cached: ReadonlyMap<string, RawResource>): Generator<RawResource> {
    const routes = typeUrl === TYPE_URL.VHDS ? this.#types.get(TYPE_URL.RDS)?.held : undefined
    if (type.wildcard) {
      for (const resource of cached.values()) {
        // Envoy drops virtual hosts of route configurations that it does not have yet.
        if (!routes || routes.has(PARENT.exec(resource.name)?.[1] ?? '')) yield resource
      }
      return
    }
    for (const name of type.names) {
      const resource = cached.get(name)
      if (resource) yield resource
    }
  }
}

function subscribe(type: TypeState, request: DeltaRequest, dropped: (name: string) => void): void {
  for (const name of request.subscribe) {
    if (name === '*') type.wildcard = true
    else type.names.add(name)
  }
  for (const name of request.unsubscribe) {
    if (name === '*') type.wildcard = false
    else if (type.names.delete(name) && !type.wildcard) {
      type.held.delete(name)
      dropped(name)
    }
  }
}

// A response still on its way to the proxy counts as held: it comes from the cache, of which the proxy once accepted everything.
function versionsWithPending(type: TypeState): ReadonlyMap<string, string> {
  const versions = new Map(type.held)
  for (const { response, epoch } of type.pending.values()) {
    if (epoch !== 0) continue
    for (const resource of response.resources) versions.set(resource.name, resource.version)
  }
  return versions
}

function takenDespite(response: RawResponse, message: string): Pick<RawResponse, 'resources' | 'removed'> {
  const culprits = new Set(culpritsNamed(response.resources, message))
  if (culprits.size === 0 || !othersWereApplied(response.typeUrl, message)) return { resources: [], removed: [] }
  return { resources: response.resources.filter((resource) => !culprits.has(resource)), removed: response.removed }
}
