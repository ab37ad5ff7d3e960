/**
 * Protobuf's wire format, as far as the agent's few small messages need it.
 *
 * By hand: loading the generated discovery messages with their descriptors costs 7 MB of memory, which is more than all the
 * rest of the agent's own code.
 */

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

/** A varint of a non-negative integer. */
export function varint(value: number | bigint): Buffer {
  const bytes: number[] = []
  let left = BigInt(value)
  while (left > 0x7fn) {
    bytes.push(Number(left & 0x7fn) | 0x80)
    left >>= 7n
  }
  bytes.push(Number(left))
  return Buffer.from(bytes)
}

/** A length-delimited field: bytes, text or an encoded message. */
export function lengthField(number: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
  return Buffer.concat([varint((number << 3) | LENGTH), varint(bytes.length), bytes])
}

/** A varint field; nothing for zero, which is what absence means. */
export function numberField(number: number, value: number | bigint): Buffer {
  return BigInt(value) === 0n ? Buffer.alloc(0) : Buffer.concat([varint((number << 3) | VARINT), varint(value)])
}

/** The bytes are not a protobuf message. */
export class WireError extends Error {}

export interface WireField {
  readonly number: number
  /** The value of a varint field; 0 for others. */
  readonly varint: bigint
  /** The content of a length-delimited field; empty for others. */
  readonly bytes: Buffer
}

/**
 * The fields of a message in the order of the bytes. Unknown fields are given as well; the caller passes over them.
 *
 * @throws WireError
 */
export function* readFields(message: Buffer): Generator<WireField> {
  let at = 0
  const readVarint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++]
      if (byte === undefined) throw new WireError('the message ends early')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    throw new WireError('a number is too long')
  }
  const take = (length: number): Buffer => {
    if (length > message.length - at) throw new WireError('the message ends early')
    return message.subarray(at, (at += length))
  }
  while (at < message.length) {
    const key = Number(readVarint())
    const number = key >>> 3
    switch (key & 7) {
      case VARINT:
        yield { number, varint: readVarint(), bytes: EMPTY }
        break
      case LENGTH:
        yield { number, varint: 0n, bytes: take(Number(readVarint())) }
        break
      case FIXED64:
        take(8)
        break
      case FIXED32:
        take(4)
        break
      default:
        throw new WireError('a field is of an unknown wire type')
    }
  }
}

const EMPTY = Buffer.alloc(0)

/** The key and value of one entry of a `map<string, …>` field. */
export function readMapEntry(entry: Buffer): { key: string; value: Buffer } {
  let key = ''
  let value: Buffer = EMPTY
  for (const field of readFields(entry)) {
    if (field.number === 1) key = field.bytes.toString('utf8')
    else if (field.number === 2) value = field.bytes
  }
  return { key, value }
}
