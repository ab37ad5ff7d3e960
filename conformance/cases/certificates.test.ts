/**
 * Certificates replaced while requests come in: leaves, intermediates and roots, between sidecars and through the gateway. Every request
 * makes a connection of its own, so every request is a handshake with whatever certificates and roots both ends hold at that moment.
 */
import { beforeAll, expect, test } from 'vitest'
import { newIntermediate, newLeaf, newRoot } from '../harness/certificate-authorities.ts'
import { documents } from '../harness/echo.ts'
import { askEnvoy } from '../harness/envoy-admin.ts'
import { eventually } from '../harness/eventually.ts'
import { deployShop, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { caStatus, changedTo, plugIn } from '../harness/plugged-in.ts'
import { kill, processesOf } from '../harness/processes.ts'
import { leafOf, secretOf } from '../harness/proxy-secrets.ts'
import { revocationLists } from '../harness/revocation-lists.ts'
import { callGateway, startLoad } from '../harness/traffic.ts'

const hello = { host: 'shop.example', path: '/hello' }
const route = `  hosts: [shop.example]
  gateways: [front]
  http:
    - route: [{ destination: { host: hello, port: { number: 5000 } } }]
`
/** Each request has a connection of its own. */
const singleUse = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: hello, namespace: shop }
spec:
  host: hello
  trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } }
`
const STRICT = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`
const PLAIN_POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'client', namespace: 'outside' },
  spec: { containers: [{ name: 'client', image: 'curlimages/curl', command: ['sleep', 'infinity'] }], terminationGracePeriodSeconds: 0 },
}
const ISTIOD = { command: /lateen\.mjs discovery/ }
const PROXIES = ['deploy/curl.shop', 'deploy/hello-v1.shop', 'deploy/hello-v2.shop', 'deploy/istio-ingressgateway.istio-system']

describeWithMesh('certificates replaced under load', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(`${virtualService('front', route)}---\n${singleUse}`)
    await eventually(async () => (await callGateway(mesh(), hello)).status === 200)
  })

  test('leaves, every few seconds', async () => {
    // SECRET_TTL: agents renew at half of it.
    const metadata = JSON.stringify({ proxyMetadata: { SECRET_TTL: '12s' } })
    const annotations = { 'proxy.istio.io/config': metadata, 'sidecar.istio.io/statsInclusionRegexps': 'listener.*ssl.handshake' }
    const template = { metadata: { annotations } }
    await mesh().kubectl('patch', 'deployment/hello-v2', '-n', 'shop', '--type=merge', '-p', JSON.stringify({ spec: { template } }))
    await mesh().rolledOut('hello-v2', 'shop')
    const load = await startBoth(mesh())
    const seen = new Set<string>()
    await eventually(
      async () => {
        seen.add((await leafOf(mesh(), 'deploy/hello-v2.shop')).serialNumber)
        expect(seen.size).toBeGreaterThanOrEqual(3)
      },
      { withinMs: 45_000 },
    )
    const before = await handshakes(mesh())
    expect(await load.stop()).toEqual(NO_FAILURES)
    expect(before).toBeGreaterThan(20)
  })

  test('the root, by one command: every proxy ends with a certificate of the new root and trusts it alone', async () => {
    const before = await rootOf(mesh())
    const load = await startBoth(mesh())
    const { code, output } = await mesh().lateen('ca', 'rotate', '--timeout', '120s')
    expect(code, output).toBe(0)
    const after = await rootOf(mesh())
    expect(after).not.toBe(before)
    await eventually(() => everyProxyTrusts(mesh(), [after]))
    expect(await load.stop()).toEqual(NO_FAILURES)
  })

  test('the root, while the control plane is killed in the middle: the change goes on where it was', async () => {
    const before = await rootOf(mesh())
    const load = await startBoth(mesh())
    expect((await mesh().lateen('ca', 'rotate', '--wait=false')).code).toBe(0)
    const left = new Set(['distribute', 'issue'])
    for (let phase = await phaseOf(mesh()); phase !== undefined; phase = await phaseOf(mesh())) {
      if (!left.delete(phase)) continue
      const pids = processesOf(mesh(), ISTIOD)
      kill(mesh(), ISTIOD)
      await eventually(() => processesOf(mesh(), ISTIOD).some((pid) => !pids.includes(pid)))
    }
    await mesh().rolledOut('istiod', 'istio-system')
    const { code } = await mesh().lateen('ca', 'rotate', '--abort')
    expect(code, 'nothing is under way any more').toBe(1)
    const after = await rootOf(mesh())
    expect(after).not.toBe(before)
    await eventually(() => everyProxyTrusts(mesh(), [after]), { withinMs: 30_000 })
    expect(await load.stop()).toEqual(NO_FAILURES)
  })

  test('a plugged-in CA in place of the own root, its intermediate, and one of another root in its place', async () => {
    const [first, second] = [await newRoot('first'), await newRoot('second')]
    const load = await startBoth(mesh())
    // Each with revocation lists, of which Envoy needs one of every CA that anybody has a certificate of.
    const one = await newIntermediate(first, 'intermediate-one')
    const listsOfOne = await revocationLists(first, one)
    await plugIn(mesh(), { ...one, 'ca-crl.pem': listsOfOne })
    await changedTo(mesh(), first.fingerprint)
    await eventually(() => everyProxyTrusts(mesh(), [first.fingerprint]))
    const two = await newIntermediate(first, 'intermediate-two')
    await plugIn(mesh(), { ...two, 'ca-crl.pem': listsOfOne + (await revocationLists(first, two)) })
    await eventually(async () => expect((await mesh().lateen('ca', 'status')).stdout).toContain('intermediate-two'))
    await eventually(async () => expect((await leafOf(mesh(), 'deploy/hello-v2.shop')).issuer).toBe('CN=intermediate-two'))
    const three = await newIntermediate(second, 'intermediate-three')
    await plugIn(mesh(), { ...three, 'ca-crl.pem': await revocationLists(second, three) })
    await changedTo(mesh(), second.fingerprint)
    await eventually(() => everyProxyTrusts(mesh(), [second.fingerprint]))
    expect(await load.stop()).toEqual(NO_FAILURES)
    expect((await mesh().lateen('ca', 'rotate')).output).toContain('plugged in')
  })

  test("another mesh's workloads come in as themselves, and as nobody else", async () => {
    const partner = await newRoot('partner')
    const theirs = await newLeaf(partner, 'spiffe://partner.example/ns/a/sa/b')
    const forged = await newLeaf(partner, 'spiffe://cluster.local/ns/shop/sa/curl')
    await mesh().apply(STRICT + documents({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'outside' } }, PLAIN_POD))
    await mesh().kubectl('wait', '--for=condition=Ready', 'pod/client', '-n', 'outside', '--timeout=55s')
    const address = await mesh().kubectl('get', 'pod', '-n', 'shop', '-l', 'app=hello', '-o', 'jsonpath={.items[0].status.podIP}')
    const call = async (certificate: string) => {
      const script = `cat >/tmp/client.pem; curl -sk -o /dev/null -m 5 -w '%{http_code}' --cert /tmp/client.pem https://${address}:5000/hello || true`
      return (await mesh().tryKubectl(['exec', '-i', 'client', '-n', 'outside', '--', 'sh', '-c', script], { stdin: certificate })).stdout
    }
    expect(await call(theirs)).toBe('000')
    await addToMesh(mesh(), { caCertificates: [{ pem: partner.pem, trustDomains: ['partner.example'] }] })
    await eventually(async () => expect(await call(theirs)).toBe('200'))
    expect(await call(forged)).toBe('000')
  })
})

const NO_FAILURES = { gateway: {}, sidecar: {} }

/** Requests through the gateway and from a sidecar, until stopped; answers what failed. */
async function startBoth(mesh: Mesh) {
  const gateway = startLoad(mesh, hello, { perSecond: 30 })
  const curl = (script: string) => mesh.kubectl('exec', 'deploy/curl', '-n', 'shop', '-c', 'curl', '--', 'sh', '-c', script)
  const call = 'curl -s -o /dev/null -m 8 -w "%{http_code} %{errormsg}\\n" http://hello:5000/hello'
  await curl(`rm -f /tmp/stop /tmp/ended; : >/tmp/calls; nohup sh -c '
    until [ -e /tmp/stop ]; do ${call} >>/tmp/calls; sleep 0.05; done; : >/tmp/ended' >/dev/null 2>&1 &`)
  await eventually(async () => expect(Number(await curl('wc -l </tmp/calls'))).toBeGreaterThan(5))
  return {
    stop: async () => {
      const { failures } = await gateway.stop()
      await curl('touch /tmp/stop; until [ -e /tmp/ended ]; do sleep 0.1; done')
      const lines = (await curl('cat /tmp/calls')).split('\n').filter((line) => line !== '')
      expect(lines.length).toBeGreaterThan(20)
      const failed = lines.filter((line) => !line.startsWith('200 '))
      return { gateway: failures, sidecar: Object.fromEntries(failed.map((line) => [line, true])) }
    },
  }
}

const rootOf = async (mesh: Mesh): Promise<string> => (await caStatus(mesh)).root.fingerprint
const phaseOf = async (mesh: Mesh): Promise<string | undefined> => (await caStatus(mesh)).rotation?.phase

/** What Envoy itself says it holds: these roots and no others. */
async function everyProxyTrusts(mesh: Mesh, fingerprints: readonly string[]): Promise<void> {
  for (const proxy of PROXIES) {
    expect(
      (await secretOf(mesh, proxy, 'ROOTCA')).map((root) => root.fingerprint256),
      proxy,
    ).toEqual(fingerprints)
  }
}

/** TLS handshakes that a server has made. */
async function handshakes(mesh: Mesh): Promise<number> {
  const path = 'stats?filter=^listener.*ssl.handshake$'
  const text = await askEnvoy(mesh, 'deploy/hello-v2', path, 'shop')
  return text.split('\n').reduce((sum, line) => sum + Number(/: (\d+)$/.exec(line)?.[1] ?? 0), 0)
}
