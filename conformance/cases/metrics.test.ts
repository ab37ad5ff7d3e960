/** Istio's standard metrics of real proxies: exact labels, at both ends of a call, and values that are the number of calls made. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type CallSpec, documents, type Echo, echoService } from '../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, GATEWAY_URL } from '../harness/echo-mesh.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { networking } from '../harness/objects.ts'
import { grownBy, readPage, type Sample } from '../harness/prometheus-page.ts'

const WEB = 'http://web.feat.svc.cluster.local'
const BYTES = 'tcp://web.feat.svc.cluster.local:9000'
const REFUSED_BYTES = 'tcp://web.feat.svc.cluster.local:9001'
const CALLER_ID = 'spiffe://cluster.local/ns/feat/sa/caller'
const WEB_ID = 'spiffe://cluster.local/ns/feat/sa/default'

/** The version of Istio that gateways say they are. */
const ISTIO_VERSION = '1.30.3'

type Labels = Readonly<Record<string, string>>

const peer = (end: 'source' | 'destination', name: string, more: Labels = {}): Labels => ({
  [`${end}_workload`]: name,
  [`${end}_workload_namespace`]: 'feat',
  [`${end}_app`]: name,
  [`${end}_version`]: 'unknown',
  [`${end}_canonical_service`]: name,
  [`${end}_canonical_revision`]: 'latest',
  [`${end}_cluster`]: 'Kubernetes',
  [`${end}_principal`]: end === 'source' ? CALLER_ID : WEB_ID,
  ...more,
})
const nobody = (end: 'source' | 'destination'): Labels =>
  peer(end, 'unknown', { [`${end}_workload_namespace`]: 'unknown', [`${end}_cluster`]: 'unknown', [`${end}_principal`]: 'unknown' })

const CALLING = peer('source', 'caller')
const SERVING = peer('destination', 'web', { destination_version: 'v1', destination_canonical_revision: 'v1' })
const SERVICE: Labels = {
  destination_service: 'web.feat.svc.cluster.local',
  destination_service_name: 'web',
  destination_service_namespace: 'feat',
}
const AT_CALLER: Labels = { reporter: 'source', connection_security_policy: 'unknown' }
const AT_WEB: Labels = { reporter: 'destination', connection_security_policy: 'mutual_tls' }
const PLAIN_HTTP: Labels = { request_protocol: 'http', response_code: '200', grpc_response_status: '', response_flags: '-' }

const REFUSAL = {
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { name: 'refuse', namespace: 'feat' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    action: 'DENY',
    rules: [{ to: [{ operation: { paths: ['/refused'], ports: ['8080'] } }] }, { to: [{ operation: { ports: ['9001'] } }] }],
  },
}

describeWithMesh('metrics', (mesh) => {
  let echo: Echo
  const addresses = new Map<string, string>()

  beforeAll(async () => {
    if (whySkipped()) return
    const pods = [
      { name: 'web', namespace: 'feat', labels: { version: 'v1' }, listen: ['8080=http', '8081=http', '9000=tcp', '9001=tcp'] },
      { name: 'caller', namespace: 'feat', serviceAccount: 'caller' },
    ]
    echo = await deployEcho(
      mesh(),
      pods,
      [
        documents({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'caller', namespace: 'feat' } }, REFUSAL),
        echoService({
          name: 'web',
          namespace: 'feat',
          ports: { http: [80, 8080], 'http-other': [81, 8080], grpc: [82, 8081], 'tcp-bytes': [9000, 9000], 'tcp-refused': [9001, 9001] },
        }),
        networking(
          'VirtualService',
          { name: 'web', namespace: 'feat' },
          { hosts: ['web.example.com'], gateways: ['front'], http: [{ route: [{ destination: { host: 'web', port: { number: 80 } } }] }] },
        ),
      ].join(''),
    )
    await eventually(async () => expect((await call(DRIVER, { url: `${WEB}/refused`, newConnections: true })).status).toBe(403))
    for (const from of [CALLER, DRIVER]) await eventually(async () => expect((await call(from, { url: WEB })).pod).toBe('web'))
    const gateway = await mesh().kubectl('get', 'pod', '-n', 'istio-system', '-l', 'istio=ingressgateway', '-o', 'name')
    for (const pod of ['feat/web', 'feat/caller', 'outside/driver', `istio-system/${gateway.trim().slice('pod/'.length)}`]) {
      const [namespace = '', name = ''] = pod.split('/')
      const ip = await mesh().kubectl('get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.status.podIP}')
      addresses.set(namespace === 'istio-system' ? 'gateway' : name, ip)
    }
  })

  afterAll(async () => {
    await echo?.close()
  })

  const call = (from: string, spec: CallSpec) => echo.callOnce(from, { timeoutMs: 5_000, body: 'hello', ...spec })

  /** The page of a pod, as a Prometheus outside the mesh reads it. */
  async function scrape(pod: string, port = 15090): Promise<readonly Sample[]> {
    const [answer] = await echo.call(DRIVER, { url: `http://${addresses.get(pod)}:${port}/stats/prometheus`, newConnections: true })
    expect(answer?.status, answer?.error).toBe(200)
    return readPage(answer?.body ?? '').filter(({ name }) => name.startsWith('istio_'))
  }

  /** What grows at proxies by some calls: waits until all of it is there. */
  async function counted(pods: readonly string[], body: () => Promise<void>, expected: readonly (readonly Sample[])[], metrics: RegExp) {
    const before = await Promise.all(pods.map((pod) => scrape(pod)))
    await body()
    await eventually(async () => {
      const after = await Promise.all(pods.map((pod) => scrape(pod)))
      const grown = after.map((samples, index) => grownBy(before[index] ?? [], samples).filter(({ name }) => metrics.test(name)))
      expect(grown).toEqual(expected)
    })
  }

  const requests = (labels: Labels, value: number): Sample[] => [{ name: 'istio_requests_total', labels, value }]
  const REQUESTS = /^istio_requests_total$/
  const connections = (labels: Labels, value: number): Sample[] =>
    ['closed', 'opened'].map((what) => ({ name: `istio_tcp_connections_${what}_total`, labels, value }))
  const CONNECTIONS = /^istio_tcp_connections_/

  test('HTTP: each request once at both ends, whoever calls by whichever port', async () => {
    const common = { ...CALLING, ...SERVING, ...SERVICE, ...PLAIN_HTTP }
    const body = async () => {
      await echo.call(CALLER, { url: WEB, count: 5 })
      await echo.call(CALLER, { url: `${WEB}:81`, count: 2 })
    }
    await counted(['caller', 'web'], body, [requests({ ...common, ...AT_CALLER }, 7), requests({ ...common, ...AT_WEB }, 7)], REQUESTS)
  })

  test('durations and sizes are counted as often as requests, in the buckets of Istio', async () => {
    const page = await scrape('web')
    const all = page.filter(({ name }) => name === 'istio_requests_total').reduce((sum, { value }) => sum + value, 0)
    for (const name of ['istio_request_duration_milliseconds', 'istio_request_bytes', 'istio_response_bytes']) {
      const of = (suffix: string) => page.filter((sample) => sample.name === name + suffix)
      expect(of('_count').reduce((sum, { value }) => sum + value, 0)).toBe(all)
      expect(
        of('_bucket')
          .filter(({ labels }) => labels['le'] === '+Inf')
          .reduce((sum, { value }) => sum + value, 0),
      ).toBe(all)
      expect(new Set(of('_bucket').map(({ labels }) => labels['le']))).toContain('3600000')
      const answered = of('_sum').filter(({ labels }) => labels['response_code'] === '200')
      expect(answered).not.toEqual([])
      for (const { labels, value } of name.endsWith('bytes') ? answered : []) expect(value, JSON.stringify(labels)).toBeGreaterThan(0)
    }
  })

  test('gRPC: its status, and that it is gRPC', async () => {
    const common = { ...CALLING, ...SERVING, ...SERVICE, ...PLAIN_HTTP, request_protocol: 'grpc', grpc_response_status: '0' }
    const body = async () => {
      for (const { grpcStatus } of await echo.call(CALLER, { url: `${WEB}:82`, version: 'grpc', count: 3 })) expect(grpcStatus).toBe(0)
    }
    await counted(['caller', 'web'], body, [requests({ ...common, ...AT_CALLER }, 3), requests({ ...common, ...AT_WEB }, 3)], REQUESTS)
  })

  test('TCP: connections and their bytes', async () => {
    const common = { ...CALLING, ...SERVING, ...SERVICE, request_protocol: 'tcp', response_flags: '-' }
    const answers: string[] = []
    const body = async () => {
      for (const answer of await echo.call(CALLER, { url: BYTES, version: 'tcp', body: 'hello', count: 2, newConnections: true }))
        answers.push(answer.body)
    }
    await counted(
      ['caller', 'web'],
      body,
      [connections({ ...common, ...AT_CALLER }, 2), connections({ ...common, ...AT_WEB }, 2)],
      CONNECTIONS,
    )
    expect(answers).toHaveLength(2)
    const bytes = async (pod: string, name: string) =>
      (await scrape(pod)).filter((sample) => sample.name === name).reduce((sum, { value }) => sum + value, 0)
    const sent = answers.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    for (const pod of ['caller', 'web']) {
      expect(await bytes(pod, 'istio_tcp_sent_bytes_total')).toBeGreaterThanOrEqual(sent)
      expect(await bytes(pod, 'istio_tcp_received_bytes_total')).toBeGreaterThanOrEqual(2 * 'hello'.length)
    }
  })

  test('a caller without a sidecar is nobody, and its connection has no security', async () => {
    const labels = {
      ...nobody('source'),
      ...SERVING,
      ...SERVICE,
      ...PLAIN_HTTP,
      reporter: 'destination',
      connection_security_policy: 'none',
    }
    const body = async () => {
      await echo.call(DRIVER, { url: WEB, count: 4 })
    }
    await counted(['web'], body, [requests({ ...labels, destination_principal: 'unknown' }, 4)], REQUESTS)
  })

  test('what leaves the mesh goes to nobody known', async () => {
    const labels = {
      ...CALLING,
      ...nobody('destination'),
      ...AT_CALLER,
      request_protocol: 'tcp',
      response_flags: '-',
      source_principal: 'unknown',
      destination_service: 'unknown',
      destination_service_name: 'PassthroughCluster',
      destination_service_namespace: 'unknown',
    }
    const body = async () => {
      const [answer] = await echo.call(CALLER, { url: `http://${addresses.get('driver')}:8080/`, newConnections: true, count: 3 })
      expect(answer?.pod, answer?.error).toBe('driver')
    }
    await counted(['caller'], body, [connections(labels, 3)], CONNECTIONS)
  })

  test('a refusal is counted where it is made, with what it was', async () => {
    const common = { ...CALLING, ...SERVING, ...SERVICE, ...PLAIN_HTTP, response_code: '403', response_flags: '-' }
    const body = async () => {
      await echo.call(CALLER, { url: `${WEB}/refused`, count: 3 })
    }
    await counted(['caller', 'web'], body, [requests({ ...common, ...AT_CALLER }, 3), requests({ ...common, ...AT_WEB }, 3)], REQUESTS)
  })

  test('a connection that is refused was opened and closed', async () => {
    const labels = { ...CALLING, ...SERVING, ...SERVICE, ...AT_WEB, request_protocol: 'tcp', response_flags: '-' }
    const body = async () => {
      for (const { body } of await echo.call(CALLER, { url: REFUSED_BYTES, version: 'tcp', body: 'hello', count: 3, newConnections: true }))
        expect(body).toBe('')
    }
    await counted(['web'], body, [connections(labels, 3)], CONNECTIONS)
  })

  describe('a gateway', () => {
    const gateway = peer('source', 'istio-ingressgateway', {
      source_workload_namespace: 'istio-system',
      source_canonical_revision: ISTIO_VERSION,
      source_principal: 'spiffe://cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account',
    })

    test('is the source of what it passes on', async () => {
      const labels = { ...gateway, ...SERVING, ...SERVICE, ...PLAIN_HTTP, ...AT_CALLER }
      const body = async () => {
        await echo.call(DRIVER, { url: GATEWAY_URL, headers: { host: 'web.example.com' }, count: 6 })
      }
      await counted(['gateway'], body, [requests(labels, 6)], REQUESTS)
    })

    test('knows no destination of what it has no route for', async () => {
      const labels = {
        ...gateway,
        ...nobody('destination'),
        ...PLAIN_HTTP,
        ...AT_CALLER,
        source_principal: 'unknown',
        response_code: '404',
        response_flags: 'NR',
        destination_service: 'unknown',
        destination_service_name: 'unknown',
        destination_service_namespace: 'unknown',
      }
      const body = async () => {
        await echo.call(DRIVER, { url: GATEWAY_URL, headers: { host: 'nobody.example.com' }, count: 2 })
      }
      await counted(['gateway'], body, [requests(labels, 2)], REQUESTS)
    })
  })

  test('the page of the agent has the same, with its own', async () => {
    const [envoys, all] = [await scrape('web'), await scrape('web', 15020)]
    const names = (samples: readonly Sample[]) =>
      new Set(samples.map(({ name }) => name).filter((name) => /^istio_(req|resp|tcp)/.test(name)))
    expect(names(all)).toEqual(names(envoys))
    expect(all.map(({ name }) => name)).toContain('istio_build')
  })

  test('x metrics tells the rate of what comes in', async () => {
    let going = true
    const load = (async () => {
      while (going) await echo.call(CALLER, { url: WEB, count: 20 })
    })()
    try {
      const { code, stdout } = await mesh().lateen('x', 'metrics', 'web.feat', '--duration', '3s')
      expect(code).toBe(0)
      const [, row = ''] = stdout.trim().split('\n')
      const [workload, rate, errors] = row.trim().split(/\s+/)
      expect(workload).toBe('web.feat')
      expect(Number(rate)).toBeGreaterThan(1)
      expect(Number(errors)).toBe(0)
    } finally {
      going = false
      await load
    }
  })
})
