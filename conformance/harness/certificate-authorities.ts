/** CAs to plug into a mesh: roots, and intermediates that sign for it. */
import { webcrypto, X509Certificate } from 'node:crypto'
import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

const HOUR_MS = 3_600_000
export const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const EXTENSIONS = [
  new BasicConstraintsExtension(true, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
]

export interface Root {
  readonly name: string
  readonly pem: string
  readonly keys: webcrypto.CryptoKeyPair
  /** SHA-256, upper-case hexadecimal with colons. */
  readonly fingerprint: string
}

/** The entries of Secret `cacerts` that every CA has. */
export type CaEntries = Readonly<Record<'ca-cert.pem' | 'ca-key.pem' | 'root-cert.pem' | 'cert-chain.pem', string>>

const validity = () => ({ notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + 48 * HOUR_MS) })
const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
/** A random serial number, hexadecimal. */
export const serial = () => Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex')

export async function newRoot(name: string): Promise<Root> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...{ serialNumber: serial(), name: `CN=${name}`, signingAlgorithm: ALGORITHM, keys, extensions: EXTENSIONS },
    ...validity(),
  })
  const pem = `${certificate.toString('pem').trim()}\n`
  return { name, pem, keys, fingerprint: new X509Certificate(pem).fingerprint256 }
}

/** A CA under a root, ready to be plugged in. */
export async function newIntermediate(root: Root, name: string): Promise<CaEntries> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.create({
    ...{ serialNumber: serial(), subject: `CN=${name}`, issuer: `CN=${root.name}`, publicKey: keys.publicKey },
    ...{ signingKey: root.keys.privateKey, signingAlgorithm: ALGORITHM, extensions: EXTENSIONS },
    ...validity(),
  })
  const own = `${certificate.toString('pem').trim()}\n`
  return {
    'ca-cert.pem': own,
    'ca-key.pem': PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
    'root-cert.pem': root.pem,
    'cert-chain.pem': own + root.pem,
  }
}

/** A workload's certificate under a root, with its key: one PEM text, as curl takes it. */
export async function newLeaf(root: Root, uri: string): Promise<string> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.create({
    ...{ serialNumber: serial(), issuer: `CN=${root.name}`, publicKey: keys.publicKey },
    ...{ signingKey: root.keys.privateKey, signingAlgorithm: ALGORITHM },
    // SPIFFE demands a key usage of leaves, and Envoy checks that.
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new SubjectAlternativeNameExtension([{ type: 'url', value: uri }], true),
    ],
    ...validity(),
  })
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return `${key}\n${certificate.toString('pem')}\n`
}

/** The private key of a root, as PEM. */
export async function keyOf({ keys }: Root): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
}

/** The certificates of a PEM text. */
export function certificatesOf(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((text) => new X509Certificate(text))
}
