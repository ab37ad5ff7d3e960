/** How traffic comes to the proxy: redirected, transparently, for some ports alone, or not at all. Seen by the apps at both ends. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressOf, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const MODE = 'sidecar.istio.io/interceptionMode'
const LISTEN = ['8080=http', '8081=http', '9000=tcp']
const PORTS: Readonly<Record<string, readonly [number, number]>> = { http: [80, 8080], 'http-other': [81, 8081], tcp: [9000, 9000] }

const OBJECTS = [
  ...['redirected', 'transparent', 'some-ports'].map((name) =>
    echoService({ name, namespace: 'feat', ports: { ...PORTS, 'http-local': [7780, 8080] } }),
  ),
  // The proxy has a port of its own before the app's.
  echoService({ name: 'uncaptured', namespace: 'feat', ports: { http: [80, 9080], tcp: [9000, 9090] } }),
  networking(
    'Sidecar',
    { name: 'uncaptured', namespace: 'feat' },
    {
      workloadSelector: { labels: { app: 'uncaptured' } },
      ingress: [
        { port: { number: 9080, protocol: 'HTTP', name: 'http' }, defaultEndpoint: '127.0.0.1:8080' },
        { port: { number: 9090, protocol: 'TCP', name: 'tcp' }, defaultEndpoint: '127.0.0.1:9500' },
      ],
      egress: [
        { port: { number: 7780, protocol: 'HTTP', name: 'http' }, bind: '127.0.0.1', hosts: ['*/redirected.feat.svc.cluster.local'] },
        { port: { number: 9000, protocol: 'TCP', name: 'tcp' }, bind: '127.0.0.1', hosts: ['*/redirected.feat.svc.cluster.local'] },
      ],
    },
  ),
].join('')

describeWithMesh('traffic is captured', (mesh) => {
  let echo: Echo
  const address: Record<string, string> = {}
  beforeAll(async () => {
    if (whySkipped()) return
    echo = await deployEcho(
      mesh(),
      [
        { name: 'caller', namespace: 'feat' },
        { name: 'redirected', namespace: 'feat', listen: LISTEN },
        { name: 'transparent', namespace: 'feat', listen: LISTEN, annotations: { [MODE]: 'TPROXY' } },
        { name: 'uncaptured', namespace: 'feat', listen: ['8080=http', '9500=tcp'], annotations: { [MODE]: 'NONE' } },
        {
          name: 'some-ports',
          namespace: 'feat',
          listen: LISTEN,
          annotations: {
            'traffic.sidecar.istio.io/excludeInboundPorts': '9999,8081',
            'traffic.sidecar.istio.io/excludeOutboundPorts': '81',
          },
        },
      ],
      OBJECTS,
    )
    for (const pod of [CALLER, DRIVER, 'feat/uncaptured']) address[pod] = await addressOf(mesh(), pod)
  })
  afterAll(() => echo?.close())

  const reached = (from: string, url: string, pod: string, more: object = {}) =>
    eventually(async () => {
      const answer = await echo.callOnce(from, { url, ...more })
      expect(answer, answer.error ?? answer.body).toMatchObject({ status: 200, pod })
      return answer.echo
    })
  const bytes = (from: string, host: string, body: string) =>
    eventually(async () => {
      const answer = await echo.callOnce(from, { url: `tcp://${host}:9000`, version: 'tcp', body })
      expect(answer.body, answer.error).toMatch(new RegExp(`^\\S+ ${body}$`))
      return answer.body
    })

  test('by redirection: the app is called by its own proxy, over mutual TLS', async () => {
    const seen = await reached(CALLER, 'http://redirected.feat/', 'redirected')
    expect(seen?.remote).toMatch(/^127\.0\.0\.6:/)
    expect(seen?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
  })

  test('transparently: the app sees the address of the caller, by HTTP and by bytes, in the mesh and from outside', async () => {
    const seen = await reached(CALLER, 'http://transparent.feat/', 'transparent')
    expect(seen?.remote).toMatch(new RegExp(`^${address[CALLER]}:`))
    expect(seen?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
    expect((await reached(DRIVER, 'http://transparent.feat/', 'transparent'))?.remote).toMatch(new RegExp(`^${address[DRIVER]}:`))
    expect(await bytes(CALLER, 'transparent.feat', 'from-afar')).toBe('transparent from-afar')
    const [line] = await echo.received('feat/transparent', { path: 'from-afar' })
    expect(line?.remote).toMatch(new RegExp(`^${address[CALLER]}:`))
  })

  test('transparently: such a pod calls others, and itself by its service', async () => {
    await reached('feat/transparent', 'http://redirected.feat/', 'redirected')
    await reached('feat/transparent', 'http://transparent.feat/', 'transparent')
  })

  test('some ports alone: the others reach the app, or leave it, without its proxy', async () => {
    const captured = await reached(CALLER, 'http://some-ports.feat/', 'some-ports')
    expect(captured?.remote).toMatch(/^127\.0\.0\.6:/)
    const direct = await reached(DRIVER, 'http://some-ports.feat:81/', 'some-ports')
    expect(direct?.remote).toMatch(new RegExp(`^${address[DRIVER]}:`))
    const proxied = await reached('feat/some-ports', 'http://redirected.feat/', 'redirected')
    expect(proxied?.headers).toHaveProperty('x-forwarded-client-cert')
    const plain = await reached('feat/some-ports', 'http://redirected.feat:81/', 'redirected')
    expect(plain?.headers).not.toHaveProperty('x-forwarded-client-cert')
  })

  test('not at all: what comes to the ports of the proxy reaches the app, over mutual TLS', async () => {
    const seen = await reached(CALLER, 'http://uncaptured.feat/', 'uncaptured')
    expect(seen).toMatchObject({ port: 8080 })
    expect(seen?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
    expect(await bytes(CALLER, 'uncaptured.feat', 'uncaptured-bytes')).toBe('uncaptured uncaptured-bytes')
    // What is said to the app's own port does not meet the proxy.
    const direct = await reached(DRIVER, `http://${address['feat/uncaptured']}:8080/`, 'uncaptured')
    expect(direct?.remote).toMatch(new RegExp(`^${address[DRIVER]}:`))
  })

  test('not at all: what is called at the listeners of the proxy goes out over mutual TLS, and nothing else does', async () => {
    const headers = { host: 'redirected.feat.svc.cluster.local:7780' }
    const seen = await reached('feat/uncaptured', 'http://127.0.0.1:7780/', 'redirected', { headers })
    expect(seen?.headers['x-forwarded-client-cert']).toContain('spiffe://cluster.local/ns/feat/sa/default')
    expect(await bytes('feat/uncaptured', '127.0.0.1', 'local-bytes')).toBe('redirected local-bytes')
    const direct = await reached('feat/uncaptured', 'http://redirected.feat/', 'redirected')
    expect(direct?.headers).not.toHaveProperty('x-forwarded-client-cert')
  })
})
