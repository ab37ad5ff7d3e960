import { X509Certificate } from 'node:crypto'
import { status as Status } from '@grpc/grpc-js'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { createSelfSignedRoot } from '@lateen/ca'
import { TYPE_URL } from '@lateen/envoy'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { belowIntermediate } from '../../testdata/intermediate.ts'
import { listOf } from '../../testdata/revocation-list.ts'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { type Caller, type IssuedCertificate, openStream, requestCertificate } from '../../testdata/test-proxy.ts'
import type { ControlPlane } from '../control-plane.ts'

const { ConfigMap, Secret } = RESOURCE_TYPES
const root = createSelfSignedRoot({ organization: 'revoking', now: Date.now() })

let cluster: TestCluster
let plane: ControlPlane

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('istio-system')
  await cluster.createNamespace('shop')
  await cluster.client.create(Secret, cacerts())
  plane = await cluster.startControlPlane()
  await cluster.until(ConfigMap, 'shop', 'istio-ca-root-cert', () => true)
}, 60_000)
afterAll(() => cluster.close(), 60_000)

/** As cert-manager writes it. */
function cacerts(crl?: string): KubeObject {
  const entries = { 'tls.crt': root.certPem, 'tls.key': root.keyPem, 'ca.crt': root.certPem, ...(crl ? { 'ca-crl.pem': crl } : {}) }
  const data = Object.fromEntries(Object.entries(entries).map(([name, text]) => [name, Buffer.from(text).toString('base64')]))
  return { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'cacerts', namespace: 'istio-system' }, data }
}

const secure = (extra: Partial<Caller>): Caller => ({ port: plane.ports.secureGrpc ?? 0, roots: root.certPem, ...extra })
const shown = ({ chain, key }: IssuedCertificate) => secure({ certificate: { chain: chain.join(''), key } })
const answerTo = (caller: IssuedCertificate) =>
  requestCertificate(shown(caller)).then(
    () => 'signed',
    ({ code }) => code,
  )
const byToken = async () => requestCertificate(secure({ token: await cluster.token('shop', 'cart') }))

test('a revoked certificate renews nothing and opens no stream; a token still does, and so do other certificates', async () => {
  const [stolen, kept] = [await byToken(), await byToken()]
  await requestCertificate(shown(stolen))
  const { serialNumber } = new X509Certificate(stolen.chain[0] ?? '')
  await cluster.client.update(Secret, cacerts(await listOf(root, serialNumber)))
  await cluster.until(ConfigMap, 'shop', 'istio-ca-crl', () => true)
  await expect(requestCertificate(shown(stolen))).rejects.toMatchObject({
    code: Status.UNAUTHENTICATED,
    details: 'neither a client certificate of this mesh nor a bearer token was given',
  })
  await requestCertificate(shown(kept))
  await byToken()
  const node = { id: 'sidecar~10.0.0.1~cart-1.shop~shop.svc.cluster.local', namespace: 'shop', serviceAccount: 'cart' }
  const stream = openStream(shown(stolen), node)
  stream.subscribe(TYPE_URL.CDS)
  expect((await stream.ended).details).toContain('neither a client certificate of this mesh')
})

test('what an intermediate has signed is worth nothing once its root has revoked it', async () => {
  const stolen = await belowIntermediate(root, 'spiffe://cluster.local/ns/shop/sa/cart')
  await cluster.client.update(Secret, cacerts())
  await expect.poll(() => answerTo(stolen)).toBe('signed')
  await cluster.client.update(Secret, cacerts(await listOf(root, stolen.intermediate)))
  await expect.poll(() => answerTo(stolen)).toBe(Status.UNAUTHENTICATED)
  await byToken()
})
