/** What a Sidecar resource makes of a proxy's view; outbound policy; settings of single proxies. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { documents, type Echo, type EchoPod, echoService } from '../../harness/echo.ts'
import { deployEcho } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const caller = (name: string, more: Partial<EchoPod> = {}): EchoPod => ({ name, namespace: 'feat', ...more })
const sidecar = (name: string, spec: object) =>
  networking('Sidecar', { name, namespace: 'feat' }, { workloadSelector: { labels: { app: name } }, ...spec })

const OBJECTS = [
  echoService({ name: 'near', namespace: 'feat', ports: { http: [80, 8080], 'http-local': [7777, 8080] } }),
  echoService({ name: 'far', namespace: 'other' }),
  echoService({ name: 'ledge', namespace: 'feat', ports: { http: [80, 9080] } }),
  echoService({ name: 'unknown', namespace: 'outside', selector: { app: 'driver' } }),
  sidecar('scoped', { egress: [{ hosts: ['./*'] }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } }),
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
      { hosts: ['./*'] },
    ],
  }),
  sidecar('ledge', { ingress: [{ port: { number: 9080, protocol: 'HTTP', name: 'in' }, defaultEndpoint: '127.0.0.1:8080' }] }),
  documents({
    apiVersion: 'networking.istio.io/v1beta1',
    kind: 'ProxyConfig',
    metadata: { name: 'one-worker', namespace: 'feat' },
    spec: { selector: { matchLabels: { app: 'open' } }, concurrency: 1, environmentVariables: { ISTIO_META_SEASON: 'spring' } },
  }),
].join('')

describeWithMesh('a Sidecar', (mesh) => {
  let echo: Echo
  beforeAll(async () => {
    if (whySkipped()) return
    echo = await deployEcho(
      mesh(),
      [
        caller('near'),
        { name: 'far', namespace: 'other' },
        caller('scoped'),
        caller('closed'),
        caller('open'),
        caller('bound', { annotations: { 'proxy.istio.io/config': '{"concurrency": 3}' } }),
        caller('ledge'),
      ],
      OBJECTS,
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

  test('ingress: a port of the proxy leads to another of the app', async () => {
    await eventually(async () =>
      expect(await echo.callOnce('feat/near', { url: 'http://ledge.feat/' })).toMatchObject({
        status: 200,
        pod: 'ledge',
        echo: { port: 8080 },
      }),
    )
  })

  test('settings of a proxy come from ProxyConfig by its labels, and from its own annotation', async () => {
    const workers = async (pod: string) =>
      (await mesh().kubectl('exec', pod, '-n', 'feat', '-c', 'istio-proxy', '--', 'pilot-agent', 'request', 'GET', 'server_info')).match(
        /"concurrency": (\d+)/,
      )?.[1]
    expect([await workers('open'), await workers('bound'), await workers('near')]).toEqual(['1', '3', '2'])
    const info = await mesh().kubectl(
      'exec',
      'open',
      '-n',
      'feat',
      '-c',
      'istio-proxy',
      '--',
      'pilot-agent',
      'request',
      'GET',
      'server_info',
    )
    expect(info).toContain('"SEASON": "spring"')
  })
})

function addressOf(mesh: Mesh, pod: string): Promise<string> {
  const [namespace = '', name = ''] = pod.split('/')
  return mesh.kubectl('get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.status.podIP}')
}
