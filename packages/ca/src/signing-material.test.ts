import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { buildCertificate, issuerFields, publicKeyDer } from './certificate.ts'
import { CertificateAuthority } from './certificate-authority.ts'
import { leadsTo } from './chain.ts'
import { inspectAll } from './inspect.ts'
import { nameDer } from './names.ts'
import { generateKey, keyToPem, makeRequest } from './request.ts'
import { createSelfSignedRoot, type KeyAndCertificate } from './self-signed.ts'
import { type CaFiles, caFilesFromEntries, loadSigningMaterial } from './signing-material.ts'
import { joinTrustBundle } from './trust-bundle.ts'

const now = Date.parse('2031-01-01T00:00:00Z')
const YEAR = 365 * 86_400_000

function issue(
  parent: KeyAndCertificate,
  name: string,
  options: { isCa?: boolean; from?: number; until?: number } = {},
): KeyAndCertificate {
  const key = generateKey()
  const signer = new X509Certificate(parent.certPem)
  const { subject, keyId } = issuerFields(signer)
  const built = buildCertificate(
    {
      issuer: subject,
      subject: nameDer({ organization: name }),
      publicKeyDer: publicKeyDer(key),
      notBefore: new Date(options.from ?? now),
      notAfter: new Date(options.until ?? now + YEAR),
      isCa: options.isCa ?? true,
      issuerKeyId: keyId,
    },
    loadKey(parent),
  )
  return { certPem: built.pem, keyPem: keyToPem(key) }
}

const loadKey = (parent: KeyAndCertificate) =>
  loadSigningMaterial({ caCert: parent.certPem, caKey: parent.keyPem, rootCert: parent.certPem }, now + 1).key
const load = (files: CaFiles) => () => loadSigningMaterial(files, now + 1)

const root = createSelfSignedRoot({ organization: 'root', now })
const middle = issue(root, 'middle')
// Its own root stands in as issuer for the tests' key loading; the chain below is root → middle → low.
const low = (() => {
  const key = generateKey()
  const parent = new X509Certificate(middle.certPem)
  const material = loadSigningMaterial({ caCert: middle.certPem, caKey: middle.keyPem, rootCert: root.certPem }, now + 1)
  const built = buildCertificate(
    {
      issuer: issuerFields(parent).subject,
      subject: nameDer({ organization: 'low' }),
      publicKeyDer: publicKeyDer(key),
      notBefore: new Date(now),
      notAfter: new Date(now + YEAR),
      isCa: true,
    },
    material.key,
  )
  return { certPem: built.pem, keyPem: keyToPem(key) }
})()

test('an intermediate two levels below the root signs leaves whose chain ends at that root', () => {
  const other = createSelfSignedRoot({ organization: 'other', now })
  const ca = CertificateAuthority.load(
    {
      caCert: low.certPem,
      caKey: low.keyPem,
      rootCert: other.certPem + root.certPem,
      certChain: low.certPem + middle.certPem + root.certPem,
    },
    { now: () => now + 1 },
  )
  const signed = ca.signWorkload(makeRequest(generateKey()), { identities: ['spiffe://td/ns/a/sa/b'] })
  expect(signed.chain).toEqual([signed.certPem, low.certPem, middle.certPem, other.certPem + root.certPem])
  expect(leadsTo(signed.chainPem, root.certPem)).toBe(true)
  expect(leadsTo(signed.chainPem, other.certPem)).toBe(false)
  const chain = [...signed.chain.slice(0, -1), root.certPem].map((pem) => new X509Certificate(pem))
  for (const [index, cert] of chain.entries()) {
    const issuer = chain[index + 1]
    if (issuer) expect(cert.checkIssued(issuer) && cert.verify(issuer.publicKey)).toBe(true)
  }
  expect(inspectAll(ca.rootsPem).map((c) => c.subject)).toEqual(['O=other', 'O=root'])
})

test('a key that belongs to another certificate is refused', () => {
  expect(load({ caCert: middle.certPem, caKey: root.keyPem, rootCert: root.certPem })).toThrow(
    'ca-key.pem is not the key of ca-cert.pem (O=middle)',
  )
})

test('a certificate that is no CA is refused', () => {
  const leaf = issue(root, 'leaf', { isCa: false })
  expect(load({ caCert: leaf.certPem, caKey: leaf.keyPem, rootCert: root.certPem })).toThrow('ca-cert.pem (O=leaf) is not a CA certificate')
})

test('a certificate that has expired, or is not yet valid, is refused with the time', () => {
  const old = issue(root, 'old', { from: now - YEAR, until: now })
  expect(load({ caCert: old.certPem, caKey: old.keyPem, rootCert: root.certPem })).toThrow(
    'ca-cert.pem (O=old) expired at 2031-01-01T00:00:00.000Z',
  )
  const early = issue(root, 'early', { from: now + 60_000 })
  expect(load({ caCert: early.certPem, caKey: early.keyPem, rootCert: root.certPem })).toThrow(
    "not valid before 2031-01-01T00:01:00.000Z; check this machine's clock",
  )
})

test('a chain with a missing link, or that ends at another root, is refused by naming the link', () => {
  expect(load({ caCert: low.certPem, caKey: low.keyPem, rootCert: root.certPem, certChain: low.certPem })).toThrow(
    'does not lead to root-cert.pem: no certificate there or in cert-chain.pem issued "O=low" (its issuer is "O=middle")',
  )
  const other = createSelfSignedRoot({ organization: 'root', now })
  expect(load({ caCert: middle.certPem, caKey: middle.keyPem, rootCert: other.certPem })).toThrow('does not lead to root-cert.pem')
})

test('texts that are no PEM, and encrypted keys, are refused by name', () => {
  expect(load({ caCert: 'x', caKey: root.keyPem, rootCert: root.certPem })).toThrow('ca-cert.pem holds no certificate')
  expect(load({ caCert: root.certPem, caKey: 'x', rootCert: root.certPem })).toThrow('ca-key.pem cannot be read')
  const encrypted = loadKey(root).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }).toString()
  expect(load({ caCert: root.certPem, caKey: encrypted, rootCert: root.certPem })).toThrow('ca-key.pem is encrypted')
  expect(
    load({ caCert: root.certPem, caKey: root.keyPem, rootCert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }),
  ).toThrow('certificate 1 of root-cert.pem cannot be read')
})

test('entries are found under the names of Istio and of cert-manager, and what is missing is named', () => {
  const istio = { 'ca-cert.pem': 'a', 'ca-key.pem': 'b', 'root-cert.pem': 'c', 'cert-chain.pem': 'd' }
  expect(caFilesFromEntries(istio)).toEqual({ caCert: 'a', caKey: 'b', rootCert: 'c', certChain: 'd' })
  expect(caFilesFromEntries({ 'tls.crt': 'a', 'tls.key': 'b', 'ca.crt': 'c' })).toEqual({
    caCert: 'a',
    caKey: 'b',
    rootCert: 'c',
    certChain: 'a',
  })
  expect(() => caFilesFromEntries({ 'ca-cert.pem': 'a' })).toThrow('lacks ca-key.pem and root-cert.pem')
})

test('a trust bundle holds each root once, in the order first seen', () => {
  const other = createSelfSignedRoot({ organization: 'other', now })
  expect(joinTrustBundle(root.certPem, `# ours\n${other.certPem}\n${root.certPem}`)).toBe(root.certPem + other.certPem)
  expect(() => joinTrustBundle('nothing')).toThrow('the trust bundle holds no certificate')
})
