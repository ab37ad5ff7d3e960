/** The signature algorithms that Envoy accepts, between Node's key objects and X.509's identifiers. */
import type { KeyObject } from 'node:crypto'
import { oid, sequence, TAG, tlv } from './der.ts'

export interface SignatureAlgorithm {
  /** Node's name of the digest. */
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  /** The AlgorithmIdentifier. */
  readonly der: Buffer
}

const ecdsa = (hash: SignatureAlgorithm['hash'], id: string): SignatureAlgorithm => ({ hash, der: sequence(oid(id)) })
const rsa = (hash: SignatureAlgorithm['hash'], id: string): SignatureAlgorithm => ({ hash, der: sequence(oid(id), tlv(TAG.null)) })

const ECDSA_256 = ecdsa('sha256', '1.2.840.10045.4.3.2')
const ECDSA_384 = ecdsa('sha384', '1.2.840.10045.4.3.3')
const ECDSA_512 = ecdsa('sha512', '1.2.840.10045.4.3.4')
const RSA_256 = rsa('sha256', '1.2.840.113549.1.1.11')
const RSA_384 = rsa('sha384', '1.2.840.113549.1.1.12')
const RSA_512 = rsa('sha512', '1.2.840.113549.1.1.13')

/** What a key signs with: SHA-256 for RSA, the digest of the curve's size for elliptic curves. */
export function algorithmOfKey(key: KeyObject): SignatureAlgorithm | undefined {
  if (key.asymmetricKeyType === 'rsa') return RSA_256
  switch (key.asymmetricKeyDetails?.namedCurve) {
    case 'prime256v1':
      return ECDSA_256
    case 'secp384r1':
      return ECDSA_384
    case 'secp521r1':
      return ECDSA_512
    default:
      return undefined
  }
}

/** The algorithm of an AlgorithmIdentifier as found in a request, when it is one that is accepted. */
export function algorithmFromDer(der: Buffer): { algorithm: SignatureAlgorithm; keyType: 'ec' | 'rsa' } | undefined {
  for (const algorithm of [ECDSA_256, ECDSA_384, ECDSA_512]) if (algorithm.der.equals(der)) return { algorithm, keyType: 'ec' }
  for (const algorithm of [RSA_256, RSA_384, RSA_512]) if (algorithm.der.equals(der)) return { algorithm, keyType: 'rsa' }
  return undefined
}

/** Why a public or private key is not good enough, in words that can follow "the key is "; `undefined` when it is. */
export function keyWeakness(key: KeyObject): string | undefined {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'rsa') {
    const bits = details?.modulusLength ?? 0
    // The upper bound keeps one request from costing as much as a thousand.
    return bits >= 2048 && bits <= 8192 ? undefined : `RSA of ${bits} bits; 2048 to 8192 bits are allowed`
  }
  if (key.asymmetricKeyType === 'ec') {
    return algorithmOfKey(key) ? undefined : `on the curve ${details?.namedCurve ?? 'unknown'}; P-256, P-384 and P-521 are allowed`
  }
  return `of the type ${key.asymmetricKeyType ?? 'unknown'}; ECDSA (P-256 or larger) and RSA (2048 bits or more) are allowed`
}
