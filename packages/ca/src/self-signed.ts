/** A root of our own, where none is plugged in. */
import { buildCertificate, publicKeyDer } from './certificate.ts'
import { nameDer } from './names.ts'
import { generateKey, type KeyKind, keyToPem } from './request.ts'

const TEN_YEARS_MS = 3650 * 86_400_000

/** Clocks of other machines may be behind ours. */
export const BACKDATE_MS = 120_000

export interface SelfSignedOptions {
  /** Organization of the subject; Istio puts the trust domain there. */
  readonly organization: string
  /**
   * Tells two roots of one organization apart. Verifiers find an issuer by its name first; where a root that was not made here lacks
   * a key identifier, equal names would make them try the wrong one.
   */
  readonly commonName?: string
  readonly key?: KeyKind
  readonly ttlMs?: number
  /** Milliseconds of the epoch. */
  readonly now: number
}

export interface KeyAndCertificate {
  readonly certPem: string
  /** PKCS #8. */
  readonly keyPem: string
}

/** A self-signed root with a new key, valid for ten years unless told otherwise. */
export function createSelfSignedRoot(options: SelfSignedOptions): KeyAndCertificate {
  const key = generateKey(options.key)
  const name = nameDer({ organization: options.organization, ...(options.commonName ? { commonName: options.commonName } : {}) })
  const built = buildCertificate(
    {
      issuer: name,
      subject: name,
      publicKeyDer: publicKeyDer(key),
      notBefore: new Date(options.now - BACKDATE_MS),
      notAfter: new Date(options.now + (options.ttlMs ?? TEN_YEARS_MS)),
      isCa: true,
    },
    key,
  )
  return { certPem: built.pem, keyPem: keyToPem(key) }
}
