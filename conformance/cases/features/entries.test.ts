/** Services that Kubernetes does not know: ServiceEntry, WorkloadEntry, WorkloadGroup; and the special kinds of those that it does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Authority, newAuthority } from '../../harness/authority.ts'
import { type Answer, addressOf, documents, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, deployEcho, NOWHERE_URL, OTHER_CALLER } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { type Named, networking, secret } from '../../harness/objects.ts'
import { tally } from '../../harness/statistics.ts'

const DNS = { 'proxy.istio.io/config': '{"proxyMetadata": {"ISTIO_META_DNS_CAPTURE": "true"}}' }
/** The caller is somewhere, and its proxy trusts an authority. */
const TRUST = '/etc/trust'
const AT_HOME = { 'istio-locality': 'home.first', 'topology.istio.io/network': 'home' }
const TRUSTING = {
  'sidecar.istio.io/userVolume': JSON.stringify({ trust: { secret: { secretName: 'trust' } } }),
  'sidecar.istio.io/userVolumeMount': JSON.stringify({ trust: { mountPath: TRUST, readOnly: true } }),
}
const IN_FEAT = (name: string): Named => ({ name, namespace: 'feat' })
const HTTP = { number: 80, name: 'http', protocol: 'HTTP' }
const TCP = { number: 9000, name: 'tcp', protocol: 'TCP' }
const entry = (name: string, spec: object, labels: Readonly<Record<string, string>> = {}) =>
  networking(
    'ServiceEntry',
    { ...IN_FEAT(name), labels },
    { hosts: [`${name}.example`], location: 'MESH_EXTERNAL', ports: [HTTP], ...spec },
  )

/** A service whose endpoints are the WorkloadEntries `home` and `away`; and how it chooses among them. */
const placed = (name: string, trafficPolicy: object) =>
  entry(name, {
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    ports: [{ ...HTTP, targetPort: 8080 }],
    workloadSelector: { labels: { role: 'placed' } },
  }) + networking('DestinationRule', IN_FEAT(name), { host: `${name}.example`, trafficPolicy: { outlierDetection: {}, ...trafficPolicy } })

/** A server outside with a certificate for `right.example`, by the names that its ServiceEntry expects. */
const expecting = (name: string, subjectAltNames: readonly string[]) =>
  entry(name, {
    resolution: 'DNS',
    endpoints: [{ address: 'secured.outside.svc.cluster.local', ports: { http: 8443 } }],
    subjectAltNames,
  }) +
  networking('DestinationRule', IN_FEAT(name), {
    host: `${name}.example`,
    trafficPolicy: { tls: { mode: 'SIMPLE', caCertificates: `${TRUST}/ca.crt` } },
  })

/** What needs no address of a pod. */
const OBJECTS = [
  // Names of the cluster's own DNS stand for names of the internet: a headless one has several addresses.
  echoService({ name: 'many', namespace: 'outside', selector: { role: 'server' }, ports: { http: [8080, 8080] }, headless: true }),
  echoService({ name: 'one', namespace: 'outside', selector: { app: 'out-a' }, ports: { http: [8080, 8080], tcp: [9000, 9000] } }),
  entry('dns', { resolution: 'DNS', endpoints: [{ address: 'many.outside.svc.cluster.local', ports: { http: 8080 } }] }),
  entry('round-robin', {
    resolution: 'DNS_ROUND_ROBIN',
    endpoints: [{ address: 'many.outside.svc.cluster.local', ports: { http: 8080 } }],
  }),
  // Without endpoints the host itself is resolved.
  networking('ServiceEntry', IN_FEAT('itself'), {
    hosts: ['many.outside.svc.cluster.local'],
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ports: [{ number: 8080, name: 'http', protocol: 'HTTP' }],
  }),
  entry(
    'auto',
    { resolution: 'DNS', ports: [HTTP, TCP], endpoints: [{ address: 'one.outside.svc.cluster.local', ports: { http: 8080, tcp: 9000 } }] },
    { 'istio.io/enable-autoallocate-ip': 'true' },
  ),
  entry('auto-tcp', { resolution: 'DNS', ports: [TCP], endpoints: [{ address: 'out-b.outside.svc.cluster.local' }] }),
  echoService({ name: 'out-b', namespace: 'outside', ports: { tcp: [9000, 9000] } }),
  entry('selecting', {
    location: 'MESH_INTERNAL',
    resolution: 'STATIC',
    ports: [{ ...HTTP, targetPort: 8080 }],
    workloadSelector: { labels: { role: 'chosen' } },
  }),
  echoService({ name: 'secured', namespace: 'outside', ports: { https: [8443, 8443] } }),
  expecting('expected', ['right.example']),
  expecting('unexpected', ['wrong.example']),
  placed('by-locality', {}),
  placed('by-network', { loadBalancer: { localityLbSetting: { failoverPriority: ['topology.istio.io/network'] } } }),
  networking('ServiceEntry', IN_FEAT('private'), {
    hosts: ['private.example'],
    exportTo: ['.'],
    location: 'MESH_EXTERNAL',
    resolution: 'DNS',
    ports: [HTTP],
    endpoints: [{ address: 'one.outside.svc.cluster.local', ports: { http: 8080 } }],
  }),
  documents({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: IN_FEAT('alias'),
    spec: { type: 'ExternalName', externalName: 'one.outside.svc.cluster.local', ports: [{ name: 'http', port: 8080 }] },
  }),
  echoService({
    name: 'headless',
    namespace: 'feat',
    selector: { role: 'chosen' },
    ports: { http: [8080, 8080], tcp: [9000, 9000] },
    headless: true,
  }),
].join('')

describeWithMesh('services beyond Kubernetes', (mesh) => {
  let echo: Echo
  const address: Record<string, string> = {}
  beforeAll(async () => {
    if (whySkipped()) return
    const authority = await newAuthority('example')
    const listen = ['8080=http', '9000=tcp']
    echo = await deployEcho(
      mesh(),
      [
        { name: 'out-a', namespace: 'outside', labels: { role: 'server' }, listen },
        { name: 'out-b', namespace: 'outside', labels: { role: 'server' }, listen },
        { name: 'in-a', namespace: 'feat', labels: { role: 'chosen' }, listen },
        { name: 'in-b', namespace: 'feat', labels: { role: 'chosen' }, listen },
        { name: 'caller', namespace: 'feat', labels: AT_HOME, annotations: { ...DNS, ...TRUSTING } },
        { name: 'caller', namespace: 'other' },
        {
          name: 'secured',
          namespace: 'outside',
          listen: ['8443=https'],
          env: { TLS_CERT: '/certs/cert', TLS_KEY: '/certs/key' },
          secrets: { '/certs': 'secured' },
        },
      ],
      OBJECTS + (await certificates(authority)),
    )
    for (const pod of ['outside/out-a', 'outside/out-b', 'feat/in-a', 'feat/in-b']) address[pod] = await addressOf(mesh(), pod)
    await mesh().apply(
      [
        entry('static', {
          resolution: 'STATIC',
          endpoints: [
            { address: address['outside/out-a'], ports: { http: 8080 }, weight: 3, labels: { version: 'v1' } },
            { address: address['outside/out-b'], ports: { http: 8080 }, weight: 1, labels: { version: 'v2' } },
          ],
        }),
        networking('DestinationRule', IN_FEAT('static'), {
          host: 'static.example',
          trafficPolicy: { loadBalancer: { simple: 'ROUND_ROBIN' } },
        }),
        entry('vip', {
          addresses: ['240.77.0.1', '240.77.1.0/30'],
          resolution: 'STATIC',
          ports: [{ ...TCP, targetPort: 9000 }],
          endpoints: [{ address: address['outside/out-a'] }],
        }),
        entry('none', { resolution: 'NONE', ports: [{ number: 8080, name: 'http', protocol: 'HTTP' }] }),
        networking('ServiceEntry', IN_FEAT('wild'), {
          hosts: ['*.wild.example'],
          location: 'MESH_EXTERNAL',
          resolution: 'STATIC',
          ports: [HTTP],
          endpoints: [{ address: address['outside/out-a'], ports: { http: 8080 } }],
        }),
        networking('WorkloadEntry', IN_FEAT('vm'), { address: address['outside/out-b'], labels: { role: 'chosen' } }),
        // The one that is near by its place is far by its network.
        networking('WorkloadEntry', IN_FEAT('near'), {
          address: address['outside/out-a'],
          labels: { role: 'placed' },
          locality: 'home/first',
          network: 'away',
        }),
        networking('WorkloadEntry', IN_FEAT('far'), {
          address: address['outside/out-b'],
          labels: { role: 'placed' },
          locality: 'away/first',
          network: 'home',
        }),
        ...['default', 'stranger'].map((serviceAccount) =>
          entry(`account-${serviceAccount}`, {
            location: 'MESH_INTERNAL',
            resolution: 'STATIC',
            endpoints: [{ address: address['feat/in-a'], ports: { http: 8080 }, serviceAccount }],
          }),
        ),
      ].join(''),
    )
  })
  afterAll(() => echo?.close())

  const call = (host: string, more: object = {}) => echo.call(CALLER, { url: NOWHERE_URL, headers: { host }, ...more })
  const once = async (host: string, more: object = {}): Promise<Answer> =>
    (await call(host, { count: 1, ...more }))[0] ?? Promise.reject(new Error('no call'))
  const served = (host: string, pod: string | RegExp, more: object = {}) =>
    eventually(async () => {
      const answer = await once(host, more)
      expect(answer, answer.error ?? answer.body).toMatchObject({ status: 200 })
      expect(answer.pod).toMatch(pod)
      return answer
    })
  const tcp = (host: string, port: number, body: string) =>
    echo.callOnce(CALLER, { url: `tcp://${host}:${port}`, version: 'tcp', body, newConnections: true })

  test('DNS: the name of an endpoint is resolved, and all of its addresses are used', async () => {
    await served('dns.example', /^out-/)
    await eventually(async () =>
      expect(Object.keys(tally((await call('dns.example', { count: 40 })).map(({ pod }) => pod))).sort()).toEqual(['out-a', 'out-b']),
    )
  })

  test('DNS_ROUND_ROBIN: the name of an endpoint is resolved, and its answers are used', async () => {
    await served('round-robin.example', /^out-/)
    expect(tally((await call('round-robin.example', { count: 40, newConnections: true })).map(({ status }) => status))).toEqual({ 200: 40 })
  })

  test('DNS without endpoints: the host itself is resolved', async () => {
    await served('many.outside.svc.cluster.local:8080', /^out-/, { url: 'http://many.outside.svc.cluster.local:8080/' })
  })

  test('STATIC: requests are shared among the endpoints by their weights', async () => {
    await served('static.example', /^out-/)
    const answers = await call('static.example', { count: 80, headers: { host: 'static.example', 'x-test': 'static' } })
    expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 80 })
    // Each worker thread of the proxy goes round by itself: the shares are exact but for a round of each.
    const { length } = await echo.received('outside/out-a', { test: 'static' })
    expect(length).toBeGreaterThanOrEqual(60 - 8)
    expect(length).toBeLessThanOrEqual(60 + 8)
  })

  test('NONE: the request goes where its connection went', async () => {
    await served('none.example', 'out-b', { url: `http://${address['outside/out-b']}:8080/` })
    await served('none.example', 'out-a', { url: `http://${address['outside/out-a']}:8080/` })
  })

  test('a wildcard host takes every name below it', async () => {
    await served('a.wild.example', 'out-a')
    await served('a.b.wild.example', 'out-a')
  })

  test('addresses: bytes to a virtual address, or to one of a range, go to the endpoints', async () => {
    await eventually(async () => expect((await tcp('240.77.0.1', 9000, 'vip')).body).toBe('out-a vip'))
    expect((await tcp('240.77.1.2', 9000, 'vip-range')).body).toBe('out-a vip-range')
    expect((await tcp('240.77.1.7', 9000, 'vip-beyond')).status).toBe(0)
    expect(await echo.received('outside/out-a', { path: 'vip' })).toHaveLength(2)
  })

  describe('with DNS captured', () => {
    test('a host without an address gets one, by which its ports are told from those of others', async () => {
      await eventually(async () =>
        expect(await echo.callOnce(CALLER, { url: 'http://auto.example/' })).toMatchObject({ status: 200, pod: 'out-a' }),
      )
      await eventually(async () => expect((await tcp('auto.example', 9000, 'auto')).body).toBe('out-a auto'))
      // The same port of another host: only the address tells the two apart.
      await eventually(async () => expect((await tcp('auto-tcp.example', 9000, 'auto-other')).body).toBe('out-b auto-other'))
    })
  })

  test('workloadSelector: pods and WorkloadEntries with the labels are the endpoints', async () => {
    await eventually(async () => {
      const answers = await call('selecting.example', { count: 60, parallel: 8, newConnections: true })
      expect(Object.keys(tally(answers.map(({ pod }) => pod))).sort()).toEqual(['in-a', 'in-b', 'out-b'])
    })
  })

  test('a WorkloadEntry that goes is called no more', async () => {
    await mesh().kubectl('delete', 'workloadentry', 'vm', '-n', 'feat')
    await eventually(async () => {
      const answers = await call('selecting.example', { count: 40, parallel: 8, newConnections: true })
      expect(Object.keys(tally(answers.map(({ pod }) => pod))).sort()).toEqual(['in-a', 'in-b'])
    })
  })

  test('places: the entries nearest by locality, or by network, are called while they are healthy', async () => {
    for (const [name, pod] of [
      ['by-locality', 'out-a'],
      ['by-network', 'out-b'],
    ] as const) {
      await served(`${name}.example`, pod)
      expect(tally((await call(`${name}.example`, { count: 20, newConnections: true })).map((answer) => answer.pod))).toEqual({ [pod]: 20 })
    }
  })

  test('serviceAccount: mutual TLS is with that identity and with no other', async () => {
    const answer = await served('account-default.example', 'in-a')
    expect(answer.echo?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
    await eventually(async () =>
      expect(
        (await once('account-stranger.example', { headers: { host: 'account-stranger.example', 'x-test': 'stranger' } })).body,
      ).toContain('remote connection failure'),
    )
    expect(await echo.received('feat/in-a', { test: 'stranger' })).toEqual([])
  })

  test('subjectAltNames: a server outside must have one of the names in its certificate', async () => {
    await served('expected.example', 'secured')
    await eventually(async () =>
      expect(await once('unexpected.example', { headers: { host: 'unexpected.example', 'x-test': 'unexpected' } })).toMatchObject({
        status: 503,
        body: expect.stringContaining('remote connection failure'),
      }),
    )
    expect(await echo.received('outside/secured', { test: 'unexpected' })).toEqual([])
  })

  test('exportTo ".": only the own namespace knows the host', async () => {
    await served('private.example', 'out-a')
    const stranger = await echo.callOnce(OTHER_CALLER, { url: NOWHERE_URL, headers: { host: 'private.example' } })
    expect(stranger.status).toBe(503)
  })

  test('ExternalName: an alias leads to the service that it names', async () => {
    await served('alias', 'out-a', { url: 'http://alias.feat:8080/', headers: { host: 'alias.feat:8080' } })
    const known = await echo.callOnce(OTHER_CALLER, { url: 'http://alias.feat:8080/' })
    expect(known).toMatchObject({ status: 200, pod: 'out-a' })
  })

  describe('a headless service', () => {
    test('is reached by its name, over mutual TLS', async () => {
      const answer = await served('headless.feat:8080', /^in-/, { url: 'http://headless.feat:8080/', headers: {} })
      expect(answer.echo?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
    })

    test.each(['in-a', 'in-b'])('is reached at its pod %s alone, by HTTP and by bytes', async (pod) => {
      const at = address[`feat/${pod}`]
      const answers = await echo.call(CALLER, { url: `http://${at}:8080/`, headers: { host: 'headless.feat:8080' }, count: 10 })
      expect(tally(answers.map((answer) => answer.pod))).toEqual({ [pod]: 10 })
      expect((await tcp(String(at), 9000, `direct-${pod}`)).body).toBe(`${pod} direct-${pod}`)
    })
  })
})

/** What the pod `secured` shows, and whom the caller's proxy trusts. */
async function certificates(authority: Authority): Promise<string> {
  const { certificate, key } = await authority.issue('right.example')
  return secret('secured', 'outside', { cert: certificate, key }) + secret('trust', 'feat', { 'ca.crt': authority.certificate })
}
