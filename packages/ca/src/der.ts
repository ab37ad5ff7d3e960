/**
 * Writing and reading DER, as far as certificates and certificate requests need it.
 *
 * By hand and not with an ASN.1 library: the agent makes requests in a few hundred lines of code instead of megabytes, and
 * the control plane signs a thousand requests in well under a second.
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** One value: tag, length, content. */
export function tlv(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.from([tag]), lengthBytes(content.length), content])
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => tlv(TAG.sequence, ...items)
export const set = (...items: readonly Uint8Array[]): Buffer => tlv(TAG.set, ...items)
export const octetString = (bytes: Uint8Array): Buffer => tlv(TAG.octetString, bytes)
export const utf8String = (text: string): Buffer => tlv(TAG.utf8String, Buffer.from(text, 'utf8'))
export const boolean = (value: boolean): Buffer => tlv(TAG.boolean, Buffer.from([value ? 0xff : 0]))

/** A context-specific constructed value, `[n] EXPLICIT`. */
export const explicit = (n: number, ...items: readonly Uint8Array[]): Buffer => tlv(0xa0 | n, ...items)

/** A context-specific primitive value, `[n] IMPLICIT` over a string type. */
export const implicit = (n: number, bytes: Uint8Array): Buffer => tlv(0x80 | n, bytes)

export const bitString = (bytes: Uint8Array, unusedBits = 0): Buffer => tlv(TAG.bitString, Buffer.from([unusedBits]), bytes)

/** An unsigned big-endian number as INTEGER: leading zeros removed, one put back where the sign bit would be set. */
export function unsignedInteger(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.subarray(start)
  return (digits[0] ?? 0) & 0x80 ? tlv(TAG.integer, Buffer.from([0]), digits) : tlv(TAG.integer, digits)
}

/** An object identifier from its dotted text. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const septets = [arc & 0x7f]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) septets.unshift((left & 0x7f) | 0x80)
    bytes.push(...septets)
  }
  return tlv(TAG.oid, Buffer.from(bytes))
}

/** A time in the form RFC 5280 demands: UTCTime until 2049, GeneralizedTime from 2050; whole seconds. */
export function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]/g, '').slice(0, 14)
  return at.getUTCFullYear() < 2050
    ? tlv(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : tlv(TAG.generalizedTime, Buffer.from(`${digits}Z`))
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes: number[] = []
  for (let left = length; left > 0; left >>>= 8) bytes.unshift(left & 0xff)
  return Buffer.from([0x80 | bytes.length, ...bytes])
}

/** A value read: `content` without and `whole` with tag and length; both are views of the input. */
export interface Element {
  readonly tag: number
  readonly content: Buffer
  readonly whole: Buffer
}

/** The input is not DER, is cut short, or holds another type than expected. */
export class DerError extends Error {}

/**
 * Reads the value at the start of `bytes`.
 *
 * @throws DerError
 */
export function readElement(bytes: Buffer): Element {
  const tag = bytes[0]
  const first = bytes[1]
  if (tag === undefined || first === undefined) throw new DerError('the data ends early')
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag of several bytes is not expected here')
  let length = first
  let header = 2
  if (first >= 0x80) {
    const size = first & 0x7f
    if (size === 0 || size > 4 || bytes.length < 2 + size) throw new DerError('a length is not valid')
    length = bytes.readUIntBE(2, size)
    header += size
  }
  const end = header + length
  if (end > bytes.length) throw new DerError('the data ends early')
  return { tag, content: bytes.subarray(header, end), whole: bytes.subarray(0, end) }
}

/**
 * The values inside a constructed value, in order.
 *
 * @throws DerError when more than `limit` are found, or any is not valid
 */
export function readChildren(content: Buffer, limit = 256): Element[] {
  const children: Element[] = []
  for (let rest = content; rest.length > 0; ) {
    if (children.length === limit) throw new DerError(`more than ${limit} values in one structure`)
    const element = readElement(rest)
    children.push(element)
    rest = rest.subarray(element.whole.length)
  }
  return children
}

/**
 * The value, when it has the tag.
 *
 * @throws DerError when it is missing or another
 */
export function expectTag(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag)
    throw new DerError(`expected a value of type ${tag}, found ${element === undefined ? 'none' : `type ${element.tag}`}`)
  return element
}

/** The dotted text of an object identifier's content. */
export function oidText(content: Buffer): string {
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const [head = 0, ...rest] = arcs
  const first = Math.min(2, Math.floor(head / 40))
  return [first, head - first * 40, ...rest].join('.')
}
