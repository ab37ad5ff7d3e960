import { X509Certificate } from 'node:crypto'
import { status as Status } from '@grpc/grpc-js'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { CertificateAuthority, createSelfSignedRoot, leadsTo, parseIdentity, requestedNames } from '@lateen/ca'
import { type ListWatch, listWatch } from '@lateen/kube'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestCluster, type TestCluster } from '../../testdata/test-cluster.ts'
import { type Caller, requestCertificate } from '../../testdata/test-proxy.ts'
import type { ControlPlane } from '../control-plane.ts'

const { CertificateSigningRequest: CSR, ConfigMap } = RESOURCE_TYPES
const CART = 'spiffe://cluster.local/ns/shop/sa/cart'

let cluster: TestCluster
let plane: ControlPlane
let signers: Signers
let roots = ''

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('istio-system')
  await cluster.createNamespace('shop')
  signers = startSigners(cluster, ['example.test/default', 'example.test/team-a', 'example.test/refusing'])
  const caCertificates = [...signers.roots].map(([signer, pem]) => ({ pem, certSigners: [signer] }))
  await cluster.client.create(ConfigMap, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'istio', namespace: 'istio-system' },
    data: { mesh: JSON.stringify({ caCertificates, trustDomainAliases: ['former.example'] }) },
  })
  plane = await cluster.startControlPlane({
    EXTERNAL_CA: 'ISTIOD_RA_KUBERNETES_API',
    K8S_SIGNER: 'example.test/default',
    CERT_SIGNER_DOMAIN: 'example.test',
  })
  const map = await cluster.until(
    ConfigMap,
    'shop',
    'istio-ca-root-cert',
    ({ data }) => String(Object.values(data ?? {})[0]).split('BEGIN').length > 3,
  )
  roots = String(Object.values(map.data ?? {})[0])
}, 60_000)
afterAll(async () => {
  signers.stop()
  await cluster.close()
}, 60_000)

const caller = async (): Promise<Caller> => ({ port: plane.ports.secureGrpc ?? 0, roots, token: await cluster.token('shop', 'cart') })

test('a certificate comes from the signer of the API, with its root, and the request is gone afterwards', async () => {
  const { chain } = await requestCertificate(await caller(), 7200, { uri: CART })
  const leaf = new X509Certificate(chain[0] ?? '')
  expect(leaf.subjectAltName).toBe(`URI:${CART}`)
  expect(leadsTo(chain[0] ?? '', signers.roots.get('example.test/default') ?? '')).toBe(true)
  expect(chain.at(-1)?.trim()).toBe(signers.roots.get('example.test/default')?.trim())
  expect(Math.round((leaf.validToDate.getTime() - Date.now()) / 3_600_000)).toBe(2)
  await expect.poll(async () => (await cluster.client.list(CSR)).items).toEqual([])
})

test('a proxy may choose a signer of the domain', async () => {
  const { chain } = await requestCertificate(await caller(), 0, { uri: CART, signer: 'team-a' })
  expect(leadsTo(chain[0] ?? '', signers.roots.get('example.test/team-a') ?? '')).toBe(true)
  await expect(requestCertificate(await caller(), 0, { uri: CART, signer: '../other.test/x' })).rejects.toMatchObject({
    code: Status.INVALID_ARGUMENT,
    details: expect.stringContaining('is not the name of a signer'),
  })
})

test('a request for another identity, or for names besides, never reaches the signer', async () => {
  const seen = signers.seen.length
  const refused = { code: Status.INVALID_ARGUMENT, details: expect.stringContaining('the certificate request asks for') }
  await expect(requestCertificate(await caller(), 0, {})).rejects.toMatchObject(refused)
  await expect(requestCertificate(await caller(), 0, { uri: CART, dnsNames: ['istiod.istio-system.svc'] })).rejects.toMatchObject(refused)
  expect(signers.seen).toHaveLength(seen)
})

test('a proxy that was started when the mesh had another name is served under that', async () => {
  const uri = 'spiffe://former.example/ns/shop/sa/cart'
  const { chain } = await requestCertificate(await caller(), 0, { uri })
  expect(new X509Certificate(chain[0] ?? '').subjectAltName).toBe(`URI:${uri}`)
  const other = { uri: 'spiffe://former.example/ns/shop/sa/admin' }
  await expect(requestCertificate(await caller(), 0, other)).rejects.toHaveProperty('code', Status.INVALID_ARGUMENT)
})

test('what the signer refuses is said to the proxy', async () => {
  await expect(requestCertificate(await caller(), 0, { uri: CART, signer: 'refusing' })).rejects.toMatchObject({
    code: Status.UNAVAILABLE,
    details: expect.stringContaining('example.test/refusing answered Failed: out of ink'),
  })
})

interface Signers {
  /** By signer name. */
  readonly roots: ReadonlyMap<string, string>
  readonly seen: readonly string[]
  stop(): void
}

/** A controller that signs approved requests of its signers, as cert-manager's does; `refusing` fails them. */
function startSigners({ client }: TestCluster, names: readonly string[]): Signers {
  const authorities = new Map(
    names.map((name) => {
      const root = createSelfSignedRoot({ organization: name, now: Date.now() })
      const authority = CertificateAuthority.load({ caCert: root.certPem, caKey: root.keyPem, rootCert: root.certPem })
      return [name, authority] as const
    }),
  )
  const seen: string[] = []
  const done = new Set<string>()
  const sign = async (object: KubeObject) => {
    const spec = object.spec as { signerName: string; request: string; expirationSeconds: number; usages: string[] }
    const status = (object.status ?? {}) as { conditions?: { type: string }[]; certificate?: string }
    const authority = authorities.get(spec.signerName)
    if (!authority || done.has(object.metadata.name) || !status.conditions?.some(({ type }) => type === 'Approved')) return
    done.add(object.metadata.name)
    seen.push(spec.signerName)
    const csr = Buffer.from(spec.request, 'base64').toString()
    const failed = { type: 'Failed', status: 'True', reason: 'NoInk', message: 'out of ink' }
    const { uris } = requestedNames(csr)
    expect(parseIdentity(uris[0] ?? '')).toBeDefined()
    const next = spec.signerName.endsWith('/refusing')
      ? { ...status, conditions: [...status.conditions, failed] }
      : {
          ...status,
          certificate: Buffer.from(
            authority.signWorkload(csr, { identities: uris, ttlMs: spec.expirationSeconds * 1000 }).chainPem,
          ).toString('base64'),
        }
    await client.update(CSR, { ...object, status: next }, { subresource: 'status' })
  }
  const onObject = (object: KubeObject) => void sign(object)
  const watch: ListWatch = listWatch(
    client,
    CSR,
    {},
    { replace: (objects) => objects.forEach(onObject), set: onObject, delete: () => undefined },
  )
  return {
    roots: new Map([...authorities].map(([name, { rootsPem }]) => [name, rootsPem])),
    seen,
    stop: () => watch.stop(),
  }
}
