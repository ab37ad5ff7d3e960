/** A certificate authority of a test's own: certificates for servers and for clients. */
import { webcrypto } from 'node:crypto'
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

export interface Issued {
  readonly certificate: string
  readonly key: string
}

export interface Authority {
  /** Its own certificate, as PEM. */
  readonly certificate: string
  /** A certificate for a DNS name, for either side of a connection. */
  issue(name: string): Promise<Issued>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const HOUR_MS = 3_600_000

export async function newAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const own = await X509CertificateGenerator.createSelfSigned({
    ...lifetime('01'),
    name: `CN=${name}`,
    keys,
    extensions: [new BasicConstraintsExtension(true, 1, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)],
  })
  let serial = 1
  return { certificate: own.toString('pem'), issue: (host) => issue(own, keys.privateKey, host, String(++serial).padStart(2, '0')) }
}

async function issue(issuer: X509Certificate, signingKey: CryptoKey, host: string, serial: string): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.create({
    ...lifetime(serial),
    subject: `CN=${host}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
  })
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { certificate: certificate.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') }
}

const lifetime = (serialNumber: string) => ({
  serialNumber,
  notBefore: new Date(Date.now() - HOUR_MS),
  notAfter: new Date(Date.now() + 24 * HOUR_MS),
  signingAlgorithm: ALGORITHM,
})
