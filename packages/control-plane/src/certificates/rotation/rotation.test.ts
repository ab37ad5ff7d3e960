import { status as Status } from '@grpc/grpc-js'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import {
  decodeIssuer,
  decodeRoots,
  inspectAll,
  leadsTo,
  type Phase,
  ROTATION_NAME,
  type RotationRecord,
  type RotationRequest,
  recordFromData,
  TRUST_TYPE,
} from '@lateen/ca'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestCluster, type TestCluster } from '../../../testdata/test-cluster.ts'
import { type Caller, type IssuedCertificate, openStream, requestCertificate } from '../../../testdata/test-proxy.ts'
import type { ControlPlane } from '../../control-plane.ts'

const { ConfigMap, Secret } = RESOURCE_TYPES
const MAP = 'istio-ca-root-cert'

let cluster: TestCluster
let plane: ControlPlane

beforeAll(async () => {
  cluster = await startTestCluster()
  await cluster.createNamespace('shop')
  plane = await cluster.startControlPlane()
  await until(({ inForce, rotation }) => inForce !== undefined && rotation === undefined)
}, 60_000)
afterAll(() => cluster.close(), 60_000)

async function until(holds: (record: RotationRecord) => boolean): Promise<RotationRecord> {
  return recordFromData((await cluster.until(ConfigMap, 'istio-system', ROTATION_NAME, ({ data }) => holds(recordFromData(data)))).data)
}

let asked = 0
async function request(action: RotationRequest['action']): Promise<string> {
  const id = `request-${++asked}`
  await cluster.client.patch(ConfigMap, 'istio-system', ROTATION_NAME, { data: { request: JSON.stringify({ action, id }) } })
  return (await until(({ answer }) => answer?.id === id)).answer?.message ?? ''
}

// A control plane that has just started waits for its proxies for some seconds.
vi.setConfig({ testTimeout: 40_000 })

const inPhase = (phase: Phase) => until(({ rotation }) => rotation?.phase === phase)
const atRest = () => until(({ rotation }) => rotation === undefined)
const mounted = async () => String(Object.values((await cluster.client.get(ConfigMap, 'shop', MAP)).data ?? {})[0])

/** A proxy that takes what it is told of trust when the test says so. */
interface Proxy {
  /** The roots that it is told next, not yet acknowledged. */
  roots(): Promise<{ readonly pem: string; take(): void }>
  /** The issuer that it is told next, not yet acknowledged. */
  issuer(): Promise<{ readonly pem: string; take(): void }>
  close(): void
}

async function connect(name: string, to: ControlPlane = plane): Promise<Proxy> {
  const caller: Caller = { port: to.ports.secureGrpc ?? 0, roots: await mounted(), token: await cluster.token('shop', 'cart') }
  const stream = openStream(caller, {
    id: `sidecar~10.0.0.7~${name}.shop~shop.svc.cluster.local`,
    namespace: 'shop',
    serviceAccount: 'cart',
  })
  stream.subscribe(TRUST_TYPE.roots)
  stream.subscribe(TRUST_TYPE.issuer)
  const next = async (typeUrl: string, read: (bytes: Uint8Array) => string) => {
    const response = await stream.next(typeUrl)
    return { pem: read(response.resources[0]?.resource?.value ?? Buffer.alloc(0)), take: () => stream.ack(response) }
  }
  return {
    roots: () => next(TRUST_TYPE.roots, (bytes) => decodeRoots(bytes).rootsPem),
    issuer: () => next(TRUST_TYPE.issuer, (bytes) => decodeIssuer(bytes).rootPem),
    close: () => stream.close(),
  }
}

/** A proxy that has taken what holds now. */
async function connected(name: string, to: ControlPlane = plane): Promise<Proxy> {
  const proxy = await connect(name, to)
  const first = await proxy.roots()
  first.take()
  return proxy
}

async function sign(): Promise<IssuedCertificate> {
  return requestCertificate({ port: plane.ports.secureGrpc ?? 0, roots: await mounted(), token: await cluster.token('shop', 'cart') })
}

const rootsIn = (pem: string) => inspectAll(pem).map(({ fingerprint }) => fingerprint)
const leafOf = async () => (await sign()).chain[0] ?? ''

test('no phase ends before every proxy has what the next one needs', async () => {
  const old = await mounted()
  const proxy = await connected('cart-1')
  expect(await request('rotate')).toBe('begun')
  const both = await proxy.roots()
  expect(rootsIn(both.pem)).toHaveLength(2)
  expect(rootsIn(both.pem)).toContain(rootsIn(old)[0])
  await until(({ rotation }) => rotation?.waitingFor?.includes('cart-1.shop') === true)
  expect(leadsTo(await leafOf(), old)).toBe(true)
  expect(await request('rotate')).toContain('under way already')

  both.take()
  const issuer = await proxy.issuer()
  expect(rootsIn(both.pem)).toContain(rootsIn(issuer.pem)[0])
  await inPhase('issue')
  const renewed = await leafOf()
  expect(leadsTo(renewed, issuer.pem)).toBe(true)
  expect(leadsTo(renewed, old)).toBe(false)
  expect(rootsIn(await mounted())).toHaveLength(2)

  issuer.take()
  const last = await proxy.roots()
  expect(last.pem.trim()).toBe(issuer.pem.trim())
  last.take()
  const { last: ended, inForce } = await atRest()
  expect(ended).toMatchObject({ reason: 'requested', next: { fingerprint: rootsIn(issuer.pem)[0] } })
  expect(inForce?.fingerprint).toBe(rootsIn(issuer.pem)[0])
  const secret = await cluster.client.get(Secret, 'istio-system', 'istio-ca-secret')
  expect(
    Buffer.from(String(Object(secret.data)['ca-cert.pem']), 'base64')
      .toString()
      .trim(),
  ).toBe(issuer.pem.trim())
  await expect(cluster.client.get(Secret, 'istio-system', ROTATION_NAME)).rejects.toHaveProperty('code', 404)
  proxy.close()
})

test('a control plane that is ended in the middle goes on where it was when it is started again', async () => {
  const old = await mounted()
  const before = await connected('cart-2')
  await request('rotate')
  const { rotation } = await inPhase('distribute')
  const asked = await before.roots()
  before.close()
  await plane.close()
  plane = await cluster.startControlPlane()
  const proxy = await connect('cart-2')
  const both = await proxy.roots()
  expect(both.pem).toBe(asked.pem)
  expect(leadsTo(await leafOf(), old)).toBe(true)
  expect((await inPhase('distribute')).rotation?.id).toBe(rotation?.id)
  both.take()
  ;(await proxy.issuer()).take()
  const last = await proxy.roots()
  last.take()
  await atRest()
  expect(rootsIn(last.pem)).toEqual([rotation?.next.fingerprint])
  proxy.close()
})

test('aborted before anything was signed by the new root, the old one stays as if nothing had been', async () => {
  const old = await mounted()
  const proxy = await connected('cart-3')
  await request('rotate')
  await proxy.roots()
  expect(await request('abort')).toContain('the old root stays')
  await atRest()
  expect(leadsTo(await leafOf(), old)).toBe(true)
  await cluster.until(ConfigMap, 'shop', MAP, ({ data }) => Object.values(data ?? {})[0] === old)
  expect(await request('abort')).toContain('refused')
  proxy.close()
})

test('aborted after proxies got certificates of the new root, they get certificates of the old one before the new one goes', async () => {
  const old = await mounted()
  const proxy = await connected('cart-4')
  await request('rotate')
  ;(await proxy.roots()).take()
  const issuer = await proxy.issuer()
  expect(await request('abort')).toContain('turned back')
  issuer.take()
  const back = await proxy.issuer()
  expect(back.pem.trim()).toBe(old.trim())
  expect(leadsTo(await leafOf(), old)).toBe(true)
  back.take()
  const last = await proxy.roots()
  expect(last.pem.trim()).toBe(old.trim())
  last.take()
  expect((await atRest()).last?.reason).toBe('aborted')
  proxy.close()
})

test('without its keys a change stays where it is, and goes on when they are back', async () => {
  const proxy = await connected('cart-9')
  await request('rotate')
  const both = await proxy.roots()
  const secret = await cluster.client.get(Secret, 'istio-system', ROTATION_NAME)
  await cluster.client.delete(Secret, 'istio-system', ROTATION_NAME)
  await until(({ rotation }) => rotation?.waitingFor?.includes('is gone; put it back') === true)
  await cluster.client.create(Secret, { ...secret, metadata: { name: ROTATION_NAME, namespace: 'istio-system' } })
  both.take()
  ;(await proxy.issuer()).take()
  ;(await proxy.roots()).take()
  await atRest()
  proxy.close()
})

test('a proxy that does not answer is not waited for when that is wanted', async () => {
  const proxy = await connected('cart-5')
  await request('rotate')
  await until(({ rotation }) => rotation?.waitingFor?.includes('cart-5.shop') === true)
  expect(await request('force')).toContain('distribute ends')
  await inPhase('issue')
  await until(({ rotation }) => rotation?.phase === 'issue' && rotation.waitingFor?.includes('cart-5.shop') === true)
  expect(await request('force')).toContain('issue ends')
  await until(({ rotation }) => rotation?.phase === 'retire' && rotation.waitingFor?.includes('cart-5.shop') === true)
  expect(await request('force')).toContain('retire ends')
  await atRest()
  proxy.close()
})

test('with two replicas the proxies of both are waited for, and both sign alike', async () => {
  const other = await cluster.startControlPlane({ POD_NAME: 'istiod-other' })
  const [one, two] = [await connected('cart-6'), await connected('cart-7', other)]
  await request('rotate')
  ;(await one.roots()).take()
  await until(({ rotation }) => /cart-7\.shop/.test(rotation?.waitingFor ?? '') && !/cart-6\.shop/.test(rotation?.waitingFor ?? ''))
  ;(await two.roots()).take()
  const issuer = await two.issuer()
  await inPhase('issue')
  const signed = await requestCertificate({
    port: other.ports.secureGrpc ?? 0,
    roots: await mounted(),
    token: await cluster.token('shop', 'cart'),
  })
  expect(leadsTo(signed.chain[0] ?? '', issuer.pem)).toBe(true)
  expect(leadsTo(await leafOf(), issuer.pem)).toBe(true)
  issuer.take()
  await until(({ rotation }) => rotation?.waitingFor?.includes('cart-6.shop') === true)
  ;(await one.issuer()).take()
  for (const proxy of [one, two]) (await proxy.roots()).take()
  await atRest()
  one.close()
  two.close()
  await other.close()
})

test('a CA that was replaced while no control plane ran signs nothing until the proxies that run trust it', async () => {
  await plane.close()
  const pod = await cluster.client.create(RESOURCE_TYPES.Pod, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'cart-8', namespace: 'shop' },
    spec: { containers: [{ name: 'istio-proxy', image: 'proxy' }] },
  })
  const containerStatuses = [
    {
      name: 'istio-proxy',
      image: 'proxy',
      imageID: '',
      ready: true,
      restartCount: 0,
      state: { running: { startedAt: new Date().toISOString() } },
    },
  ]
  await cluster.client.update(RESOURCE_TYPES.Pod, { ...pod, status: { phase: 'Running', containerStatuses } }, { subresource: 'status' })
  const secret: KubeObject = await cluster.client.get(Secret, 'istio-system', 'istio-ca-secret')
  await cluster.client.delete(Secret, 'istio-system', 'istio-ca-secret')
  plane = await cluster.startControlPlane()
  const { rotation } = await inPhase('distribute')
  expect(rotation).toMatchObject({ reason: 'replaced' })
  const roots = await cluster.until(ConfigMap, 'shop', MAP, ({ data }) => rootsIn(String(Object.values(data ?? {})[0])).length === 2)
  expect(rootsIn(String(Object.values(roots.data ?? {})[0]))).toContain(
    rootsIn(Buffer.from(String(Object(secret.data)['ca-cert.pem']), 'base64').toString())[0],
  )
  await expect(sign()).rejects.toMatchObject({ code: Status.UNAVAILABLE, details: expect.stringContaining('do not trust the new one yet') })
  const proxy = await connect('cart-8')
  ;(await proxy.roots()).take()
  let issuer = await proxy.issuer()
  if (issuer.pem === '') {
    // So long as the old key is missing any issuer would do.
    issuer.take()
    issuer = await proxy.issuer()
  }
  expect(rootsIn(issuer.pem)).toEqual([rotation?.next.fingerprint])
  await inPhase('issue')
  expect(leadsTo(await leafOf(), issuer.pem)).toBe(true)
  issuer.take()
  ;(await proxy.roots()).take()
  await atRest()
  proxy.close()
})
