import 'reflect-metadata'
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import tls from 'node:tls'
import * as x509 from '@peculiar/x509'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CertificateAuthority } from './certificate-authority.ts'
import { CaError } from './errors.ts'
import { inspect, inspectAll } from './inspect.ts'
import { generateKey, keyToPem, makeRequest } from './request.ts'
import { createSelfSignedRoot } from './self-signed.ts'

const DAY = 86_400_000
const now = Date.parse('2031-03-04T05:06:07.500Z')
const root = createSelfSignedRoot({ organization: 'cluster.local', now })
const ca = CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem }, { now: () => now })
const cart = 'spiffe://cluster.local/ns/shop/sa/cart'
const request = makeRequest(generateKey())
const refusal = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    if (error instanceof CaError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'no error'
}

describe('a workload certificate', () => {
  test('holds one URI, is backdated by two minutes, lives a day, and is for TLS as server and client', () => {
    const signed = ca.signWorkload(request, { identities: [cart] })
    const info = inspect(signed.certPem)
    expect(info).toMatchObject({ uris: [cart], dnsNames: [], ips: [], isCa: false, subject: '', serial: signed.serial })
    expect(info.notBefore.toISOString()).toBe('2031-03-04T05:04:07.000Z')
    expect(info.notAfter.toISOString()).toBe('2031-03-05T05:06:07.000Z')
    expect(new X509Certificate(signed.certPem).keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    expect(signed.chain).toEqual([signed.certPem, root.certPem])
    expect(signed.chainPem).toBe(signed.certPem)
  })

  test('is read the same by another implementation, with a critical SAN because its subject is empty', async () => {
    const cert = new x509.X509Certificate(ca.signWorkload(request, { identities: [cart] }).certPem)
    const san = cert.getExtension(x509.SubjectAlternativeNameExtension)
    expect(san?.critical).toBe(true)
    expect(san?.names.toJSON()).toEqual([{ type: 'url', value: cart }])
    expect(cert.getExtension(x509.KeyUsagesExtension)?.usages).toBe(
      x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
    )
    expect(await cert.verify({ publicKey: new x509.X509Certificate(root.certPem), signatureOnly: true })).toBe(true)
    const aki = cert.getExtension(x509.AuthorityKeyIdentifierExtension)
    expect(aki?.keyId).toBe(new x509.X509Certificate(root.certPem).getExtension(x509.SubjectKeyIdentifierExtension)?.keyId)
  })

  test('ignores the names that the request asks for', () => {
    const greedy = makeRequest(generateKey(), {
      uris: ['spiffe://cluster.local/ns/istio-system/sa/admin'],
      dnsNames: ['istiod.istio-system.svc'],
      subject: { commonName: 'root' },
    })
    expect(inspect(ca.signWorkload(greedy, { identities: [cart] }).certPem)).toMatchObject({ uris: [cart], dnsNames: [], subject: '' })
  })

  test('carries what peers may know of the workload in its subject, cleaned and cut', () => {
    const labels = {
      workload: 'cart,OU=wl.admin',
      namespace: 'shop',
      version: 'v1',
      cluster: 'c'.repeat(200),
      service: 'cart',
      app: 'cart',
      appVersion: '1',
    }
    const info = inspect(ca.signWorkload(request, { identities: [cart], labels }).certPem)
    expect(info.subject).toBe(`OU=wl.cart_OU_wl.admin, OU=ns.shop, OU=ver.v1, OU=cl.${'c'.repeat(61)}, OU=cs.cart, OU=app.cart, OU=av.1`)
  })

  test('may ask for a lifetime up to the maximum', () => {
    expect(ca.signWorkload(request, { identities: [cart], ttlMs: 90 * DAY }).notAfter.getTime()).toBe(
      Math.floor((now + 90 * DAY) / 1000) * 1000,
    )
    expect(refusal(() => ca.signWorkload(request, { identities: [cart], ttlMs: 90 * DAY + 1 }))).toMatch(
      /SUBJECT_REFUSED.*MAX_WORKLOAD_CERT_TTL/,
    )
  })

  test('does not outlive its issuer, and an expired issuer signs nothing', () => {
    const short = createSelfSignedRoot({ organization: 'x', now, ttlMs: 60_000 })
    const clock = { at: now }
    const authority = CertificateAuthority.load(
      { caCert: short.certPem, caKey: short.keyPem, rootCert: short.certPem },
      { now: () => clock.at },
    )
    expect(authority.signWorkload(request, { identities: [cart] }).notAfter.toISOString()).toBe('2031-03-04T05:07:07.000Z')
    clock.at += 60_000
    expect(refusal(() => authority.signWorkload(request, { identities: [cart] }))).toMatch(/CA_UNUSABLE: the CA's certificate expired/)
  })

  test('is refused to a caller with no identity, with two, or with one that is not a workload identity', () => {
    expect(refusal(() => ca.signWorkload(request, { identities: [] }))).toMatch('SUBJECT_REFUSED')
    expect(refusal(() => ca.signWorkload(request, { identities: [cart, cart] }))).toMatch('2 were given')
    for (const bad of ['spiffe://td/ns/a', 'spiffe://td/ns/a/sa/b/c', 'https://td/ns/a/sa/b', 'spiffe://td/ns/a b/sa/c', `${cart}\n`]) {
      expect(refusal(() => ca.signWorkload(request, { identities: [bad] }))).toMatch('is not an identity')
    }
  })

  test('has a serial of its own', () => {
    expect(new Set(Array.from({ length: 50 }, () => ca.signWorkload(request, { identities: [cart] }).serial)).size).toBe(50)
  })
})

describe('a request', () => {
  const sign = (pem: string) => refusal(() => ca.signWorkload(pem, { identities: [cart] }))

  test.each(['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'] as const)(
    'with a key of kind %s is accepted here and by another implementation',
    async (kind) => {
      const pem = makeRequest(generateKey(kind), { uris: [cart] })
      expect(await new x509.Pkcs10CertificateRequest(pem).verify()).toBe(true)
      expect(sign(pem)).toBe('no error')
    },
  )

  test('made by another implementation is accepted', async () => {
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const made = await x509.Pkcs10CertificateRequestGenerator.create({ name: 'O=x', keys, signingAlgorithm: algorithm })
    expect(sign(made.toString('pem'))).toBe('no error')
  })

  test('with a weak key is refused', async () => {
    const weak = async (key: KeyObject, hash: string) => {
      const name = key.asymmetricKeyType === 'rsa' ? { name: 'RSASSA-PKCS1-v1_5', hash } : { name: 'ECDSA', namedCurve: 'P-256', hash }
      const usable = await crypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), name, true, ['sign'])
      const publicJwk = { ...key.export({ format: 'jwk' }) }
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi']) Reflect.deleteProperty(publicJwk, secret)
      const publicKey = await crypto.subtle.importKey('jwk', publicJwk, name, true, ['verify'])
      return (
        await x509.Pkcs10CertificateRequestGenerator.create({
          name: 'O=x',
          keys: { privateKey: usable, publicKey },
          signingAlgorithm: name,
        })
      ).toString('pem')
    }
    expect(sign(await weak(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey, 'SHA-256'))).toMatch(
      'KEY_REFUSED: the key of the certificate request is RSA of 1024 bits',
    )
    expect(sign(await weak(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'SHA-1'))).toMatch(
      'algorithm that is not accepted',
    )
    expect(refusal(() => makeRequest(generateKeyPairSync('ed25519').privateKey))).toMatch('of the type ed25519')
    expect(refusal(() => makeRequest(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey))).toMatch('secp256k1')
  })

  test('whose signature is by another key is refused', () => {
    const der = Buffer.from(request.replace(/-----.*-----|\s/g, ''), 'base64')
    der[der.length - 1] = (der[der.length - 1] ?? 0) ^ 1
    expect(sign(`-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`)).toMatch(
      'possession of the private key is not proven',
    )
  })

  test('that is empty, huge, doubled or no request at all is refused', () => {
    expect(sign('')).toMatch('found 0')
    expect(sign(request.repeat(2))).toMatch('found 2')
    expect(sign(root.certPem)).toMatch('found 0')
    expect(sign(request + 'x'.repeat(20_000))).toMatch('at most 16384')
  })

  test('with any bytes changed or cut is signed or refused, and nothing else happens', () => {
    const der = Buffer.from(request.replace(/-----.*-----|\s/g, ''), 'base64')
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(der.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(der.length), (edits, cut) => {
        const changed = Buffer.from(der)
        for (const [at, value] of edits) changed[at] = value
        sign(
          `-----BEGIN CERTIFICATE REQUEST-----\n${changed.subarray(0, cut || der.length).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
        )
      }),
      { numRuns: 500 },
    )
  })
})

test('a server certificate serves TLS for its names and addresses, and a workload is known to it by its identity', async () => {
  const live = createSelfSignedRoot({ organization: 'cluster.local', now: Date.now() })
  const authority = CertificateAuthority.load({ caCert: live.certPem, caKey: live.keyPem, rootCert: live.certPem })
  const server = authority.signServer({ dnsNames: ['istiod.istio-system.svc', '*.example.test'], ips: ['127.0.0.1', '2001:db8::1:0'] })
  expect(inspect(server.certPem)).toMatchObject({
    dnsNames: ['istiod.istio-system.svc', '*.example.test'],
    ips: ['127.0.0.1', '2001:db8::1:0'],
  })

  const key = generateKey()
  const client = authority.signWorkload(makeRequest(key), { identities: [cart] })
  const listener = tls.createServer(
    { key: server.keyPem, cert: server.chainPem, ca: authority.rootsPem, requestCert: true, rejectUnauthorized: true },
    (socket) => socket.end(socket.getPeerCertificate().subjectaltname ?? ''),
  )
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    servername: 'istiod.istio-system.svc',
    ca: authority.rootsPem,
    key: keyToPem(key),
    cert: client.chainPem,
  })
  const answer: Buffer[] = []
  for await (const chunk of socket) answer.push(chunk)
  listener.close()
  expect(Buffer.concat(answer).toString()).toBe(`URI:${cart}`)
})

test('a server certificate for no name, a bad name or a bad address is refused', () => {
  expect(refusal(() => ca.signServer({ dnsNames: [] }))).toMatch('needs a DNS name or an IP address')
  expect(refusal(() => ca.signServer({ dnsNames: ['a b'] }))).toMatch('"a b" is not a DNS name')
  expect(refusal(() => ca.signServer({ dnsNames: [], ips: ['1.2.3'] }))).toMatch('"1.2.3" is not an IP address')
})

test('an authority of RSA keys signs for ECDSA workloads', () => {
  const rsa = createSelfSignedRoot({ organization: 'cluster.local', now, key: 'rsa-2048' })
  const authority = CertificateAuthority.load({ caCert: rsa.certPem, caKey: rsa.keyPem, rootCert: rsa.certPem }, { now: () => now })
  const leaf = new X509Certificate(authority.signWorkload(request, { identities: [cart] }).certPem)
  expect(leaf.verify(new X509Certificate(rsa.certPem).publicKey)).toBe(true)
  expect(inspectAll(rsa.certPem)[0]).toMatchObject({ isCa: true, subject: 'O=cluster.local' })
})
