/** Building one X.509 version 3 certificate, and reading the parts of one that Node's own parser does not give. */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, type X509Certificate } from 'node:crypto'
import { algorithmOfKey, keyWeakness } from './algorithms.ts'
import {
  bitString,
  boolean,
  type Element,
  explicit,
  implicit,
  octetString,
  oid,
  oidText,
  readChildren,
  readElement,
  sequence,
  TAG,
  time,
  unsignedInteger,
} from './der.ts'
import { CaError } from './errors.ts'
import { type AlternativeNames, alternativeNamesDer, alternativeNamesFromDer } from './names.ts'
import { toPem } from './pem.ts'

const ID = {
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

export interface CertificateFields {
  /** Distinguished names, encoded. */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly publicKeyDer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** Makes a CA; else a leaf for TLS as server and client. */
  readonly isCa: boolean
  readonly alternativeNames?: AlternativeNames
  /** Key identifier of the issuer; absent on a self-signed certificate. */
  readonly issuerKeyId?: Buffer
}

export interface BuiltCertificate {
  readonly pem: string
  readonly der: Buffer
  /** Upper-case hexadecimal without separators, as Node and `openssl` print it. */
  readonly serial: string
}

/**
 * A certificate with a random serial of 128 bits, signed by `key`.
 *
 * @throws CaError when a name or the key cannot be used
 */
export function buildCertificate(fields: CertificateFields, key: KeyObject): BuiltCertificate {
  const algorithm = algorithmOfKey(key)
  if (!algorithm) throw new CaError('KEY_REFUSED', `the signing key is ${keyWeakness(key) ?? 'not usable'}`)
  const serial = randomBytes(16)
  // RFC 5280: positive and not zero; the top bits are fixed so that the length never varies.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40
  const tbs = sequence(
    explicit(0, unsignedInteger(Buffer.from([2]))),
    unsignedInteger(serial),
    algorithm.der,
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fields.publicKeyDer,
    explicit(3, sequence(...extensions(fields))),
  )
  const der = sequence(tbs, algorithm.der, bitString(sign(algorithm.hash, tbs, key)))
  return { pem: toPem('CERTIFICATE', der), der, serial: serial.toString('hex').toUpperCase() }
}

function extensions(fields: CertificateFields): Buffer[] {
  const list = [
    // digitalSignature + keyEncipherment, or keyCertSign + cRLSign.
    extension(ID.keyUsage, fields.isCa ? bitString(Buffer.from([0x06]), 1) : bitString(Buffer.from([0xa0]), 5), true),
    extension(ID.basicConstraints, fields.isCa ? sequence(boolean(true)) : sequence(), true),
  ]
  if (fields.isCa) list.push(extension(ID.subjectKeyId, octetString(keyId(fields.publicKeyDer))))
  else list.push(extension(ID.extKeyUsage, sequence(oid(ID.serverAuth), oid(ID.clientAuth))))
  if (fields.issuerKeyId) list.push(extension(ID.authorityKeyId, sequence(implicit(0, fields.issuerKeyId))))
  if (fields.alternativeNames) {
    // RFC 5280 demands "critical" where the subject is empty: the names are then all there is.
    list.push(extension(ID.subjectAltName, alternativeNamesDer(fields.alternativeNames), fields.subject.length === 2))
  }
  return list
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return critical ? sequence(oid(id), boolean(true), octetString(value)) : sequence(oid(id), octetString(value))
}

/** RFC 5280's first method: SHA-1 of the public key's bits. An index for chain building, no protection. */
export function keyId(publicKeyDer: Buffer): Buffer {
  const bits = readChildren(readElement(publicKeyDer).content, 2)[1]
  return createHash('sha1')
    .update(bits?.content.subarray(1) ?? publicKeyDer)
    .digest()
}

export const publicKeyDer = (key: KeyObject): Buffer => createPublicKey(key).export({ type: 'spki', format: 'der' })

/** What signing needs of the issuer's own certificate. */
export interface IssuerFields {
  readonly subject: Buffer
  readonly keyId: Buffer
}

/** Subject and key identifier of a CA certificate. */
export function issuerFields(certificate: X509Certificate): IssuerFields {
  const { subject, extensions } = parts(certificate.raw)
  const id = extensions.get(ID.subjectKeyId)
  return {
    subject: Buffer.from(subject.whole),
    keyId: id ? Buffer.from(readElement(id).content) : keyId(certificate.publicKey.export({ type: 'spki', format: 'der' })),
  }
}

/** The subject alternative names of a certificate. */
export function alternativeNames(certificate: X509Certificate): Required<AlternativeNames> {
  const value = parts(certificate.raw).extensions.get(ID.subjectAltName)
  if (!value) return { uris: [], dnsNames: [], ips: [] }
  const { uris, dnsNames, ips } = alternativeNamesFromDer(value)
  return { uris, dnsNames, ips }
}

/** The bit for keyCertSign; absent key usage allows everything. */
export function maySignCertificates(certificate: X509Certificate): boolean {
  const value = parts(certificate.raw).extensions.get(ID.keyUsage)
  return certificate.ca && (!value || ((readElement(value).content[1] ?? 0) & 0x04) !== 0)
}

/** The bit for cRLSign; absent key usage allows everything. */
export function maySignLists(certificate: X509Certificate): boolean {
  const value = parts(certificate.raw).extensions.get(ID.keyUsage)
  return !value || ((readElement(value).content[1] ?? 0) & 0x02) !== 0
}

function parts(der: Buffer): { subject: Element; extensions: Map<string, Buffer> } {
  const [tbs] = readChildren(readElement(der).content, 3)
  const fields = readChildren(tbs?.content ?? Buffer.alloc(0), 16)
  // A version 1 certificate has no version field, so everything stands one place earlier.
  const subject = fields[fields[0]?.tag === 0xa0 ? 5 : 4]
  if (!subject) throw new CaError('CERTIFICATE_INVALID', 'the certificate has no subject')
  const list = fields.find((f) => f.tag === 0xa3)
  const found = new Map<string, Buffer>()
  for (const item of list ? readChildren(readElement(list.content).content, 64) : []) {
    const values = readChildren(item.content, 3)
    const id = values[0]
    const value = values.at(-1)
    if (id && value?.tag === TAG.octetString) found.set(oidText(id.content), value.content)
  }
  return { subject, extensions: found }
}
