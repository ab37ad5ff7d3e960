import { execFileSync } from 'node:child_process'
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import 'reflect-metadata'
import { PemConverter, X509CrlGenerator, X509CrlReason } from '@peculiar/x509'
import { expect, test } from 'vitest'
import { buildCertificate, issuerFields, publicKeyDer } from './certificate.ts'
import { CertificateAuthority } from './certificate-authority.ts'
import { nameDer } from './names.ts'
import { generateKey, keyToPem, makeRequest } from './request.ts'
import { checkListsOfFormer, isRevoked, readRevocationLists } from './revocation.ts'
import { createSelfSignedRoot, type KeyAndCertificate } from './self-signed.ts'
import { loadSigningMaterial } from './signing-material.ts'

const now = Date.parse('2031-01-01T00:00:00Z')
const DAY = 86_400_000
const CART = 'spiffe://cluster.local/ns/shop/sa/cart'

const root = createSelfSignedRoot({ organization: 'root', now })
const middle = intermediate(root, 'middle')
const files = { caCert: middle.certPem, caKey: middle.keyPem, rootCert: root.certPem, certChain: middle.certPem }
const loadWith = (crl: string, at = now + 1) => loadSigningMaterial({ ...files, crl }, at)

function intermediate(parent: KeyAndCertificate, name: string): KeyAndCertificate {
  const key = generateKey()
  const { subject, keyId } = issuerFields(new X509Certificate(parent.certPem))
  const validity = { notBefore: new Date(now), notAfter: new Date(now + 365 * DAY) }
  const fields = {
    issuer: subject,
    subject: nameDer({ organization: name }),
    publicKeyDer: publicKeyDer(key),
    isCa: true,
    issuerKeyId: keyId,
  }
  const { pem } = buildCertificate({ ...fields, ...validity }, createPrivateKey(parent.keyPem))
  return { certPem: pem, keyPem: keyToPem(key) }
}

interface ListOptions {
  readonly serials?: readonly string[]
  readonly from?: number
  readonly until?: number
}

async function listOf(ca: KeyAndCertificate, { serials = [], from = now - DAY, until = now + 7 * DAY }: ListOptions = {}): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const der = createPrivateKey(ca.keyPem).export({ type: 'pkcs8', format: 'der' })
  const list = await X509CrlGenerator.create({
    issuer: new X509Certificate(ca.certPem).subject,
    thisUpdate: new Date(from),
    nextUpdate: new Date(until),
    signingKey: await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']),
    signingAlgorithm: algorithm,
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(from), reason: X509CrlReason.keyCompromise })),
  })
  return `${PemConverter.encode(list.rawData, 'X509 CRL')}\n`
}

test('lists of the whole chain are taken, and tell the revoked certificate from others', async () => {
  const authority = new CertificateAuthority(loadSigningMaterial(files, now + 1), { now: () => now + 1 })
  const sign = () => new X509Certificate(authority.signWorkload(makeRequest(generateKey()), { identities: [CART] }).certPem)
  const [stolen, kept] = [sign(), sign()]
  const { crlPem } = loadWith((await listOf(middle, { serials: [stolen.serialNumber] })) + (await listOf(root)))
  const lists = readRevocationLists(crlPem)
  expect(lists).toHaveLength(2)
  expect(lists.map(({ nextUpdate }) => nextUpdate)).toEqual([new Date(now + 7 * DAY), new Date(now + 7 * DAY)])
  expect(isRevoked(stolen, lists)).toBe(true)
  expect(isRevoked(kept, lists)).toBe(false)
})

test('a serial number revokes nothing of another CA', async () => {
  const serials = [new X509Certificate(middle.certPem).serialNumber]
  expect(isRevoked(new X509Certificate(middle.certPem), readRevocationLists(await listOf(root, { serials })))).toBe(true)
  expect(isRevoked(new X509Certificate(middle.certPem), readRevocationLists(await listOf(middle, { serials })))).toBe(false)
})

test('further lists, such as those of the intermediates of other clusters, are passed on', async () => {
  const other = await listOf(intermediate(root, 'other cluster'))
  expect(loadWith((await listOf(middle)) + other + (await listOf(root))).crlPem).toContain(other.trim())
})

test('another intermediate needs a list of the former one, whose certificates are still about, unless that is revoked', async () => {
  const next = intermediate(root, 'next')
  const former = new X509Certificate(middle.certPem)
  const own = await listOf(next)
  const message = 'no list in it is signed by "O=middle", of which proxies still have certificates'
  const above = await listOf(root)
  expect(() => checkListsOfFormer(own + above, former)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }))
  for (const crl of ['', own + above + (await listOf(middle)), own + (await listOf(root, { serials: [former.serialNumber] }))])
    expect(() => checkListsOfFormer(crl, former)).not.toThrow()
})

test.each([
  ['one of the chain lacks a list', async () => listOf(middle), 'no list in it is signed by "O=root"'],
  [
    'a list is signed by another key',
    async () => (await listOf(intermediate(root, 'middle'))) + (await listOf(root)),
    'signed by "O=middle"',
  ],
  [
    'a list has ended',
    async () => (await listOf(middle)) + (await listOf(root, { until: now })),
    'the list of "O=root" ended at 2031-01-01',
  ],
  [
    'a list is of the future',
    async () => (await listOf(middle, { from: now + DAY })) + (await listOf(root)),
    'is not in force before 2031-01-02',
  ],
  ['there is no list in the text', async () => root.certPem, 'no list is in it'],
  [
    'there is more than a Secret holds',
    async () => (await listOf(middle)) + ' '.repeat(1 << 20) + (await listOf(root)),
    'no more than 1048576',
  ],
  ['a list is cut short', async () => (await listOf(middle)).replace(/\n[^\n]+\n-----END/, '\n-----END'), 'list 1 cannot be read'],
])('lists are refused where %s', async (_, make, message) => {
  const crl = await make()
  expect(() => loadWith(crl)).toThrow(expect.objectContaining({ code: 'REVOCATION_UNUSABLE', message: expect.stringContaining(message) }))
})

test('lists too long to be read are refused, and not taken for none', () => {
  expect(() => readRevocationLists(' '.repeat(4 << 20))).toThrow(expect.objectContaining({ code: 'REVOCATION_UNUSABLE' }))
  expect(readRevocationLists(' '.repeat(2 << 20))).toEqual([])
})

test('an empty entry is no list', () => {
  expect(loadWith('\n').crlPem).toBe('')
})

test('lists as OpenSSL writes them are read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'crl-'))
  try {
    const path = (name: string) => join(folder, name)
    const own = createSelfSignedRoot({ organization: 'openssl', now: Date.now() })
    writeFileSync(path('ca.pem'), own.certPem)
    writeFileSync(path('ca.key'), own.keyPem)
    writeFileSync(path('index.txt'), 'R\t310101000000Z\t260101000000Z,keyCompromise\t00AB12\tunknown\t/O=cart\n')
    writeFileSync(path('crlnumber'), '01\n')
    writeFileSync(
      path('ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${path('index.txt')}\ncrlnumber=${path('crlnumber')}\ndefault_md=sha256\ndefault_crl_days=7\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n`,
    )
    const files = ['-config', path('ca.cnf'), '-cert', path('ca.pem'), '-keyfile', path('ca.key')]
    const pem = execFileSync('openssl', ['ca', '-gencrl', ...files], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    const [list] = readRevocationLists(pem)
    expect([...(list?.serials ?? [])]).toEqual(['AB12'])
    expect(list?.isOf(new X509Certificate(own.certPem))).toBe(true)
    const whole = { caCert: own.certPem, caKey: own.keyPem, rootCert: own.certPem, crl: pem }
    expect(loadSigningMaterial(whole, Date.now() + 1_000).crlPem).not.toBe('')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
