/**
 * One client: its gRPC call, its session with the source, its subscriptions. Requests come in as bytes and change subscriptions;
 * the order of pushes decides what goes out; the transport's back-pressure decides when.
 */
import { type ServerDuplexStream, status as Status } from '@grpc/grpc-js'
import { TYPE_URL } from '@lateen/envoy'
import { type DeltaRequest, readDeltaRequest, readSotwRequest, type SotwRequest } from '../protocol/messages.ts'
import { WireError } from '../protocol/wire.ts'
import type { PeerIdentity, ResourceSource, Session, XdsNode } from '../resource-source.ts'
import type { TransitBudget } from './admission.ts'
import type { XdsLimits } from './limits.ts'
import type { XdsObserver } from './observer.ts'
import { PushOrder } from './push-order.ts'
import { DeltaEncoder, SotwEncoder } from './responses.ts'
import { type ConnectionStatus, TypeRecord } from './status.ts'
import { type Outgoing, type SharedState, Subscription } from './subscription.ts'

/** Small responses may be under way together up to so many bytes before the stream waits for the transport. */
const WRITE_AHEAD_BYTES = 64 << 10

export interface StreamContext {
  readonly source: ResourceSource
  readonly shared: SharedState
  readonly limits: XdsLimits
  readonly observer: XdsObserver
  readonly budget: TransitBudget
  /** What Envoy shows as `control_plane.identifier`. */
  readonly identifier: string
  /** Has the stream's `flush` called soon. */
  schedule(stream: XdsStream): void
  /** Has `flush` called when large responses may be made again. */
  waitForBudget(stream: XdsStream): void
  now(): number
}

/** Ends a stream with a gRPC status. */
export class StreamError extends Error {
  readonly code: Status

  constructor(code: Status, message: string) {
    super(message)
    this.code = code
  }
}

export interface StreamIdentity {
  readonly id: string
  readonly node: XdsNode
  readonly peer: PeerIdentity
  readonly delta: boolean
}

export class XdsStream {
  readonly identity: StreamIdentity
  readonly #call: ServerDuplexStream<Buffer, Buffer>
  readonly #context: StreamContext
  readonly #session: Session
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #records = new Map<string, TypeRecord>()
  readonly #order: PushOrder
  readonly #connectedAt: number
  #unwritten = 0
  #changedAt = 0
  #closed = false

  /** @throws SessionRefused when the source does not take the node */
  constructor(identity: StreamIdentity, call: ServerDuplexStream<Buffer, Buffer>, context: StreamContext) {
    this.identity = identity
    this.#call = call
    this.#context = context
    this.#connectedAt = context.now()
    const options = { vhds: identity.delta && takesVirtualHosts(identity.node) }
    this.#session = context.source.open(identity.node, identity.peer, options, () => this.#sourceChanged())
    this.#order = new PushOrder({
      subscriptions: this.#subscriptions,
      resources: (typeUrl) => this.#session.resources(typeUrl),
      ready: () => this.#ready(),
      send: (subscription, outgoing) => this.#send(subscription, outgoing),
      now: () => context.now(),
    })
  }

  /**
   * Takes one request.
   *
   * @throws StreamError, WireError when the stream must end
   */
  receive(message: Buffer): void {
    const request = this.identity.delta ? readDeltaRequest(message) : readSotwRequest(message)
    if (this.#context.source.reported?.(this.#session, request.typeUrl, request.error?.message)) return
    const subscription = this.#subscription(request.typeUrl)
    if ('subscribe' in request) this.#receiveDelta(subscription, request)
    else this.#receiveSotw(subscription, request)
    const { maxNames } = this.#context.limits
    if (subscription.names.size > maxNames) {
      throw new StreamError(Status.RESOURCE_EXHAUSTED, `more than ${maxNames} names of ${request.typeUrl} are subscribed to`)
    }
    this.#context.schedule(this)
  }

  /** Sends whatever is due. */
  flush(): void {
    if (this.#closed) return
    this.#order.run()
    this.#clearErrors()
    if (this.#changedAt === 0 || !this.#order.idle) return
    this.#context.observer.converged?.({ nodeId: this.identity.node.id, milliseconds: this.#context.now() - this.#changedAt })
    this.#changedAt = 0
  }

  /** Ends the session; the call itself is ended by whoever calls this. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#session.close()
    this.#subscriptions.clear()
  }

  status(): ConnectionStatus {
    const { id, node, peer, delta } = this.identity
    const isSettled = () => this.#changedAt === 0 && this.#order.idle
    const types = Array.from(this.#subscriptions, ([typeUrl, subscription]) => {
      const record = this.#records.get(typeUrl) ?? new TypeRecord()
      return record.status(typeUrl, subscription)
    })
    return {
      id,
      node,
      identities: peer.identities,
      address: peer.address,
      encrypted: peer.encrypted,
      delta,
      connectedAt: this.#connectedAt,
      // Asked of few, while all are counted often.
      get settled() {
        return isSettled()
      },
      types,
    }
  }

  #sourceChanged(): void {
    if (this.#changedAt === 0) this.#changedAt = this.#context.now()
    this.#context.schedule(this)
  }

  #subscription(typeUrl: string): Subscription {
    const known = this.#subscriptions.get(typeUrl)
    if (known) return known
    if (typeUrl === '') throw new StreamError(Status.INVALID_ARGUMENT, 'the request names no type_url')
    if (this.#subscriptions.size >= this.#context.limits.maxTypes) {
      throw new StreamError(Status.RESOURCE_EXHAUSTED, `more than ${this.#context.limits.maxTypes} types are subscribed to`)
    }
    const { shared, identifier } = this.#context
    const encoder = this.identity.delta
      ? new DeltaEncoder(typeUrl, shared.pushes, identifier)
      : new SotwEncoder(typeUrl, shared.pushes, identifier)
    const made = new Subscription(typeUrl, encoder, shared)
    this.#subscriptions.set(typeUrl, made)
    this.#records.set(typeUrl, new TypeRecord())
    return made
  }

  #receiveDelta(subscription: Subscription, request: DeltaRequest): void {
    if (request.nonce !== '') this.#answered(subscription, request)
    // A first request tells what the client holds; a later one that it holds nothing, nor virtual hosts, under these names.
    if (request.typeUrl === TYPE_URL.RDS && !subscription.fresh) this.#order.routesAsked(request.subscribe)
    subscription.requestDelta(request)
  }

  #receiveSotw(subscription: Subscription, request: SotwRequest): void {
    // A request with an old nonce crossed a response on its way; the client repeats it, with the names, when it answers that.
    if (request.nonce !== '' && !this.#answered(subscription, request) && subscription.sentCount > 0) return
    subscription.requestSotw(request)
  }

  /** @returns whether the request speaks of the last response */
  #answered(subscription: Subscription, request: DeltaRequest | SotwRequest): boolean {
    const { typeUrl } = subscription
    const record = this.#records.get(typeUrl)
    const answer = subscription.answer(request.nonce, request.error)
    if (answer.kind === 'stale') return record?.nonceSent === request.nonce
    const { observer, source } = this.#context
    const nodeId = this.identity.node.id
    const now = this.#context.now()
    record?.answered(request.nonce, request.error?.message, now)
    if (answer.kind === 'accepted') {
      observer.accepted?.({ nodeId, typeUrl, milliseconds: now - answer.sentAt })
      if (!subscription.refusing && record?.error === '') source.accepted(this.#session, typeUrl)
    } else {
      const message = request.error?.message ?? ''
      observer.rejected?.({ nodeId, typeUrl, message })
      if (answer.culprits.length > 0) source.rejected({ session: this.#session, typeUrl, names: answer.culprits, message })
    }
    return true
  }

  // What was refused has been replaced or has gone, perhaps without a word to the client, who never held it.
  #clearErrors(): void {
    for (const [typeUrl, record] of this.#records) {
      const subscription = this.#subscriptions.get(typeUrl)
      if (record.error === '' || !subscription || subscription.refusing || subscription.busy) continue
      record.error = ''
      this.#context.source.accepted(this.#session, typeUrl)
    }
  }

  #ready(): boolean {
    if (this.#closed || this.#unwritten > WRITE_AHEAD_BYTES) return false
    if (this.#context.budget.open) return true
    this.#context.waitForBudget(this)
    return false
  }

  #send(subscription: Subscription, outgoing: Outgoing): void {
    const { observer, budget } = this.#context
    const { typeUrl } = subscription
    const bytes = outgoing.body.length
    this.#records.get(typeUrl)?.sent(outgoing.nonce, this.#context.now())
    this.#unwritten += bytes
    const left = budget.take(bytes)
    this.#call.once('close', left)
    this.#call.write(outgoing.body, () => {
      this.#call.off('close', left)
      left()
      const waited = this.#unwritten > WRITE_AHEAD_BYTES
      this.#unwritten -= bytes
      if (waited && !this.#closed) this.#context.schedule(this)
    })
    observer.pushed?.({ nodeId: this.identity.node.id, typeUrl, resources: outgoing.changed.length, bytes })
  }
}

/** Virtual hosts apart from route configurations came to Envoy with 1.20; other clients of the protocol do not know them. */
function takesVirtualHosts(node: XdsNode): boolean {
  if (node.userAgentName !== 'envoy') return false
  const [major = 0, minor = 0] = node.userAgentVersion.split('.').map(Number)
  return major > 1 || (major === 1 && minor >= 20)
}

/** The gRPC status and words with which an error ends a stream. */
export function statusOf(error: unknown): { code: Status; details: string } {
  if (error instanceof StreamError) return { code: error.code, details: error.message }
  if (error instanceof WireError) return { code: Status.INVALID_ARGUMENT, details: `the request cannot be read: ${error.message}` }
  return { code: Status.INTERNAL, details: 'internal error; see the log of the control plane' }
}
