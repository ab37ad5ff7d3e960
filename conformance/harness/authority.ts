/** A certificate authority of the test's own. */
import { webcrypto } from 'node:crypto'
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509'

const HOUR_MS = 3_600_000
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export interface Issued {
  readonly certificate: string
  readonly key: string
  readonly serialNumber: string
}

export interface Authority {
  /** Its own certificate, as PEM. */
  readonly certificate: string
  /** A certificate for a host, and its key, as PEM. */
  issue(host: string): Promise<Issued>
  /** A list that revokes certificates, as PEM. */
  revoke(...revoked: readonly Issued[]): Promise<string>
}

export async function newAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const [notBefore, notAfter] = [new Date(Date.now() - HOUR_MS), new Date(Date.now() + 24 * HOUR_MS)]
  const own = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  let serial = 1
  return {
    certificate: own.toString('pem'),
    issue: async (host) => {
      const subject = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
      const serialNumber = (++serial).toString(16).padStart(2, '0')
      const certificate = await X509CertificateGenerator.create({
        serialNumber,
        subject: `CN=${host}`,
        issuer: own.subject,
        notBefore,
        notAfter,
        publicKey: subject.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: host }])],
      })
      const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', subject.privateKey), 'PRIVATE KEY')
      return { certificate: certificate.toString('pem'), key, serialNumber }
    },
    revoke: async (...revoked) => {
      const list = await X509CrlGenerator.create({
        issuer: own.subject,
        thisUpdate: notBefore,
        nextUpdate: notAfter,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        entries: revoked.map(({ serialNumber }) => ({ serialNumber, revocationDate: notBefore })),
      })
      return list.toString('pem')
    },
  }
}
