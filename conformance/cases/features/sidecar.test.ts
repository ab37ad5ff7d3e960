/** What a Sidecar resource makes of a proxy's view; outbound policy; settings of single proxies. */

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Authority, newAuthority } from '../../harness/authority.ts'
import { addressOf, documents, type Echo, type EchoPod, echoService } from '../../harness/echo.ts'
import { DRIVER, deployEcho } from '../../harness/echo-mesh.ts'
import { askEnvoy } from '../../harness/envoy-admin.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking, secret } from '../../harness/objects.ts'
import { tally } from '../../harness/statistics.ts'

/** Where the proxy of `own-tls` has its certificate. */
const FILES = '/etc/own'
/** One connection, and one request that waits for it. */
const NARROW = { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } }
const WIDE = { tcp: { maxConnections: 1000 }, http: { http1MaxPendingRequests: 1000 } }
const inlet = (number: number, more: object = {}) => ({
  port: { number, protocol: 'HTTP', name: `in-${number}` },
  defaultEndpoint: '127.0.0.1:8080',
  ...more,
})

const caller = (name: string, more: Partial<EchoPod> = {}): EchoPod => ({ name, namespace: 'feat', ...more })
const sidecar = (name: string, spec: object) =>
  networking('Sidecar', { name, namespace: 'feat' }, { workloadSelector: { labels: { app: name } }, ...spec })

const OBJECTS = [
  echoService({
    name: 'near',
    namespace: 'feat',
    ports: { http: [80, 8080], 'http-local': [7777, 8080], 'tcp-local': [7778, 9000], tcp: [9000, 9000] },
  }),
  echoService({ name: 'far', namespace: 'other' }),
  echoService({ name: 'ledge', namespace: 'feat', ports: { http: [80, 9080] } }),
  echoService({ name: 'unknown', namespace: 'outside', selector: { app: 'driver' } }),
  sidecar('scoped', { egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }),
  networking(
    'VirtualService',
    { name: 'near', namespace: 'feat' },
    {
      hosts: ['near'],
      http: [
        { match: [{ uri: { prefix: '/far' } }], route: [{ destination: { host: 'far.other.svc.cluster.local', port: { number: 80 } } }] },
        { route: [{ destination: { host: 'near' } }] },
      ],
    },
  ),
  sidecar('closed', { egress: [{ hosts: ['*/*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }),
  sidecar('open', { egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'ALLOW_ANY' } }),
  sidecar('bound', {
    egress: [
      {
        port: { number: 7777, protocol: 'HTTP', name: 'local' },
        bind: '127.0.0.1',
        captureMode: 'NONE',
        hosts: ['./near.feat.svc.cluster.local'],
      },
      {
        port: { number: 7778, protocol: 'TCP', name: 'local-bytes' },
        bind: '127.0.0.1',
        captureMode: 'NONE',
        hosts: ['./near.feat.svc.cluster.local'],
      },
      { hosts: ['./*'] },
    ],
  }),
  sidecar('ledge', { ingress: [inlet(9080)] }),
  echoService({ name: 'bare', namespace: 'feat', ports: { http: [80, 9085] } }),
  sidecar('bare', {
    ingress: [inlet(9085, { bind: '0.0.0.0', captureMode: 'NONE' }), inlet(9086, { bind: '127.0.0.1', captureMode: 'NONE' })],
  }),
  sidecar('own-tls', {
    ingress: [
      {
        ...inlet(9443),
        port: { number: 9443, protocol: 'HTTPS', name: 'in' },
        tls: { mode: 'SIMPLE', serverCertificate: `${FILES}/tls.crt`, privateKey: `${FILES}/tls.key` },
      },
    ],
  }),
  documents({
    apiVersion: 'security.istio.io/v1',
    kind: 'PeerAuthentication',
    metadata: { name: 'own-tls', namespace: 'feat' },
    spec: { selector: { matchLabels: { app: 'own-tls' } }, mtls: { mode: 'STRICT' }, portLevelMtls: { 9443: { mode: 'DISABLE' } } },
  }),
  echoService({ name: 'limited', namespace: 'feat', ports: { http: [80, 9080], 'http-wide': [81, 9081] } }),
  sidecar('limited', { inboundConnectionPool: NARROW, ingress: [inlet(9080), inlet(9081, { connectionPool: WIDE })] }),
  echoService({ name: 'open-inside', namespace: 'feat', selector: { app: 'plain-limits' } }),
  sidecar('plain-limits', { inboundConnectionPool: NARROW }),
  echoService({ name: 'catcher', namespace: 'feat', ports: { 'tcp-all': [9900, 8080] } }),
  sidecar('proxied', {
    egress: [{ hosts: ['./*'] }],
    outboundTrafficPolicy: { mode: 'ALLOW_ANY', egressProxy: { host: 'catcher.feat.svc.cluster.local', port: { number: 9900 } } },
  }),
  documents({
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'ProxyConfig',
    metadata: { name: 'one-worker', namespace: 'feat' },
    spec: {
      selector: { matchLabels: { app: 'open' } },
      concurrency: 1,
      environmentVariables: { ISTIO_META_SEASON: 'spring' },
      image: { imageType: 'distroless' },
    },
  }),
].join('')

describeWithMesh('a Sidecar', (mesh) => {
  let echo: Echo
  let authority: Authority
  beforeAll(async () => {
    if (whySkipped()) return
    authority = await newAuthority('example')
    const own = await authority.issue('own.example')
    echo = await deployEcho(
      mesh(),
      [
        caller('near', { listen: ['8080=http', '9000=tcp'] }),
        { name: 'far', namespace: 'other' },
        caller('scoped'),
        caller('closed'),
        caller('open'),
        caller('bound', { annotations: { 'proxy.istio.io/config': '{"concurrency": 3}' } }),
        caller('ledge'),
        caller('bare', { annotations: { 'traffic.sidecar.istio.io/excludeInboundPorts': '9999,9085,9086' } }),
        caller('own-tls', {
          annotations: {
            'sidecar.istio.io/userVolume': JSON.stringify({ own: { secret: { secretName: 'own' } } }),
            'sidecar.istio.io/userVolumeMount': JSON.stringify({ own: { mountPath: FILES, readOnly: true } }),
          },
        }),
        caller('limited'),
        caller('plain-limits'),
        caller('proxied'),
        caller('catcher'),
      ],
      OBJECTS + secret('own', 'feat', { 'tls.crt': own.certificate, 'tls.key': own.key }),
    )
  })
  afterAll(() => echo?.close())

  const status = async (from: string, url: string) => (await echo.callOnce(`feat/${from}`, { url })).status
  const becomes = (from: string, url: string, wanted: number) => eventually(async () => expect(await status(from, url)).toBe(wanted))

  test('egress hosts: what is not among them is not known', async () => {
    await becomes('scoped', 'http://near.feat/', 200)
    await becomes('scoped', 'http://far.other/', 502)
    await becomes('closed', 'http://far.other/', 200)
  })

  test('egress hosts: what a route of theirs leads to is reached by that route', async () => {
    await eventually(async () => {
      expect(await echo.callOnce('feat/scoped', { url: 'http://near.feat/far' })).toMatchObject({ status: 200, pod: 'far' })
      expect(await echo.callOnce('feat/scoped', { url: 'http://near.feat/' })).toMatchObject({ status: 200, pod: 'near' })
    })
  })

  test('REGISTRY_ONLY refuses what no service stands for, ALLOW_ANY lets it through', async () => {
    const driver = await addressOf(mesh(), 'outside/driver')
    // Of bytes there is nothing to answer: the connection ends.
    await becomes('closed', `http://${driver}:8080/`, 0)
    expect(await status('closed', `http://${driver}:80/`)).toBe(502)
    await becomes('open', `http://${driver}:8080/`, 200)
    await becomes('open', 'http://far.other/', 200)
  })

  test('egress with port and bind: a listener of its own, where the app calls it', async () => {
    await eventually(async () =>
      expect(
        await echo.callOnce('feat/bound', { url: 'http://127.0.0.1:7777/', headers: { host: 'near.feat.svc.cluster.local:7777' } }),
      ).toMatchObject({ status: 200, pod: 'near' }),
    )
  })

  test('egress listeners speak the protocol of their port: bytes go to the service of that port', async () => {
    await eventually(async () =>
      expect((await echo.callOnce('feat/bound', { url: 'tcp://127.0.0.1:7778', version: 'tcp', body: 'local bytes' })).body).toBe(
        'near local bytes',
      ),
    )
    expect(await echo.received('feat/near', { path: 'local bytes', protocol: 'tcp' })).toHaveLength(1)
  })

  test('an egress proxy gets what no service stands for', async () => {
    const driver = await addressOf(mesh(), DRIVER)
    for (const spec of [{ url: `http://${driver}:80/`, headers: { 'x-test': 'caught' } }, { url: `http://${driver}:8080/` }]) {
      await eventually(async () => expect(await echo.callOnce('feat/proxied', spec)).toMatchObject({ status: 200, pod: 'catcher' }))
    }
    expect((await echo.received('feat/catcher', { test: 'caught' })).length).toBeGreaterThan(0)
    expect(await echo.received(DRIVER, { test: 'caught' })).toEqual([])
    await becomes('proxied', 'http://near.feat/', 200)
  })

  test('ingress: a port of the proxy leads to another of the app', async () => {
    await eventually(async () =>
      expect(await echo.callOnce('feat/near', { url: 'http://ledge.feat/' })).toMatchObject({
        status: 200,
        pod: 'ledge',
        echo: { port: 8080 },
      }),
    )
  })

  test('a target port, which means nothing here, is refused by name', async () => {
    const stdin = sidecar('wrong', {
      ingress: [{ ...inlet(9080), port: { number: 9080, protocol: 'HTTP', name: 'in', targetPort: 8080 } }],
    })
    const { code, output } = await mesh().tryKubectl(['apply', '-f', '-'], { stdin })
    expect(code).not.toBe(0)
    expect(output).toContain('spec.ingress[0].port.targetPort')
  })

  test('ingress without capture: the proxy listens where it is told, for everybody or for the pod alone', async () => {
    await eventually(async () =>
      expect(await echo.callOnce('feat/near', { url: 'http://bare.feat/' })).toMatchObject({
        status: 200,
        pod: 'bare',
        echo: { port: 8080 },
      }),
    )
    expect(await echo.callOnce('feat/bare', { url: 'http://127.0.0.1:9086/' })).toMatchObject({ status: 200, pod: 'bare' })
    const bare = await addressOf(mesh(), 'feat/bare')
    expect(await echo.callOnce(DRIVER, { url: `http://${bare}:9085/` })).toMatchObject({ status: 200, pod: 'bare' })
    expect(await echo.callOnce(DRIVER, { url: `http://${bare}:9086/` })).toMatchObject({ status: 0 })
  })

  test('ingress with TLS: the proxy shows a certificate of its own, where mutual TLS of the mesh is turned off', async () => {
    const url = `https://${await addressOf(mesh(), 'feat/own-tls')}:9443/`
    await eventually(async () =>
      expect(await echo.callOnce(DRIVER, { url, servername: 'own.example', ca: authority.certificate })).toMatchObject({
        status: 200,
        pod: 'own-tls',
        peer: 'DNS:own.example',
        echo: { port: 8080 },
      }),
    )
  })

  test.each(['limited.feat', 'open-inside.feat'])(
    'limits of incoming connections: %s gets no more than its proxy lets through',
    async (host) => {
      await becomes('near', `http://${host}/`, 200)
      const { counts, received } = await atOnce(`http://${host}/?delay=700`)
      expect(Object.keys(counts).sort()).toEqual(['200', '503'])
      // Each of the proxy's workers lets one through and one wait, with one more that it did not know of.
      expect(counts['200']).toBeLessThanOrEqual(8)
      expect(received).toBe(counts['200'])
    },
  )

  test('limits of incoming connections: those of a listener go before those of the Sidecar', async () => {
    await becomes('near', 'http://limited.feat:81/', 200)
    expect(await atOnce('http://limited.feat:81/?delay=700')).toEqual({ counts: { 200: 24 }, received: 24 })
  })

  /** Many calls at the same time: their statuses, and how many the app saw. */
  async function atOnce(url: string) {
    const id = randomUUID()
    const answers = await echo.call('feat/near', { url, count: 24, parallel: 24, headers: { 'x-test': id } })
    const received = await Promise.all(['limited', 'plain-limits'].map((pod) => echo.received(`feat/${pod}`, { test: id })))
    return { counts: tally(answers.map(({ status: one }) => one)), received: received.flat().length }
  }

  test('settings of a proxy come from ProxyConfig by its labels, and from its own annotation', async () => {
    const workers = async (pod: string) => (await askEnvoy(mesh(), pod, 'server_info')).match(/"concurrency": (\d+)/)?.[1]
    expect([await workers('open'), await workers('bound'), await workers('near')]).toEqual(['1', '3', '2'])
    const info = await askEnvoy(mesh(), 'open', 'server_info')
    expect(info).toContain('"SEASON": "spring"')
  })

  test('the image of a proxy is of the type that ProxyConfig asks for, by its labels', async () => {
    const images = (pod: string) =>
      mesh().kubectl('get', 'pod', pod, '-n', 'feat', '-o', 'jsonpath={.spec.initContainers[*].image} {.spec.containers[*].image}')
    expect(await images('open')).toMatch(/proxyv2:\S+-distroless/)
    expect(await images('near')).toMatch(/proxyv2:/)
    expect(await images('near')).not.toContain('distroless')
    await becomes('open', 'http://near.feat/', 200)
  })
})
