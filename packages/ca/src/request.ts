/** Certificate requests (PKCS #10): made by agents, checked by the control plane. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { algorithmFromDer, algorithmOfKey, keyWeakness } from './algorithms.ts'
import {
  bitString,
  DerError,
  type Element,
  expectTag,
  explicit,
  octetString,
  oid,
  oidText,
  readChildren,
  readElement,
  sequence,
  set,
  TAG,
  unsignedInteger,
} from './der.ts'
import { CaError } from './errors.ts'
import { type AlternativeNames, alternativeNamesDer, alternativeNamesFromDer, nameDer, type SubjectName } from './names.ts'
import { pemBlocks, toPem } from './pem.ts'

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'
const SUBJECT_ALT_NAME = '2.5.29.17'

/** A request of an RSA key of 8192 bits with a long subject stays under this. */
const MAX_REQUEST_CHARS = 16 * 1024

export type KeyKind = 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096'

/** A new private key. */
export function generateKey(kind: KeyKind = 'ecdsa-p256'): KeyObject {
  switch (kind) {
    case 'ecdsa-p256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    case 'ecdsa-p384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    default:
      return generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(4)) }).privateKey
  }
}

/** The PKCS #8 PEM text of a private key. */
export function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * A certificate request signed by `key`, as PEM text.
 *
 * @throws CaError when the key or a name cannot be used
 */
export function makeRequest(key: KeyObject, names: AlternativeNames & { subject?: SubjectName } = {}): string {
  const algorithm = algorithmOfKey(key)
  if (!algorithm) throw new CaError('KEY_REFUSED', `cannot make a certificate request: the key is ${keyWeakness(key) ?? 'not usable'}`)
  const san = sequence(oid(SUBJECT_ALT_NAME), octetString(alternativeNamesDer(names)))
  const info = sequence(
    unsignedInteger(Buffer.from([0])),
    nameDer(names.subject ?? {}),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    explicit(0, sequence(oid(EXTENSION_REQUEST), set(sequence(san)))),
  )
  return toPem('CERTIFICATE REQUEST', sequence(info, algorithm.der, bitString(sign(algorithm.hash, info, key))))
}

/** What is taken from a request: the key alone. The names it asks for are the authority's to decide. */
export interface CheckedRequest {
  readonly publicKey: KeyObject
  /** SubjectPublicKeyInfo, as it goes into the certificate. */
  readonly publicKeyDer: Buffer
}

/**
 * Reads a request and checks that whoever made it holds the private key, and that the key is strong enough.
 *
 * @throws CaError with code REQUEST_INVALID or KEY_REFUSED
 */
export function checkRequest(pem: string): CheckedRequest {
  const der = requestDer(pem)
  try {
    return checkDer(der)
  } catch (cause) {
    if (cause instanceof CaError) throw cause
    const reason = cause instanceof DerError ? cause.message : 'its public key cannot be read'
    throw new CaError('REQUEST_INVALID', `the certificate request is not valid PKCS #10: ${reason}`, { cause })
  }
}

function requestDer(pem: string): Buffer {
  if (pem.length > MAX_REQUEST_CHARS) {
    throw new CaError(
      'REQUEST_INVALID',
      `the certificate request is ${pem.length} characters long; at most ${MAX_REQUEST_CHARS} are allowed`,
    )
  }
  const blocks = pemBlocks(pem, 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')
  const [der] = blocks
  if (!der || blocks.length !== 1) {
    throw new CaError('REQUEST_INVALID', `expected one PEM block "CERTIFICATE REQUEST", found ${blocks.length}`)
  }
  return der
}

function checkDer(der: Buffer): CheckedRequest {
  const outer = expectTag(readElement(der), TAG.sequence)
  const [info, signatureAlgorithm, signature] = readChildren(outer.content, 3)
  const fields = readChildren(expectTag(info, TAG.sequence).content, 8)
  const publicKeyDer = Buffer.from(expectTag(fields[2], TAG.sequence).whole)
  const publicKey = createPublicKey({ key: publicKeyDer, format: 'der', type: 'spki' })
  const weakness = keyWeakness(publicKey)
  if (weakness) throw new CaError('KEY_REFUSED', `the key of the certificate request is ${weakness}`)
  const signed = algorithmFromDer(expectTag(signatureAlgorithm, TAG.sequence).whole)
  if (!signed || signed.keyType !== publicKey.asymmetricKeyType) {
    throw new CaError(
      'REQUEST_INVALID',
      'the certificate request is signed with an algorithm that is not accepted; use ECDSA or RSA with SHA-256 or longer',
    )
  }
  const bits = expectTag(signature, TAG.bitString).content
  if (!info || !verify(signed.algorithm.hash, info.whole, publicKey, bits.subarray(1))) {
    throw new CaError(
      'REQUEST_INVALID',
      'the signature of the certificate request does not match its key: possession of the private key is not proven',
    )
  }
  return { publicKey, publicKeyDer }
}

/**
 * The names that a request asks for.
 *
 * @throws CaError with code REQUEST_INVALID, also when it asks for anything else that a signer might grant
 */
export function requestedNames(pem: string): Required<AlternativeNames> {
  const der = requestDer(pem)
  try {
    const [info] = readChildren(expectTag(readElement(der), TAG.sequence).content, 3)
    const attributes = readChildren(expectTag(info, TAG.sequence).content, 8)[3]
    const names: Required<AlternativeNames> = { uris: [], dnsNames: [], ips: [] }
    for (const attribute of attributes ? readChildren(attributes.content, 8) : []) {
      const [type, values] = readChildren(expectTag(attribute, TAG.sequence).content, 2)
      if (oidText(expectTag(type, TAG.oid).content) !== EXTENSION_REQUEST) throw extra('an attribute')
      for (const list of readChildren(expectTag(values, TAG.set).content, 2)) collectNames(list, names)
    }
    return names
  } catch (cause) {
    if (cause instanceof CaError) throw cause
    throw new CaError('REQUEST_INVALID', 'the certificate request is not valid PKCS #10', { cause })
  }
}

function collectNames(list: Element, names: { uris: readonly string[]; dnsNames: readonly string[]; ips: readonly string[] }): void {
  for (const extension of readChildren(expectTag(list, TAG.sequence).content, 16)) {
    const fields = readChildren(expectTag(extension, TAG.sequence).content, 3)
    if (oidText(expectTag(fields[0], TAG.oid).content) !== SUBJECT_ALT_NAME) throw extra('an extension')
    const found = alternativeNamesFromDer(expectTag(fields.at(-1), TAG.octetString).content)
    if (found.others > 0) throw extra('a name that is neither URI, DNS name nor address')
    names.uris = [...names.uris, ...found.uris]
    names.dnsNames = [...names.dnsNames, ...found.dnsNames]
    names.ips = [...names.ips, ...found.ips]
  }
}

const extra = (what: string): CaError =>
  new CaError('REQUEST_INVALID', `the certificate request holds ${what} beside its subject alternative names, which is not granted`)
