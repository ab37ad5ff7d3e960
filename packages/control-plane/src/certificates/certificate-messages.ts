/** The two messages of Istio's certificate service, on the wire: small enough to be read without generated code. */

/** Fields of `IstioCertificateRequest`. */
export interface CertificateRequest {
  /** 1: the CSR, as PEM text. */
  readonly csr: string
  /** 3: lifetime asked for, in seconds. */
  readonly validitySeconds: number
  /** 4: `CertSigner` of the metadata, the signer that the proxy asks for; empty for the default. */
  readonly signer: string
}

/** A request that is no protobuf message of this type. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
  readonly code = 'MALFORMED'
}

/** @throws MalformedMessage */
export function readCertificateRequest(bytes: Uint8Array): CertificateRequest {
  const reader = { bytes, at: 0 }
  let csr = ''
  let validitySeconds = 0
  let signer = ''
  while (reader.at < bytes.length) {
    const tag = readVarint(reader)
    const [field, wire] = [Number(tag >> 3n), Number(tag & 7n)]
    if (wire === 0) {
      const value = BigInt.asIntN(64, readVarint(reader))
      if (field === 3) validitySeconds = Number(value)
    } else if (wire === 2) {
      const value = readBytes(reader, Number(readVarint(reader)))
      if (field === 1) csr = Buffer.from(value).toString('utf8')
      if (field === 4) signer = readText(value, 'CertSigner') ?? signer
    } else if (wire === 1) readBytes(reader, 8)
    else if (wire === 5) readBytes(reader, 4)
    else throw new MalformedMessage(`wire type ${wire} is not used by certificate requests`)
  }
  return { csr, validitySeconds, signer }
}

/** A text of a google.protobuf.Struct (fields: 1; of an entry, key: 1 and value: 2; of a Value, string_value: 3). */
function readText(struct: Uint8Array, key: string): string | undefined {
  for (const entry of lengthFields(struct, 1)) {
    const [name] = lengthFields(entry, 1)
    if (!name || Buffer.from(name).toString('utf8') !== key) continue
    const [text] = lengthFields(lengthFields(entry, 2)[0] ?? new Uint8Array(), 3)
    return text && Buffer.from(text).toString('utf8')
  }
  return undefined
}

/** The length-delimited fields of one number; a message that goes on otherwise than these ends there. */
function lengthFields(bytes: Uint8Array, number: number): Uint8Array[] {
  const reader = { bytes, at: 0 }
  const found: Uint8Array[] = []
  while (reader.at < bytes.length) {
    const tag = readVarint(reader)
    if ((tag & 7n) !== 2n) return found
    const value = readBytes(reader, Number(readVarint(reader)))
    if (Number(tag >> 3n) === number) found.push(value)
  }
  return found
}

/** `IstioCertificateResponse`: field 1 repeated, leaf first and root last. */
export function writeCertificateResponse(chain: readonly string[]): Buffer {
  return Buffer.concat(
    chain.flatMap((pem) => {
      const text = Buffer.from(pem, 'utf8')
      return [Buffer.from([0x0a]), varint(text.length), text]
    }),
  )
}

interface Reader {
  readonly bytes: Uint8Array
  at: number
}

function readVarint(reader: Reader): bigint {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = reader.bytes[reader.at++]
    if (byte === undefined) throw new MalformedMessage('the message ends inside a number')
    value |= BigInt(byte & 0x7f) << shift
    if ((byte & 0x80) === 0) return value
  }
  throw new MalformedMessage('a number is longer than ten bytes')
}

function readBytes(reader: Reader, length: number): Uint8Array {
  const end = reader.at + length
  if (!Number.isSafeInteger(length) || length < 0 || end > reader.bytes.length)
    throw new MalformedMessage('the message ends inside a field')
  const value = reader.bytes.subarray(reader.at, end)
  reader.at = end
  return value
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
