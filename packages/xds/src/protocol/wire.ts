/**
 * Protobuf's wire format, as far as the discovery protocol needs it. Resources pass through the server and the relay as opaque
 * bytes, so only the few fields around them are ever looked at; the generated messages (and the memory they take in an agent)
 * are not needed for that.
 */

/** Wire types. */
export const VARINT = 0
export const FIXED64 = 1
export const BYTES = 2
export const FIXED32 = 5

/** The message is not valid protobuf, or goes beyond a bound. */
export class WireError extends Error {
  readonly code = 'INVALID_WIRE'
}

/** Reads the fields of one message, one after the other. Nested messages are read by a reader over their bytes. */
export class WireReader {
  readonly buffer: Buffer
  readonly end: number
  at: number
  /** Number and wire type of the field that `next` found. */
  field = 0
  type = 0
  /** For a varint, its low 53 bits; for bytes, start and end of the content. */
  value = 0
  start = 0
  stop = 0

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.buffer = buffer
    this.at = start
    this.end = end
  }

  /** Moves to the next field; `false` at the end of the message. */
  next(): boolean {
    if (this.at >= this.end) return false
    const tag = this.#varint()
    this.field = Math.floor(tag / 8)
    this.type = tag % 8
    if (this.field === 0) throw new WireError('field number 0 is not allowed')
    switch (this.type) {
      case VARINT:
        this.value = this.#varint()
        return true
      case BYTES: {
        const length = this.#varint()
        this.#bytes(length)
        return true
      }
      case FIXED64:
        this.#bytes(8)
        return true
      case FIXED32:
        this.#bytes(4)
        return true
      default:
        throw new WireError(`wire type ${this.type} of field ${this.field} is not known`)
    }
  }

  /** The content of a bytes field as text. */
  text(): string {
    return this.#content().toString('utf8', this.start, this.stop)
  }

  /** The content of a bytes field, not copied. */
  bytes(): Buffer {
    return this.#content().subarray(this.start, this.stop)
  }

  /** A reader over the content of a bytes field. */
  message(): WireReader {
    return new WireReader(this.#content(), this.start, this.stop)
  }

  #content(): Buffer {
    if (this.type !== BYTES) throw new WireError(`field ${this.field} must hold bytes, not wire type ${this.type}`)
    return this.buffer
  }

  #bytes(length: number): void {
    this.start = this.at
    this.stop = this.at + length
    if (this.stop > this.end) throw new WireError(`field ${this.field} is ${length} bytes long, but only ${this.end - this.at} are left`)
    this.at = this.stop
  }

  #varint(): number {
    let result = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) break
      const byte = this.buffer[this.at++] ?? 0
      // Beyond 53 bits precision is lost; nothing that is read here is that large (negative enum values are not told apart).
      result += (byte & 0x7f) * scale
      if (byte < 0x80) return result
      scale *= 128
    }
    throw new WireError('a varint does not end')
  }
}

/** Bytes that a varint takes. */
export function varintSize(value: number): number {
  let size = 1
  while (value >= 128) {
    value = Math.floor(value / 128)
    size++
  }
  return size
}

/** Bytes that a bytes field with a content of `length` takes, for field numbers up to 15. */
export function fieldSize(length: number): number {
  return 1 + varintSize(length) + length
}

/** Writes into a buffer of known size: sizes are computed first, so that nothing is copied twice. Field numbers up to 15. */
export class WireWriter {
  readonly buffer: Buffer
  at = 0

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafe(size)
  }

  varint(value: number): void {
    while (value >= 128) {
      this.buffer[this.at++] = (value % 128) | 0x80
      value = Math.floor(value / 128)
    }
    this.buffer[this.at++] = value
  }

  /** Tag and length; the content of `length` bytes must be written next. */
  header(field: number, length: number): void {
    this.buffer[this.at++] = (field << 3) | BYTES
    this.varint(length)
  }

  /** Fields that are encoded already. */
  raw(content: Uint8Array): void {
    this.buffer.set(content, this.at)
    this.at += content.length
  }

  bytes(field: number, content: Uint8Array): void {
    this.header(field, content.length)
    this.buffer.set(content, this.at)
    this.at += content.length
  }

  text(field: number, content: string): void {
    const length = Buffer.byteLength(content)
    this.header(field, length)
    this.at += this.buffer.write(content, this.at, 'utf8')
  }
}

/** Size of a text field. */
export function textSize(content: string): number {
  return fieldSize(Buffer.byteLength(content))
}
