/** Reading certificates for display and for rotation. */
import { X509Certificate } from 'node:crypto'
import { alternativeNames } from './certificate.ts'
import { CaError, type CaErrorCode } from './errors.ts'
import { splitCertificates } from './pem.ts'

export interface CertificateInfo {
  readonly subject: string
  readonly issuer: string
  /** Upper-case hexadecimal without separators. */
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  readonly ips: readonly string[]
  readonly isCa: boolean
  /** SHA-256 of the certificate, upper-case hexadecimal with colons. */
  readonly fingerprint: string
}

/**
 * The first certificate of a PEM text.
 *
 * @throws CaError with code CERTIFICATE_INVALID
 */
export function inspect(pem: string): CertificateInfo {
  const [first] = inspectAll(pem)
  if (!first) throw new CaError('CERTIFICATE_INVALID', 'the text holds no certificate')
  return first
}

/**
 * Every certificate of a PEM text, in order.
 *
 * @throws CaError with code CERTIFICATE_INVALID
 */
export function inspectAll(pem: string): CertificateInfo[] {
  return parseCertificates(pem, 'the text').map((certificate) => ({
    subject: certificate.subject?.replaceAll('\n', ', ') ?? '',
    issuer: certificate.issuer?.replaceAll('\n', ', ') ?? '',
    serial: certificate.serialNumber,
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    ...alternativeNames(certificate),
    isCa: certificate.ca,
    fingerprint: certificate.fingerprint256,
  }))
}

/**
 * Node's objects for every certificate of a PEM text; `what` names the text in messages.
 *
 * @throws CaError with the given code
 */
export function parseCertificates(pem: string, what: string, code: CaErrorCode = 'CERTIFICATE_INVALID'): X509Certificate[] {
  return splitCertificates(pem, what, code).map((text, index) => {
    try {
      return new X509Certificate(text)
    } catch (cause) {
      throw new CaError(code, `certificate ${index + 1} of ${what} cannot be read as X.509`, { cause })
    }
  })
}
