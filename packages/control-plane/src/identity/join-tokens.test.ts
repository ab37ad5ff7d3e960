import { X509Certificate } from 'node:crypto'
import { status as Status } from '@grpc/grpc-js'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { createJoinToken, type JoinClaim } from '@lateen/ca'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { type Caller, openStream, requestCertificate } from '../../testdata/test-proxy.ts'
import type { ControlPlane } from '../control-plane.ts'

const { ConfigMap, Secret, WorkloadGroup } = RESOURCE_TYPES
const CLAIM: JoinClaim = { namespace: 'shop', workloadGroup: 'machines', serviceAccount: 'machine' }

let cluster: TestCluster
let plane: ControlPlane
let roots = ''

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('shop')
  plane = await cluster.startControlPlane()
  const map = await cluster.until(ConfigMap, 'shop', 'istio-ca-root-cert', () => true)
  roots = String(Object.values(map.data ?? {})[0])
  await cluster.client.create(WorkloadGroup, group('machines', 'machine'))
}, 60_000)
afterAll(() => cluster.close(), 60_000)

const group = (name: string, serviceAccount: string): KubeObject => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'WorkloadGroup',
  metadata: { name, namespace: 'shop' },
  spec: { template: { serviceAccount } },
})

async function newToken(claim: JoinClaim = CLAIM, now = Date.now()): Promise<string> {
  const { token, secret } = createJoinToken(claim, { controlPlaneNamespace: 'istio-system', now })
  await cluster.client.create(Secret, { ...secret })
  return token
}

const caller = (token: string): Caller => ({ port: plane.ports.secureGrpc ?? 0, roots, token })
const refusal = (details: string) => ({ code: Status.UNAUTHENTICATED, details: expect.stringContaining(details) })

test('a join token gets one certificate, of the service account of its group, and renewal is by the certificate', async () => {
  const token = await newToken()
  const { chain, key } = await requestCertificate(caller(token))
  expect(new X509Certificate(chain[0] ?? '').subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/sa/machine')
  await expect(requestCertificate(caller(token))).rejects.toMatchObject(refusal('used already'))
  const renewed = await requestCertificate({ port: plane.ports.secureGrpc ?? 0, roots, certificate: { chain: chain.join(''), key } })
  expect(new X509Certificate(renewed.chain[0] ?? '').subjectAltName).toBe('URI:spiffe://cluster.local/ns/shop/sa/machine')
})

test('of many who use a token at once, one gets a certificate', async () => {
  const token = await newToken()
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => requestCertificate(caller(token))))
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
})

test('a token that has expired, is changed, or whose group has gone or runs as another account is refused', async () => {
  const expired = await newToken(CLAIM, Date.now() - 2 * 3_600_000)
  await expect(requestCertificate(caller(expired))).rejects.toMatchObject(refusal('expired'))
  const changed = `${(await newToken()).slice(0, -1)}A`.replace(/AA$/, 'AB')
  await expect(requestCertificate(caller(changed))).rejects.toMatchObject(refusal('not known'))
  const gone = await newToken({ ...CLAIM, workloadGroup: 'gone' })
  await expect(requestCertificate(caller(gone))).rejects.toMatchObject(refusal('does not exist'))
  const other = await newToken({ ...CLAIM, serviceAccount: 'admin' })
  await expect(requestCertificate(caller(other))).rejects.toMatchObject(refusal('now runs as machine'))
})

test('a join token opens no stream, and is not lost by trying', async () => {
  const token = await newToken()
  const stream = openStream(caller(token), { id: 'sidecar~10.0.0.9~vm.shop~shop.svc.cluster.local', namespace: 'shop' })
  stream.subscribe('type.googleapis.com/envoy.config.cluster.v3.Cluster')
  expect(await stream.ended).toMatchObject({ code: Status.PERMISSION_DENIED })
  stream.close()
  expect((await requestCertificate(caller(token))).chain.length).toBeGreaterThan(1)
})

test('a Secret of another type is no token, whatever it holds', async () => {
  const { token, secret } = createJoinToken(CLAIM, { controlPlaneNamespace: 'istio-system', now: Date.now() })
  await cluster.client.create(Secret, { ...secret, type: 'Opaque' })
  await expect(requestCertificate(caller(token))).rejects.toMatchObject(refusal('not known'))
})
