/** gRPC's message framing: one byte of flags, four of length, the message. */

/** A message with its prefix. */
export function frame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** The peer sent something that is not gRPC, or too much. */
export class FrameError extends Error {}

/** Cuts a byte stream into messages. */
export class FrameReader {
  readonly #limit: number
  #pending: Buffer = Buffer.alloc(0)

  /** @param limit the largest message accepted, in bytes */
  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * Takes the next bytes and gives the messages that are now complete.
   *
   * @throws FrameError for a compressed message or one over the limit
   */
  push(chunk: Buffer): Buffer[] {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const messages: Buffer[] = []
    while (rest.length >= 5) {
      if (rest[0] !== 0) throw new FrameError('compressed gRPC messages are not supported')
      const length = rest.readUInt32BE(1)
      if (length > this.#limit) throw new FrameError(`a gRPC message of ${length} bytes is over the limit of ${this.#limit}`)
      if (rest.length < 5 + length) break
      messages.push(rest.subarray(5, 5 + length))
      rest = rest.subarray(5 + length)
    }
    this.#pending = rest
    return messages
  }
}
