/** A stream to a control plane that comes back by itself: each time it is up, its owner says again what it wants. */
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials as Credentials,
  connectivityState,
  Metadata,
} from '@grpc/grpc-js'
import { passThrough } from '../protocol/service.ts'
import { Backoff, type BackoffOptions } from './backoff.ts'

/** Where the control plane is, and how to prove who one is. */
export interface Upstream {
  /** `host:port` or `unix:/path`. */
  readonly address: string
  /** Made anew for each connection, so that a rotated certificate is used from then on. Without it, plaintext. */
  readonly credentials?: () => ChannelCredentials
  /** Headers of each stream: a bearer token, read anew each time. */
  readonly metadata?: () => Promise<Metadata>
  /** Options of grpc-js, for example `grpc.ssl_target_name_override`. */
  readonly channelOptions?: Readonly<Record<string, string | number>>
  readonly backoff?: BackoffOptions
  /** How long a connection may take before the attempt counts as failed; default 5000 ms. */
  readonly connectTimeoutMs?: number
}

export interface UpstreamEvents {
  /** The stream is up; nothing was sent on it yet. */
  up(): void
  message(message: Buffer): void
  /** The stream is down; another attempt follows. */
  down(reason: string): void
}

const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 200, longestMs: 10_000 }

/** A stream that lived so long was a success, even if no answer came. */
const SETTLED_MS = 10_000

export class UpstreamStream {
  readonly #upstream: Upstream
  readonly #path: string
  readonly #events: UpstreamEvents
  readonly #backoff: Backoff
  #client: Client | undefined
  #call: ClientDuplexStream<Buffer, Buffer> | undefined
  #timer: NodeJS.Timeout | undefined
  #openedAt = 0
  #closed = false

  constructor(upstream: Upstream, path: string, events: UpstreamEvents) {
    this.#upstream = upstream
    this.#path = path
    this.#events = events
    this.#backoff = new Backoff(upstream.backoff ?? DEFAULT_BACKOFF)
  }

  get isUp(): boolean {
    return this.#call !== undefined
  }

  start(): void {
    void this.#attempt()
  }

  /** Sends on the stream that is up; a message for a stream that has just gone down is dropped, and `down` tells of it. */
  send(message: Buffer): void {
    this.#call?.write(message)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#call?.cancel()
    this.#call = undefined
    this.#client?.close()
    this.#client = undefined
  }

  /** Gives up the present connection and makes another, for example with a new address or certificate. */
  reconnect(): void {
    this.#fail(this.#call, 'reconnecting')
  }

  async #attempt(): Promise<void> {
    const { address, credentials, metadata, channelOptions, connectTimeoutMs = 5000 } = this.#upstream
    try {
      const client = new Client(address, credentials?.() ?? Credentials.createInsecure(), {
        'grpc.max_receive_message_length': -1,
        'grpc.keepalive_time_ms': 30_000,
        'grpc.keepalive_timeout_ms': 10_000,
        // Connections are not shared between owners: each has its own credentials and its own idea of when to start anew.
        'grpc.use_local_subchannel_pool': 1,
        'grpc.enable_channelz': 0,
        'grpc.enable_retries': 0,
        ...channelOptions,
      })
      this.#client = client
      await ready(client, connectTimeoutMs)
      const headers = (await metadata?.()) ?? new Metadata()
      if (this.#closed || this.#client !== client) return client.close()
      this.#open(client.makeBidiStreamRequest(this.#path, passThrough, passThrough, headers))
    } catch (error) {
      if (!this.#closed) this.#fail(undefined, `${address}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #open(call: ClientDuplexStream<Buffer, Buffer>): void {
    this.#call = call
    this.#openedAt = Date.now()
    call.on('data', (message: Buffer) => {
      if (this.#call !== call) return
      this.#backoff.reset()
      this.#events.message(message)
    })
    call.on('error', (error) => this.#fail(call, error.message))
    call.on('end', () => this.#fail(call, 'the control plane has ended the stream'))
    this.#events.up()
  }

  #fail(call: ClientDuplexStream<Buffer, Buffer> | undefined, reason: string): void {
    if (this.#closed || call !== this.#call) return
    if (call && Date.now() - this.#openedAt > SETTLED_MS) this.#backoff.reset()
    this.#call = undefined
    call?.cancel()
    this.#client?.close()
    this.#client = undefined
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#attempt(), this.#backoff.next())
    this.#events.down(reason)
  }
}

// Not `waitForReady`: that goes on trying until its deadline, and hides for seconds that nobody listens.
function ready(client: Client, timeoutMs: number): Promise<void> {
  const channel = client.getChannel()
  const deadline = Date.now() + timeoutMs
  return new Promise((resolve, reject) => {
    const check = (error?: Error) => {
      const state = channel.getConnectivityState(true)
      if (state === connectivityState.READY) resolve()
      else if (error) reject(new Error(`no connection within ${timeoutMs} ms`))
      else if (state === connectivityState.TRANSIENT_FAILURE) reject(new Error('the connection was refused or failed'))
      else if (state === connectivityState.SHUTDOWN) reject(new Error('the client was closed'))
      else channel.watchConnectivityState(state, deadline, check)
    }
    check()
  })
}
