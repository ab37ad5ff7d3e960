/** Revocation lists of CAs of tests. */
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import 'reflect-metadata'
import type { KeyAndCertificate } from '@lateen/ca'
import { PemConverter, X509CrlGenerator, X509CrlReason } from '@peculiar/x509'

/** The list of a CA (ECDSA P-256) for an hour, as PEM text. */
export async function listOf(ca: KeyAndCertificate, ...serials: readonly string[]): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const der = createPrivateKey(ca.keyPem).export({ type: 'pkcs8', format: 'der' })
  const list = await X509CrlGenerator.create({
    issuer: new X509Certificate(ca.certPem).subject,
    thisUpdate: new Date(Date.now() - 1_000),
    nextUpdate: new Date(Date.now() + 3_600_000),
    signingKey: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']),
    signingAlgorithm: algorithm,
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(), reason: X509CrlReason.keyCompromise })),
  })
  return `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`
}
