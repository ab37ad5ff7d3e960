/** Splits a byte stream into lines, each of at most a given length: what watches and followed logs consist of. */

/** A line was longer than allowed; the stream cannot be followed any further. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong'
  readonly code = 'LINE_TOO_LONG'
}

/**
 * Yields the lines of each chunk together, so that what arrived together is handled together. A last line without an end is
 * yielded as well when the stream ends.
 *
 * @throws LineTooLong
 */
export async function* readLines(stream: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string[]> {
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  for await (const chunk of stream) {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(10, start); end >= 0; end = chunk.indexOf(10, start)) {
      const tail = chunk.subarray(start, end)
      if (pendingBytes + tail.length > maxBytes) throw new LineTooLong(`a line is longer than ${maxBytes} bytes`)
      lines.push(textOf(pending, tail))
      pending = []
      pendingBytes = 0
      start = end + 1
    }
    if (start < chunk.length) {
      const rest = chunk.subarray(start)
      pendingBytes += rest.length
      if (pendingBytes > maxBytes) throw new LineTooLong(`a line is longer than ${maxBytes} bytes`)
      pending.push(rest)
    }
    const filled = lines.filter((line) => line !== '')
    if (filled.length > 0) yield filled
  }
  if (pendingBytes > 0) yield [textOf(pending, new Uint8Array())]
}

function textOf(pending: readonly Uint8Array[], tail: Uint8Array): string {
  if (pending.length === 0) return Buffer.from(tail.buffer, tail.byteOffset, tail.length).toString('utf8')
  return Buffer.concat([...pending, tail]).toString('utf8')
}
