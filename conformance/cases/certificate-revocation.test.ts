/**
 * Certificates that their CA has revoked (`ca-crl.pem` of a plugged-in CA), on real Envoy: refused by the peers of both directions, while
 * all others go on; of workloads and of an intermediate, also beside the roots of another mesh.
 */
import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { authorityOfEntries, authorityOfRoot, type Issued } from '../harness/authority.ts'
import { type CaEntries, newIntermediate, newRoot, type Root } from '../harness/certificate-authorities.ts'
import { documents, type Echo, echoService } from '../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, OTHER_CALLER } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { addToMesh } from '../harness/mesh-config.ts'
import { strictMutualTls } from '../harness/objects.ts'
import { changedTo, plugIn } from '../harness/plugged-in.ts'
import { leafOf } from '../harness/proxy-secrets.ts'
import { type Revoked, revocationLists } from '../harness/revocation-lists.ts'

/** Renewed at half of it. */
const SHORT_LIVED = { 'proxy.istio.io/config': JSON.stringify({ proxyMetadata: { SECRET_TTL: '16s' } }) }
const PODS = [
  { name: 'web', namespace: 'feat', annotations: SHORT_LIVED },
  { name: 'caller', namespace: 'feat', annotations: SHORT_LIVED },
  { name: 'caller', namespace: 'other' },
]
/** Revocation is looked at when a connection is made: every request has one of its own. */
const NO_KEPT_CONNECTIONS = documents({
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'no-kept-connections', namespace: 'istio-system' },
  spec: { host: '*.svc.cluster.local', trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } },
})
const CALLER_ID = 'spiffe://cluster.local/ns/feat/sa/default'

describeWithMesh('revoked certificates', (mesh) => {
  let echo: Echo
  let root: Root
  let first: CaEntries
  let second: CaEntries
  let stolen: Issued
  let kept: Issued

  beforeAll(async () => {
    if (whySkipped()) return
    root = await newRoot('revoking')
    first = await newIntermediate(root, 'first intermediate')
    second = await newIntermediate(root, 'second intermediate')
    await plugIn(mesh(), { ...first, ...(await lists(first)) })
    const services = echoService({ name: 'web', namespace: 'feat' }) + echoService({ name: 'caller', namespace: 'other' })
    echo = await deployEcho(mesh(), PODS, services + strictMutualTls('feat') + strictMutualTls('other') + NO_KEPT_CONNECTIONS)
    await changedTo(mesh(), root.fingerprint)
    const authority = await authorityOfEntries(first)
    stolen = await authority.issue('stolen', { uri: CALLER_ID })
    kept = await authority.issue('kept', { uri: CALLER_ID })
    await eventually(async () => {
      expect(await statusOf(CALLER, 'http://web')).toBe(200)
      expect(await shown(stolen, first)).toBe(200)
    })
  })
  afterAll(() => echo?.close())

  /** The entry of the lists of an intermediate under the root. */
  const lists = async (of: CaEntries, revoked: Revoked = {}) => ({ 'ca-crl.pem': await revocationLists(root, of, revoked) })

  const statusOf = async (from: string, url: string) => (await echo.callOnce(from, { url, newConnections: true })).status

  /** The status of a call of no sidecar that shows a certificate; 0 when the connection is refused. */
  async function shown({ certificate, key }: Issued, ca: CaEntries): Promise<number> {
    const url = 'https://web.feat.svc.cluster.local:80'
    const cert = `${certificate}\n${ca['ca-cert.pem']}`
    return (await echo.callOnce(DRIVER, { url, version: 'h1', cert, key, newConnections: true })).status
  }

  test('a stolen certificate is refused once it is on the list, another of the same identity is not', async () => {
    await plugIn(mesh(), { ...first, ...(await lists(first, { byIntermediate: [stolen] })) })
    await eventually(async () => expect(await shown(stolen, first)).toBe(0))
    expect(await shown(kept, first)).toBe(200)
    expect(await statusOf(CALLER, 'http://web')).toBe(200)
  })

  test('the lists are in every namespace, for agents that read them there', async () => {
    const at = ['configmap', 'istio-ca-crl', '-n', 'feat', '-o', 'jsonpath={.data.ca-crl\\.pem}']
    await eventually(async () =>
      expect(await mesh().kubectl('get', ...at)).toMatch(/^(-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----\s*){2}$/),
    )
  })

  test('a running workload whose certificate is revoked is refused as client and as server', async () => {
    expect(await statusOf(OTHER_CALLER, 'http://web.feat')).toBe(200)
    expect(await statusOf(CALLER, 'http://caller.other')).toBe(200)
    const { serialNumber } = await leafOf(mesh(), 'caller.other')
    await plugIn(mesh(), { ...first, ...(await lists(first, { byIntermediate: [stolen, { serialNumber }] })) })
    await eventually(async () => {
      expect(await statusOf(OTHER_CALLER, 'http://web.feat')).toBe(503)
      expect(await statusOf(CALLER, 'http://caller.other')).toBe(503)
    })
    expect(await statusOf(CALLER, 'http://web')).toBe(200)
  })

  test('lists that are not complete, or not of this CA, change nothing, and the log says which one is missing', async () => {
    const { 'ca-crl.pem': whole } = await lists(first)
    const [own = ''] = whole.split(/(?<=-----END X509 CRL-----\n)/)
    await plugIn(mesh(), { ...first, 'ca-crl.pem': own })
    await eventually(async () => expect(await log()).toContain('no list in it is signed by "CN=revoking"'))
    await plugIn(mesh(), { ...first, ...(await lists(second)) })
    await eventually(async () => expect(await log()).toContain('no list in it is signed by "CN=first intermediate"'))
    expect(await shown(stolen, first)).toBe(0)
    expect(await statusOf(CALLER, 'http://web')).toBe(200)
  })

  test('also where another mesh is trusted beside: its root changes nothing about whom this mesh has revoked', async () => {
    const partner = await newRoot('partner')
    const theirs = await (await authorityOfRoot(partner)).issue('theirs', { uri: 'spiffe://partner.example/ns/a/sa/b' })
    await addToMesh(mesh(), { caCertificates: [{ pem: partner.pem, trustDomains: ['partner.example'] }] })
    await eventually(async () => expect(await shown(theirs, first)).toBe(200))
    expect(await shown(stolen, first)).toBe(0)
    expect(await shown(kept, first)).toBe(200)
    expect(await statusOf(CALLER, 'http://web')).toBe(200)
    await addToMesh(mesh(), { caCertificates: [] })
    await eventually(async () => expect(await shown(theirs, first)).toBe(0))
  })

  test('an intermediate that the root has revoked is refused with all that it signed; those of the next one go on', async () => {
    const { serialNumber } = new X509Certificate(first['ca-cert.pem'])
    const authority = await authorityOfEntries(first)
    // Peers have certificates of both for a while: there must be a list of each.
    const listOfFirst = `${await authority.revoke(stolen)}\n`
    await plugIn(mesh(), { ...second, 'ca-crl.pem': listOfFirst + (await lists(second))['ca-crl.pem'] })
    await eventually(
      async () => {
        for (const pod of ['web.feat', 'caller.feat']) expect((await leafOf(mesh(), pod)).issuer).toBe('CN=second intermediate')
      },
      { withinMs: 40_000 },
    )
    expect(await shown(kept, first)).toBe(200)
    await plugIn(mesh(), { ...second, 'ca-crl.pem': listOfFirst + (await lists(second, { byRoot: [{ serialNumber }] }))['ca-crl.pem'] })
    await eventually(async () => expect(await shown(kept, first)).toBe(0))
    expect(await statusOf(CALLER, 'http://web')).toBe(200)
  })

  test('without lists nothing is revoked any more', async () => {
    await plugIn(mesh(), { ...second, 'ca-crl.pem': '' })
    await eventually(async () => expect(await shown(stolen, first)).toBe(200))
  })

  const log = () => mesh().kubectl('logs', 'deployment/istiod', '-n', 'istio-system')
})
