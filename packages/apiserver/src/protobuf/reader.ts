/** The protobuf wire format: reading fields one by one, within bounds. */
import { badRequest } from '../errors.ts'

/** One field: its number and its value; `bytes` for everything that has a length. */
export interface WireField {
  readonly number: number
  readonly varint: bigint
  readonly bytes: Uint8Array
  readonly wire: number
}

const NOTHING = new Uint8Array(0)
const cut = () => badRequest('the protobuf body is cut off or damaged')

/** @throws StatusError 400 for bytes that are not a message */
export function* wireFields(bytes: Uint8Array): Generator<WireField> {
  let at = 0
  const varint = (): bigint => {
    let result = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      if (byte === undefined) throw cut()
      result |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, result)
    }
    throw cut()
  }
  const take = (length: number) => {
    if (at + length > bytes.length) throw cut()
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const number = tag >>> 3
    const wire = tag & 7
    if (number === 0) throw cut()
    switch (wire) {
      case 0:
        yield { number, wire, varint: varint(), bytes: NOTHING }
        break
      case 1:
        yield { number, wire, varint: 0n, bytes: take(8) }
        break
      case 2:
        yield { number, wire, varint: 0n, bytes: take(Number(varint())) }
        break
      case 5:
        yield { number, wire, varint: 0n, bytes: take(4) }
        break
      default:
        throw cut()
    }
  }
}

export const textOf = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')
export const signedOf = (varint: bigint) => Number(BigInt.asIntN(64, varint))
