/** A certificate of a workload below an intermediate CA, as whoever holds the intermediate's key can make one. */
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import 'reflect-metadata'
import type { KeyAndCertificate } from '@lateen/ca'
import { BasicConstraintsExtension, PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509'
import type { IssuedCertificate } from './test-proxy.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const HOUR_MS = 3_600_000

/** @returns the workload's chain and key, and the serial number of the intermediate */
export async function belowIntermediate(root: KeyAndCertificate, uri: string): Promise<IssuedCertificate & { readonly intermediate: string }> {
  const der = createPrivateKey(root.keyPem).export({ type: 'pkcs8', format: 'der' })
  const rootKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])
  const [between, own] = [await newKeys(), await newKeys()]
  const life = { notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + HOUR_MS), signingAlgorithm: ALGORITHM }
  const intermediate = await X509CertificateGenerator.create({
    ...life,
    serialNumber: '11',
    issuer: new X509Certificate(root.certPem).subject,
    subject: 'CN=intermediate',
    publicKey: between.publicKey,
    signingKey: rootKey,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  })
  const leaf = await X509CertificateGenerator.create({
    ...life,
    serialNumber: '12',
    issuer: 'CN=intermediate',
    subject: 'CN=workload',
    publicKey: own.publicKey,
    signingKey: between.privateKey,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'url', value: uri }])],
  })
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', own.privateKey), 'PRIVATE KEY')
  return { chain: [leaf, intermediate].map((each) => `${each.toString('pem')}\n`), key, intermediate: '11' }
}

const newKeys = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
