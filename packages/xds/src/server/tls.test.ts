import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { type ChannelCredentials, credentials } from '@grpc/grpc-js'
import * as x509 from '@peculiar/x509'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { MemorySource } from '../../testdata/memory-source.ts'
import { node, T } from '../../testdata/simulated-proxy.ts'
import { until } from '../../testdata/until.ts'
import { type AdsClient, createAdsClient } from '../client/ads-client.ts'
import { createXdsServer, type RunningListener, type XdsServer } from './server.ts'
import { CertificateStore } from './tls.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const CART = 'spiffe://cluster.local/ns/shop/sa/cart'

interface Signed {
  readonly certificate: x509.X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
  readonly pem: string
  readonly key: string
}

async function sign(name: string, issuer: Signed | undefined, sans: x509.JsonGeneralNames): Promise<Signed> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const extensions = [
    new x509.BasicConstraintsExtension(!issuer, undefined, true),
    ...(sans.length > 0 ? [new x509.SubjectAlternativeNameExtension(sans)] : []),
  ]
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    signingKey: issuer?.keys.privateKey ?? keys.privateKey,
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions,
  })
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  return { certificate, keys, pem: certificate.toString('pem'), key }
}

let root: Signed
let otherRoot: Signed
let store: CertificateStore
let server: XdsServer
let listener: RunningListener
const source = new MemorySource()
const clients: AdsClient[] = []

beforeAll(async () => {
  x509.cryptoProvider.set(webcrypto)
  root = await sign('root', undefined, [])
  otherRoot = await sign('other root', undefined, [])
  store = new CertificateStore(await serverCertificate(root))
  server = createXdsServer({ source })
  listener = await server.start({ address: '127.0.0.1:0', tls: { certificates: store } })
})

afterAll(async () => {
  for (const client of clients) client.close()
  await server.close({ graceMs: 100 })
})

async function serverCertificate(by: Signed) {
  const signed = await sign('istiod', by, [{ type: 'dns', value: 'istiod.test' }])
  return { certificateChain: signed.pem, privateKey: signed.key, clientRoots: by.pem }
}

function connect(made: () => ChannelCredentials): { client: AdsClient; reasons: string[] } {
  const reasons: string[] = []
  const client = createAdsClient({
    upstream: {
      address: `127.0.0.1:${listener.port}`,
      credentials: made,
      channelOptions: { 'grpc.ssl_target_name_override': 'istiod.test', 'grpc.default_authority': 'istiod.test' },
      backoff: { firstMs: 20, longestMs: 50 },
    },
    node: node('sidecar~10.0.0.1~a.b~b', 'envoy'),
    subscriptions: [{ typeUrl: T.CDS, update: () => undefined }],
    connection: (_state, reason) => void reasons.push(reason),
  })
  clients.push(client)
  return { client, reasons }
}

const tls = (roots: Signed, own?: Signed) => () =>
  own
    ? credentials.createSsl(Buffer.from(roots.pem), Buffer.from(own.key), Buffer.from(own.pem))
    : credentials.createSsl(Buffer.from(roots.pem))

async function nextSession() {
  const before = source.opened.length
  return until('a session', () => source.opened[before])
}

test('the URIs of a verified client certificate are the identity', async () => {
  const own = await sign('cart', root, [
    { type: 'url', value: CART },
    { type: 'dns', value: 'cart.shop' },
    { type: 'url', value: 'spiffe://cluster.local/ns/a, URI:spiffe://evil' },
  ])
  connect(tls(root, own))
  const { peer } = await nextSession()
  expect(peer).toMatchObject({ encrypted: true })
  expect(peer.identities).toEqual([CART, 'spiffe://cluster.local/ns/a, URI:spiffe://evil'])
})

test('without a client certificate there is no identity', async () => {
  connect(tls(root))
  expect((await nextSession()).peer).toMatchObject({ encrypted: true, identities: [] })
})

test('a certificate that leads to another root proves nothing', async () => {
  connect(tls(root, await sign('cart', otherRoot, [{ type: 'url', value: CART }])))
  expect((await nextSession()).peer.identities).toEqual([])
})

test('the certificate and the roots can be replaced while streams are open', async () => {
  const { client } = connect(tls(root))
  await nextSession()
  await until('the stream', () => client.isUp)
  store.replace(await serverCertificate(otherRoot))
  connect(tls(otherRoot, await sign('cart', otherRoot, [{ type: 'url', value: CART }])))
  expect((await nextSession()).peer.identities).toEqual([CART])
  expect(client.isUp).toBe(true)
  const { reasons } = connect(tls(root))
  await until('the old root is of no use any more', () => reasons.some((reason) => reason !== ''))
})

test('a plaintext listener of the same server tells that it is not encrypted', async () => {
  const plain = await server.start({ address: '127.0.0.1:0' })
  const client = createAdsClient({
    upstream: { address: `127.0.0.1:${plain.port}` },
    node: node('sidecar~10.0.0.1~a.b~b', 'envoy'),
    subscriptions: [{ typeUrl: T.CDS, update: () => undefined }],
  })
  clients.push(client)
  expect((await nextSession()).peer).toMatchObject({ encrypted: false, identities: [] })
})

test('an address that is taken is named', async () => {
  await expect(server.start({ address: `127.0.0.1:${listener.port}` })).rejects.toThrow(`xDS: cannot listen on 127.0.0.1:${listener.port}`)
})
