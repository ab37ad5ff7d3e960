/**
 * SPDY/3.1 frames, as far as Kubernetes speaks them: streams with headers and data, pings. Both sides of a connection.
 *
 * Enters: bytes of an upgraded connection. Leaves: {@link SpdyStream}s, which are ordinary duplex streams.
 */
import { Duplex } from 'node:stream'
import { constants, createInflate, type Inflate } from 'node:zlib'
import { DICTIONARY } from './dictionary.ts'

const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const HEADERS = 8
const WINDOW_UPDATE = 9
const FLAG_FIN = 1
const MAX_FRAME = 2 ** 20
const MAX_HEADERS = 64 * 1024
const MAX_STREAMS = 512
const CHUNK = 16 * 1024
const WINDOW = 2 ** 31 - 1
/** The start of a zlib stream that is primed with the dictionary (its Adler-32 follows). */
const ZLIB_HEADER = Buffer.from([0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2])
/** An empty block: Go hands data on only when it sees one. */
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff])
/** The longest stored block of zlib. */
const MAX_STORED = 0xffff

/** One stream of a connection. */
export class SpdyStream extends Duplex {
  readonly id: number
  readonly headers: ReadonlyMap<string, string>
  readonly #connection: SpdyConnection
  closedByPeer = false

  constructor(connection: SpdyConnection, id: number, headers: ReadonlyMap<string, string>) {
    super({ allowHalfOpen: true, emitClose: true })
    this.#connection = connection
    this.id = id
    this.headers = headers
  }

  /** Accepts the stream; the client waits for it. */
  reply(): void {
    this.#connection.sendReply(this.id)
  }

  override _read(): void {
    // Data is pushed as it comes; windows are given back at once, memory is bounded by the connection's pause.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // kubectl's SPDY library never sends window updates, so TCP alone slows us down.
    for (let at = 0; at < chunk.length; at += CHUNK) {
      const last = at + CHUNK >= chunk.length
      this.#connection.sendData(this.id, chunk.subarray(at, at + CHUNK), false, last ? () => done() : undefined)
    }
    if (chunk.length === 0) done()
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.sendData(this.id, Buffer.alloc(0), true)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.forget(this.id, error !== null)
    done(error)
  }
}

export interface SpdyHandlers {
  /** The peer has opened a stream. */
  stream(stream: SpdyStream): void
  close(): void
}

interface Opening {
  readonly resolve: (stream: SpdyStream) => void
  readonly reject: (error: Error) => void
}

export class SpdyConnection {
  readonly #socket: Duplex
  readonly #handlers: SpdyHandlers
  readonly #streams = new Map<number, SpdyStream>()
  readonly #inflate: Inflate
  #buffer: Buffer<ArrayBufferLike> = Buffer.alloc(0)
  #closed = false
  #wroteHeaders = false
  #nextId = 1
  readonly #opening = new Map<number, Opening>()
  #work: Promise<void> = Promise.resolve()

  constructor(socket: Duplex, head: Buffer, handlers: SpdyHandlers) {
    this.#socket = socket
    this.#handlers = handlers
    this.#inflate = createInflate({ dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH })
    this.#inflate.on('error', () => this.close())
    // The peer may send without waiting for window updates of ours.
    const settings = Buffer.alloc(20)
    settings.writeUInt16BE(0x8003, 0)
    settings.writeUInt16BE(SETTINGS, 2)
    settings.writeUInt32BE(12, 4)
    settings.writeUInt32BE(1, 8)
    settings.writeUInt32BE(7, 12)
    settings.writeUInt32BE(WINDOW, 16)
    socket.write(settings)
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('close', () => this.close())
    socket.on('error', () => this.close())
    socket.on('end', () => this.close())
    if (head.length > 0) this.#receive(head)
  }

  #receive(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    while (this.#buffer.length >= 8) {
      const length = this.#buffer.readUInt32BE(4) & 0xffffff
      if (length > MAX_FRAME) {
        this.close()
        return
      }
      if (this.#buffer.length < 8 + length) return
      const frame = this.#buffer.subarray(0, 8 + length)
      this.#buffer = this.#buffer.subarray(8 + length)
      // Header blocks are inflated in turn; frames behind them wait.
      this.#work = this.#work.then(() => this.#frame(frame)).catch(() => this.close())
    }
  }

  async #frame(frame: Buffer): Promise<void> {
    const first = frame.readUInt32BE(0)
    const flags = frame.readUInt8(4)
    const body = frame.subarray(8)
    if ((first & 0x80000000) === 0) {
      const stream = this.#streams.get(first)
      if (!stream) return
      if (body.length > 0) {
        stream.push(body)
        this.#windowUpdate(first, body.length)
      }
      if (flags & FLAG_FIN) this.#finished(stream)
      return
    }
    switch (first & 0xffff) {
      case SYN_STREAM: {
        const id = body.readUInt32BE(0) & 0x7fffffff
        const headers = await this.#readHeaders(body.subarray(10))
        if (this.#streams.size >= MAX_STREAMS) {
          this.#reset(id, 3)
          return
        }
        const stream = new SpdyStream(this, id, headers)
        stream.on('error', () => undefined)
        this.#streams.set(id, stream)
        this.#handlers.stream(stream)
        if (flags & FLAG_FIN) this.#finished(stream)
        break
      }
      case SYN_REPLY:
        this.#accepted(body.readUInt32BE(0) & 0x7fffffff)
        break
      case HEADERS:
        await this.#readHeaders(body.subarray(4))
        break
      case RST_STREAM: {
        const id = body.readUInt32BE(0) & 0x7fffffff
        this.#refused(id, new Error('the peer refused the stream'))
        const stream = this.#streams.get(id)
        stream?.push(null)
        stream?.destroy()
        break
      }
      case PING:
        // We send none, so that each is the peer's and is sent back.
        this.#control(PING, body)
        break
    }
  }

  /**
   * Opens a stream, as clients do; resolves when the server has accepted it, and not before: what comes earlier is dropped there.
   *
   * @throws Error when the server refuses it or the connection ends
   */
  open(headers: Readonly<Record<string, string>>): Promise<SpdyStream> {
    if (this.#closed) return Promise.reject(new Error('the connection has ended'))
    const id = this.#nextId
    this.#nextId += 2
    const stream = new SpdyStream(this, id, new Map(Object.entries(headers)))
    stream.on('error', () => undefined)
    this.#streams.set(id, stream)
    const head = Buffer.alloc(10)
    head.writeUInt32BE(id, 0)
    this.#control(SYN_STREAM, Buffer.concat([head, this.#headerBlock(Object.entries(headers))]))
    return new Promise((resolve, reject) => this.#opening.set(id, { resolve, reject }))
  }

  #accepted(id: number): void {
    const stream = this.#streams.get(id)
    if (stream) this.#opening.get(id)?.resolve(stream)
    this.#opening.delete(id)
  }

  #refused(id: number, error: Error): void {
    this.#opening.get(id)?.reject(error)
    this.#opening.delete(id)
  }

  /** Headers are sent stored, not compressed: at once, and with no state to keep. */
  #headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
    const plain = Buffer.concat([uint32(headers.length), ...headers.flat().flatMap(lengthPrefixed)])
    if (plain.length > MAX_STORED) throw new Error('the headers of a stream are too long')
    const stored = Buffer.from([0, 0, 0, 0, 0])
    stored.writeUInt16LE(plain.length, 1)
    stored.writeUInt16LE(0xffff - plain.length, 3)
    const first = !this.#wroteHeaders
    this.#wroteHeaders = true
    return Buffer.concat([...(first ? [ZLIB_HEADER] : []), stored, plain, FLUSH])
  }

  #finished(stream: SpdyStream): void {
    stream.closedByPeer = true
    stream.push(null)
  }

  async #readHeaders(block: Buffer): Promise<Map<string, string>> {
    const plain = await new Promise<Buffer>((resolve, reject) => {
      const chunks: Buffer[] = []
      let size = 0
      const onData = (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_HEADERS) reject(new Error('headers too large'))
        else chunks.push(chunk)
      }
      this.#inflate.on('data', onData)
      this.#inflate.write(block, () => {
        this.#inflate.off('data', onData)
        resolve(Buffer.concat(chunks))
      })
    })
    const headers = new Map<string, string>()
    let at = 4
    const text = () => {
      const length = plain.readUInt32BE(at)
      const value = plain.subarray(at + 4, at + 4 + length).toString('utf8')
      at += 4 + length
      return value
    }
    const count = Math.min(plain.readUInt32BE(0), 256)
    for (let i = 0; i < count; i++) {
      const name = text().toLowerCase()
      headers.set(name, text().split('\0')[0] ?? '')
    }
    return headers
  }

  #control(type: number, body: Buffer, flags = 0): void {
    if (this.#closed) return
    const head = Buffer.alloc(8)
    head.writeUInt16BE(0x8003, 0)
    head.writeUInt16BE(type, 2)
    head.writeUInt32BE(body.length, 4)
    head.writeUInt8(flags, 4)
    this.#socket.write(Buffer.concat([head, body]))
  }

  #windowUpdate(id: number, bytes: number): void {
    const body = Buffer.alloc(8)
    body.writeUInt32BE(id, 0)
    body.writeUInt32BE(bytes, 4)
    this.#control(WINDOW_UPDATE, body)
  }

  #reset(id: number, status: number): void {
    const body = Buffer.alloc(8)
    body.writeUInt32BE(id, 0)
    body.writeUInt32BE(status, 4)
    this.#control(RST_STREAM, body)
  }

  sendReply(id: number): void {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(id, 0)
    this.#control(SYN_REPLY, Buffer.concat([head, this.#headerBlock([])]))
  }

  sendData(id: number, data: Buffer, fin: boolean, done?: () => void): void {
    if (this.#closed) {
      done?.()
      return
    }
    const head = Buffer.alloc(8)
    head.writeUInt32BE(id, 0)
    head.writeUInt32BE(data.length, 4)
    head.writeUInt8(fin ? FLAG_FIN : 0, 4)
    this.#socket.write(head)
    this.#socket.write(data, () => done?.())
  }

  forget(id: number, failed: boolean): void {
    if (this.#streams.delete(id) && failed) this.#reset(id, 5)
  }

  /** Ends the connection once what was written is on its way. */
  end(): void {
    if (!this.#closed) this.#socket.end()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const id of [...this.#opening.keys()]) this.#refused(id, new Error('the connection ended'))
    for (const stream of [...this.#streams.values()]) {
      stream.push(null)
      stream.destroy()
    }
    this.#inflate.close()
    this.#socket.destroy()
    this.#handlers.close()
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value, 0)
  return bytes
}

function lengthPrefixed(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  return [uint32(bytes.length), bytes]
}
