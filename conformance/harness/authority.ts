/** Certificate authorities: one of the test's own, or the mesh's, to make certificates that the mesh's never would. */
import { createPrivateKey, type KeyObject, webcrypto, X509Certificate } from 'node:crypto'
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
  X509CrlReason,
} from '@peculiar/x509'
import { ALGORITHM, type CaEntries, keyOf, type Root } from './certificate-authorities.ts'

const HOUR_MS = 3_600_000
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }

export interface Issued {
  readonly certificate: string
  readonly key: string
  readonly serialNumber: string
}

export interface IssueOptions {
  /** A name of another sort than a host's, as `spiffe://…`. */
  readonly uri?: string
  /** The sort of its own key; else ECDSA. */
  readonly keys?: 'RSA'
  /** Hours from now at which it begins and ends; else an hour ago and in a day. */
  readonly fromHours?: number
  readonly untilHours?: number
}

export interface Authority {
  /** Its own certificate, as PEM. */
  readonly certificate: string
  /** A certificate for a host (or another name), and its key, as PEM. */
  issue(host: string, options?: IssueOptions): Promise<Issued>
  /** A list that revokes certificates, as PEM. */
  revoke(...revoked: readonly Pick<Issued, 'serialNumber'>[]): Promise<string>
}

interface Signer {
  /** Its certificate, as PEM. */
  readonly certificate: string
  readonly key: webcrypto.CryptoKey
  readonly algorithm: { readonly name: string; readonly hash: string }
}

export async function newAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const own = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: hoursFromNow(-1),
    notAfter: hoursFromNow(24),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  return authority({ certificate: own.toString('pem'), key: keys.privateKey, algorithm: ALGORITHM })
}

/** The authority of an intermediate, by the entries that it is plugged in with. */
export const authorityOfEntries = (ca: CaEntries): Promise<Authority> => authorityOf(ca['ca-cert.pem'], ca['ca-key.pem'])

export const authorityOfRoot = async (root: Root): Promise<Authority> => authorityOf(root.pem, await keyOf(root))

/** The authority that has this certificate and key (PEM), which need not be allowed to sign. */
export async function authorityOf(certificate: string, key: string): Promise<Authority> {
  const own = createPrivateKey(key)
  const algorithm = own.asymmetricKeyType === 'rsa' ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : ALGORITHM
  return authority({ certificate, key: await imported(own, algorithm), algorithm })
}

function imported(key: KeyObject, algorithm: Signer['algorithm']): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign'])
}

function authority(signer: Signer): Authority {
  const issuer = new X509Certificate(signer.certificate).subject.split('\n').reverse().join(', ')
  let serial = 1
  const issue: Authority['issue'] = async (host, { uri, keys, fromHours = -1, untilHours = 24 } = {}) => {
    const subject = await webcrypto.subtle.generateKey(keys === 'RSA' ? RSA : ALGORITHM, true, ['sign', 'verify'])
    const serialNumber = (++serial).toString(16).padStart(2, '0')
    const extensions: Extension[] = [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new SubjectAlternativeNameExtension([uri ? { type: 'url', value: uri } : { type: 'dns', value: host }]),
    ]
    const certificate = await X509CertificateGenerator.create({
      serialNumber,
      subject: `CN=${host}`,
      issuer,
      notBefore: hoursFromNow(fromHours),
      notAfter: hoursFromNow(untilHours),
      publicKey: subject.publicKey,
      signingKey: signer.key,
      signingAlgorithm: signer.algorithm,
      extensions,
    })
    const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', subject.privateKey), 'PRIVATE KEY')
    return { certificate: certificate.toString('pem'), key, serialNumber }
  }
  return {
    certificate: signer.certificate,
    issue,
    revoke: async (...revoked) => {
      const list = await X509CrlGenerator.create({
        issuer,
        thisUpdate: hoursFromNow(-1),
        nextUpdate: hoursFromNow(24),
        signingKey: signer.key,
        signingAlgorithm: signer.algorithm,
        // Without a reason each has an empty list of extensions, which Envoy does not read.
        entries: revoked.map(({ serialNumber }) => ({
          serialNumber,
          revocationDate: hoursFromNow(-1),
          reason: X509CrlReason.keyCompromise,
        })),
      })
      // As others read it; the library's own label is another.
      return PemConverter.encode(list.rawData, 'X509 CRL')
    },
  }
}

const hoursFromNow = (hours: number): Date => new Date(Date.now() + hours * HOUR_MS)
