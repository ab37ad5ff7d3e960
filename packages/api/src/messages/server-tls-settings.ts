/** TLS on the side that accepts connections. */
import { flag, list, message, of, oneOf, type Static, text } from '../schema/define.ts'
import type { CelRule } from '../schema/node.ts'

export const TLSCertificate = message('TLSCertificate', {
  serverCertificate: text('Path of the certificate file.'),
  privateKey: text('Path of the key file.'),
  caCertificates: text('Path of the file with authorities for client certificates.'),
})
export interface TLSCertificate extends Static<typeof TLSCertificate> {}

const PROTOCOLS = ['TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3'] as const

const ONE_SOURCE: CelRule = {
  rule: '(has(self.credentialName) ? 1 : 0) + (has(self.credentialNames) ? 1 : 0) + (has(self.tlsCertificates) ? 1 : 0) <= 1',
  message: 'at most one of credentialName, credentialNames, tlsCertificates may be set',
}

export const ServerTLSSettings = message(
  'ServerTLSSettings',
  {
    httpsRedirect: flag('Answer plain HTTP with a redirect to HTTPS.'),
    mode: oneOf(
      ['PASSTHROUGH', 'SIMPLE', 'MUTUAL', 'AUTO_PASSTHROUGH', 'ISTIO_MUTUAL', 'OPTIONAL_MUTUAL'],
      'Whether TLS ends here, and whether clients must show a certificate.',
    ),
    serverCertificate: text('Path of the certificate file; for SIMPLE and MUTUAL without a credential name.'),
    privateKey: text('Path of the key file.'),
    caCertificates: text('Path of the file with authorities for client certificates; for MUTUAL.'),
    caCrl: text('Path of the file with revoked client certificates.'),
    credentialName: text('Secret with key, certificate and, for MUTUAL, authorities.'),
    credentialNames: list(text(), 'Up to two secrets, to offer an RSA and an ECDSA certificate.', { minItems: 1, maxItems: 2 }),
    caCertCredentialName: text('Secret or ConfigMap with the authorities for client certificates.'),
    tlsCertificates: list(of(TLSCertificate), 'Up to two certificates by path, to offer RSA and ECDSA.', { minItems: 1, maxItems: 2 }),
    subjectAltNames: list(text(), "Names of which a client's certificate must carry one."),
    verifyCertificateSpki: list(text(), 'Base64 SHA-256 hashes of accepted public keys.'),
    verifyCertificateHash: list(text(), 'Hex SHA-256 hashes of accepted certificates.'),
    minProtocolVersion: oneOf(PROTOCOLS, 'Oldest TLS version taken; TLS 1.2 when unset.'),
    maxProtocolVersion: oneOf(PROTOCOLS, 'Newest TLS version taken.'),
    cipherSuites: list(text(), 'Only these cipher suites; the safe defaults of Envoy when empty.'),
  },
  { rules: [ONE_SOURCE] },
)
export interface ServerTLSSettings extends Static<typeof ServerTLSSettings> {}
