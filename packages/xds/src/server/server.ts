/**
 * The xDS server: aggregated discovery, delta and state of the world, from a ResourceSource to many clients.
 *
 *     const xds = createXdsServer({ source, authenticate })
 *     const { port, stop } = await xds.start({ address: '0.0.0.0:15012', tls: { certificates } })
 */
import { type Metadata, type Server, type ServerDuplexStream, status as Status } from '@grpc/grpc-js'
import { logger } from '@lateen/base'
import { refusalLog } from '@lateen/base/connections'
import { readDeltaRequest, readSotwRequest } from '../protocol/messages.ts'
import { readNode } from '../protocol/node.ts'
import { ADS } from '../protocol/service.ts'
import { type PeerIdentity, type ResourceSource, SessionRefused } from '../resource-source.ts'
import { StreamGate, TransitBudget, WorkQueue } from './admission.ts'
import { type CallerProofs, NO_PROOFS } from './caller-proofs.ts'
import { openGrpcPort } from './grpc-port.ts'
import { peerOf } from './identity.ts'
import { Inquirer, type Inquiries, requestedType } from './inquiries.ts'
import { DEFAULT_LIMITS, type XdsLimits } from './limits.ts'
import { NameInterner } from './names.ts'
import type { XdsObserver } from './observer.ts'
import { PushCache } from './pushes.ts'
import type { ConnectionStatus } from './status.ts'
import { type StreamContext, StreamError, statusOf, XdsStream } from './stream.ts'
import type { CertificateStore } from './tls.ts'

const log = logger('ads')
const tellRefusal = refusalLog(log, 'refused a stream')

/** How long an encoded response is kept for streams that have yet to be sent it. */
const KEEP_PUSHES_MS = 5000

type Call = ServerDuplexStream<Buffer, Buffer>

interface CallKind {
  readonly delta: boolean
  readonly encrypted: boolean
  readonly proofs: CallerProofs
}

export interface XdsServerOptions {
  readonly source: ResourceSource
  /**
   * Completes what the transport has proven, for example with a verified bearer token from the metadata. May refuse with
   * SessionRefused. Without it, the transport's word is taken.
   */
  readonly authenticate?: (metadata: Metadata, peer: PeerIdentity) => Promise<PeerIdentity>
  /** What may be asked besides subscriptions. */
  readonly inquiries?: Inquiries
  readonly observer?: XdsObserver
  readonly limits?: Partial<XdsLimits>
  /** What Envoy shows as `control_plane.identifier`. */
  readonly identifier?: string
}

export interface StartOptions {
  /** `host:port` or `unix:/path`; port 0 takes a free one. */
  readonly address: string
  /** With TLS; client certificates are asked for, and verified when there are any. */
  readonly tls?: { readonly certificates: CertificateStore }
}

export interface RunningListener {
  readonly port: number
  stop(graceMs: number): Promise<void>
}

export interface XdsServer {
  /** Adds the service to a gRPC server that has others as well. `encrypted`: all its listeners have TLS. `proofs`: told who has proven. */
  register(server: Server, options: { readonly encrypted: boolean; readonly proofs?: CallerProofs }): void
  /** Starts a gRPC server with this service alone. @throws Error naming the address when it cannot be listened on */
  start(options: StartOptions): Promise<RunningListener>
  connections(): ConnectionStatus[]
  /** Ends all streams and listeners. Streams are told to go away, and cut after the time given. */
  close(options: { readonly graceMs: number }): Promise<void>
}

/** Options for a gRPC server that carries the service, from the limits. */
export function grpcServerOptions(limits: Partial<XdsLimits> = {}): Record<string, number> {
  const all = { ...DEFAULT_LIMITS, ...limits }
  return {
    'grpc.max_receive_message_length': all.maxRequestBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': all.maxStreamsPerConnection,
    'grpc.keepalive_time_ms': all.keepaliveMs,
    'grpc.keepalive_timeout_ms': all.keepaliveTimeoutMs,
    // Statistics that nobody reads would cost work on each message.
    'grpc.enable_channelz': 0,
  }
}

export function createXdsServer(options: XdsServerOptions): XdsServer {
  return new AdsServer(options)
}

class AdsServer implements XdsServer {
  readonly #options: XdsServerOptions
  readonly #limits: XdsLimits
  readonly #context: StreamContext
  readonly #gate: StreamGate
  readonly #pushes = new PushCache({ keepMs: KEEP_PUSHES_MS })
  readonly #streams = new Map<Call, XdsStream>()
  readonly #inquirers = new Map<Call, Inquirer>()
  readonly #calls = new Set<Call>()
  readonly #waiting = new Set<XdsStream>()
  readonly #listeners = new Set<RunningListener>()
  #connections = 0
  #closing = false

  constructor(options: XdsServerOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#gate = new StreamGate(this.#limits)
    const queue = new WorkQueue<XdsStream>((stream) => this.#flush(stream))
    this.#context = {
      source: options.source,
      shared: { names: new NameInterner(), pushes: this.#pushes },
      limits: this.#limits,
      observer: options.observer ?? {},
      identifier: options.identifier ?? '',
      budget: new TransitBudget(this.#limits.maxBytesInTransit, () => {
        for (const stream of this.#waiting) queue.add(stream)
        this.#waiting.clear()
      }),
      schedule: (stream) => queue.add(stream),
      waitForBudget: (stream) => void this.#waiting.add(stream),
      now: Date.now,
    }
  }

  register(server: Server, { encrypted, proofs = NO_PROOFS }: { readonly encrypted: boolean; readonly proofs?: CallerProofs }): void {
    server.addService(ADS, {
      deltaAggregatedResources: (call: Call) => this.#accept(call, { delta: true, encrypted, proofs }),
      streamAggregatedResources: (call: Call) => this.#accept(call, { delta: false, encrypted, proofs }),
    })
  }

  async start({ address, tls }: StartOptions): Promise<RunningListener> {
    const opening = openGrpcPort({
      address: address.startsWith('unix:') ? { path: address.slice('unix:'.length) } : hostAndPort(address),
      ...(tls ? { tls } : {}),
      serverOptions: grpcServerOptions(this.#limits),
      register: (server, proofs) => this.register(server, { encrypted: tls !== undefined, proofs }),
    })
    const opened = await opening.catch((error: Error) => {
      throw new Error(`xDS: cannot listen on ${address}: ${error.message}`, { cause: error })
    })
    const listener: RunningListener = {
      port: opened.port,
      stop: (graceMs) => {
        this.#listeners.delete(listener)
        return opened.close(graceMs)
      },
    }
    this.#listeners.add(listener)
    return listener
  }

  connections(): ConnectionStatus[] {
    return Array.from(this.#streams.values(), (stream) => stream.status())
  }

  async close({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#closing = true
    this.#gate.close()
    this.#pushes.close()
    for (const call of [...this.#calls]) this.#end(call, Status.UNAVAILABLE, 'the control plane is shutting down')
    await Promise.all([...this.#listeners].map((listener) => listener.stop(graceMs)))
  }

  #accept(call: Call, kind: CallKind): void {
    this.#calls.add(call)
    const late = setTimeout(() => {
      this.#refuse(call, Status.DEADLINE_EXCEEDED, `no request within ${this.#limits.firstRequestMs} ms`)
    }, this.#limits.firstRequestMs)
    let opening = false
    const onData = (message: Buffer) => {
      const stream = this.#inquirers.get(call) ?? this.#streams.get(call)
      if (stream) return this.#receive(call, stream, message)
      if (opening) return
      opening = true
      clearTimeout(late)
      // Nothing more is read before it is known who is talking.
      call.pause()
      const waited = kind.proofs.examine(call.getPeer())
      this.#gate.enter(() => {
        waited()
        void this.#open(call, message, kind)
      })
    }
    call.on('data', onData)
    call.once('end', () => this.#end(call, Status.OK, 'the client has ended the stream'))
    call.once('cancelled', () => this.#forget(call, 'the connection was closed'))
    call.once('error', () => this.#forget(call, 'the connection broke'))
    call.once('close', () => {
      clearTimeout(late)
      this.#forget(call, 'the stream was closed')
    })
  }

  async #open(call: Call, message: Buffer, kind: CallKind): Promise<void> {
    if (this.#closing || !this.#calls.has(call)) return
    const { delta } = kind
    try {
      if (this.#options.inquiries?.takes(requestedType(message, delta ? 'delta' : 'sotw'))) {
        return await this.#openInquirer(this.#options.inquiries, call, message, kind)
      }
      const first = delta ? readDeltaRequest(message) : readSotwRequest(message)
      if (!first.node) throw new StreamError(Status.INVALID_ARGUMENT, 'the first request of a stream must say which node it comes from')
      const node = readNode(first.node, { maxBytes: this.#limits.maxNodeBytes, maxDepth: this.#limits.maxNodeDepth })
      const peer = await this.#authenticate(call, kind)
      if (!this.#calls.has(call)) return
      this.#connections += 1
      const stream = new XdsStream({ id: `${node.id}-${this.#connections}`, node, peer, delta }, call, this.#context)
      this.#streams.set(call, stream)
      this.#context.observer.connected?.({ connection: stream.identity.id, nodeId: node.id })
      log.debug('connected', { connection: stream.identity.id, address: peer.address, delta })
      this.#receive(call, stream, message)
      call.resume()
    } catch (error) {
      if (error instanceof SessionRefused) return this.#refuse(call, Status.PERMISSION_DENIED, error.message)
      const { code, details } = statusOf(error)
      if (code === Status.INTERNAL) log.error('a stream could not be opened', { error })
      this.#refuse(call, code, details)
    }
  }

  /** @throws SessionRefused */
  async #authenticate(call: Call, { encrypted, proofs }: CallKind): Promise<PeerIdentity> {
    const shown = peerOf(call, encrypted)
    const examined = proofs.examine(call.getPeer())
    try {
      const peer = (await this.#options.authenticate?.(call.metadata, shown)) ?? shown
      proofs.prove(call.getPeer())
      return peer
    } finally {
      examined()
    }
  }

  async #openInquirer(inquiries: Inquiries, call: Call, message: Buffer, kind: CallKind): Promise<void> {
    const peer = await this.#authenticate(call, kind)
    if (!this.#calls.has(call)) return
    const { identifier } = this.#context
    const { delta } = kind
    const inquirer = new Inquirer(inquiries, call, { peer, delta, identifier }, (error) => this.#fail(call, inquirer, error))
    this.#inquirers.set(call, inquirer)
    this.#receive(call, inquirer, message)
    call.resume()
  }

  #receive(call: Call, stream: XdsStream | Inquirer, message: Buffer): void {
    try {
      stream.receive(message)
    } catch (error) {
      this.#fail(call, stream, error)
    }
  }

  #flush(stream: XdsStream): void {
    try {
      stream.flush()
    } catch (error) {
      for (const [call, known] of this.#streams) if (known === stream) this.#fail(call, stream, error)
    }
  }

  #fail(call: Call, stream: XdsStream | Inquirer, error: unknown): void {
    if (error instanceof SessionRefused) return this.#refuse(call, Status.PERMISSION_DENIED, error.message)
    const { code, details } = statusOf(error)
    const connection = stream instanceof XdsStream ? stream.identity.id : `questions of ${call.getPeer()}`
    log.error('a stream was ended', { connection, reason: error instanceof Error ? error.message : String(error) })
    this.#end(call, code, details)
  }

  #refuse(call: Call, code: Status, reason: string): void {
    this.#context.observer.refused?.({ address: call.getPeer(), reason })
    tellRefusal(call.getPeer(), reason)
    this.#end(call, code, reason)
  }

  #end(call: Call, code: Status, details: string): void {
    this.#forget(call, details)
    if (code === Status.OK) call.end()
    else call.emit('error', Object.assign(new Error(details), { code, details }))
  }

  #forget(call: Call, reason: string): void {
    this.#calls.delete(call)
    this.#inquirers.delete(call)
    const stream = this.#streams.get(call)
    if (!stream) return
    this.#streams.delete(call)
    this.#waiting.delete(stream)
    stream.close()
    const { id, node } = stream.identity
    this.#context.observer.disconnected?.({ connection: id, nodeId: node.id, reason })
    log.debug('disconnected', { connection: id, reason })
  }
}

/** `127.0.0.1:15010`, `[::1]:0`. */
function hostAndPort(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}
