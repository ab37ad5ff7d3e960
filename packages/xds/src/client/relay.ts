/**
 * The agent's relay between Envoy and the control plane.
 *
 *     Envoy ── unix socket ── XdsRelay ── TLS ── control plane
 *                                └── last accepted configuration, in memory and on disk
 *
 * It speaks the protocol at the wire level only, so an agent needs none of Envoy's messages. A control plane that is away is
 * hidden from Envoy: its stream stays up, and a restarted Envoy is configured from what the last one had accepted.
 */
import { unlink } from 'node:fs/promises'
import { Server, ServerCredentials, type ServerDuplexStream, status as Status } from '@grpc/grpc-js'
import { logger } from '@lateen/base'
import { TYPE_URL } from '@lateen/envoy'
import type { ErrorDetail, OutgoingDeltaRequest } from '../protocol/messages.ts'
import { ADS, DELTA_PATH } from '../protocol/service.ts'
import { RelayCache } from './relay-cache.ts'
import { RelayStream } from './relay-stream.ts'
import { RelayWatches, type Watch } from './relay-watches.ts'
import { type Upstream, UpstreamStream } from './upstream-stream.ts'

const log = logger('xdsproxy')

/** A control plane that was reached gets so many times longer to answer: it may be busy with many proxies at once. */
const SILENCE_FACTOR = 5

type Call = ServerDuplexStream<Buffer, Buffer>

export interface XdsRelayOptions {
  /** Where Envoy connects to: `unix:/path`, or `host:port`. */
  readonly listen: string
  readonly upstream: Upstream
  /** Where the last accepted configuration is kept; without it, in memory only. Secrets are never written. */
  readonly cacheFile?: string
  /** Largest such file; default 64 MiB. */
  readonly cacheBytes?: number
  /** Types that the agent takes for itself. */
  readonly watches?: readonly Watch[]
  /** What becomes of Envoy's Node message on its way; default: nothing. */
  readonly rewriteNode?: (node: Buffer) => Buffer
  /** How long Envoy waits for a control plane that does not answer before the cache answers; default 1000 ms. */
  readonly fallbackMs?: number
  /** Largest request of Envoy; default 16 MiB, for on a reconnect it lists all that it holds. */
  readonly maxRequestBytes?: number
}

export interface RelayStatus {
  /** Whether Envoy has a stream open. */
  readonly proxyConnected: boolean
  /** Whether the control plane has been reached for it. */
  readonly upstreamConnected: boolean
  /** Why not, when not. */
  readonly reason: string
  /** Resources that Envoy holds, by type URL. */
  readonly held: ReadonlyMap<string, number>
}

interface Connection {
  readonly stream: RelayStream
  readonly upstream: UpstreamStream
}

export class XdsRelay {
  readonly #options: XdsRelayOptions
  readonly #cache: RelayCache
  readonly #watches: RelayWatches
  readonly #connections = new Map<Call, Connection>()
  readonly #reports = new Map<string, OutgoingDeltaRequest>()
  readonly #server: Server
  #reason = ''

  constructor(options: XdsRelayOptions) {
    this.#options = options
    const { cacheFile: file, cacheBytes: maxBytes } = options
    this.#cache = new RelayCache({ ...(file ? { file } : {}), ...(maxBytes ? { maxBytes } : {}), memoryOnly: new Set([TYPE_URL.SDS]) })
    this.#watches = new RelayWatches(options.watches ?? [], this.#cache)
    this.#server = new Server({
      'grpc.max_receive_message_length': options.maxRequestBytes ?? 16 << 20,
      'grpc.max_send_message_length': -1,
      'grpc.enable_channelz': 0,
    })
    this.#server.addService(
      { deltaAggregatedResources: ADS.deltaAggregatedResources },
      { deltaAggregatedResources: (call: Call) => this.#accept(call) },
    )
  }

  /** Reads the cache and listens. @returns the port, for an address with one. @throws Error naming the address */
  async start(): Promise<number> {
    await this.#cache.load()
    this.#watches.restore()
    const { listen } = this.#options
    // A socket left behind by a predecessor would be "in use".
    if (listen.startsWith('unix:')) await unlink(listen.slice('unix:'.length)).catch(() => undefined)
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(listen, ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(new Error(`xDS relay: cannot listen on ${listen}: ${error.message}`, { cause: error }))
        else resolve(port)
      })
    })
  }

  status(): RelayStatus {
    const [connection] = this.#connections.values()
    const upstreamConnected = connection?.upstream.isUp ?? false
    return {
      proxyConnected: connection !== undefined,
      upstreamConnected,
      reason: upstreamConnected ? '' : this.#reason,
      held: connection?.stream.held() ?? new Map(),
    }
  }

  /** Tells the control plane something about this client, now and on each stream to come; a later report of a type replaces it. */
  report(typeUrl: string, error?: ErrorDetail): void {
    const report = { typeUrl, ...(error && { error }) }
    this.#reports.set(typeUrl, report)
    for (const { stream } of this.#connections.values()) stream.report(report)
  }

  /** Connects to the control plane anew, for example after the agent's certificate was replaced. */
  reconnect(): void {
    for (const { upstream } of this.#connections.values()) upstream.reconnect()
  }

  /** Ends all streams and writes what is still to be written. */
  async close(): Promise<void> {
    for (const [call, { upstream }] of this.#connections) {
      upstream.close()
      call.end()
    }
    this.#connections.clear()
    this.#server.forceShutdown()
    await this.#cache.close()
  }

  #accept(call: Call): void {
    const connection = this.#connect(call)
    this.#connections.set(call, connection)
    const { stream, upstream } = connection
    const { fallbackMs = 1000 } = this.#options
    const unreachable = setTimeout(() => upstream.isUp || stream.away(), fallbackMs)
    const silent = setTimeout(() => stream.heard || stream.away(), fallbackMs * SILENCE_FACTOR)
    const end = () => {
      clearTimeout(unreachable)
      clearTimeout(silent)
      if (!this.#connections.delete(call)) return
      upstream.close()
      call.end()
    }
    call.on('data', (message: Buffer) => this.#guard(call, () => stream.request(message)))
    call.once('end', end)
    call.once('cancelled', end)
    call.once('error', end)
    call.once('close', end)
    upstream.start()
  }

  #connect(call: Call): Connection {
    const upstream = new UpstreamStream(this.#options.upstream, DELTA_PATH, {
      up: () => {
        this.#reason = ''
        log.info('connected to the control plane', { address: this.#options.upstream.address })
        stream.up()
      },
      message: (message) => this.#guard(call, () => stream.response(message)),
      down: (reason) => {
        if (reason !== this.#reason) log.warn('the control plane is away; Envoy keeps what it has', { reason })
        this.#reason = reason
        stream.away()
      },
    })
    const stream = new RelayStream({
      cache: this.#cache,
      watches: this.#watches,
      reports: this.#reports,
      upstream,
      respond: (message) => void call.write(message),
      rewriteNode: this.#options.rewriteNode ?? ((node) => node),
    })
    return { stream, upstream }
  }

  #guard(call: Call, work: () => void): void {
    try {
      work()
    } catch (error) {
      log.error('a message could not be relayed; the stream is started anew', { error })
      call.emit('error', Object.assign(new Error('a message could not be relayed'), { code: Status.INTERNAL }))
    }
  }
}
