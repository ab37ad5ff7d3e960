/** The one error family of this package. */

export type CaErrorCode =
  /** The certificate request cannot be read, is too large, or does not prove possession of its key. */
  | 'REQUEST_INVALID'
  /** The key of a request or of a CA is too weak or of a kind that Envoy does not take. */
  | 'KEY_REFUSED'
  /** The identity, DNS name, address or lifetime asked for cannot be put into a certificate. */
  | 'SUBJECT_REFUSED'
  /** A plugged-in CA is incomplete or inconsistent. */
  | 'CA_UNUSABLE'
  /** A signer outside the control plane refuses, is silent, or answers with something that cannot be used. */
  | 'SIGNER_FAILED'
  /** The revocation lists of a plugged-in CA cannot be read, are not its own, not complete or not in force. */
  | 'REVOCATION_UNUSABLE'
  /** A certificate text cannot be read. */
  | 'CERTIFICATE_INVALID'

/** What was found, what is allowed and what to do, in `message`. */
export class CaError extends Error {
  readonly code: CaErrorCode

  constructor(code: CaErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CaError'
    this.code = code
  }
}
