/** HTTP routing of VirtualService and DestinationRule, by real requests through real Envoys. */
import { afterEach, beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, fixture, versionOf, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { type Answer, callGateway, countAnswers, curlFromPod } from '../harness/traffic.ts'

const HOST = 'shop.example'
/** Envoy writes its access log out at least every ten seconds. */
const FLUSH_MS = 11_000
const LOG = { withinMs: 30_000, everyMs: 500 }

/** The route of all gateway tests; `http` is the list below `http:`, indented by four. */
const front = (http: string) => virtualService('front', `  hosts: [${HOST}]\n  gateways: [front]\n  http:\n${http}`)

const toHello = (subset: string, weight?: number) =>
  `{ destination: { host: hello, port: { number: 5000 }, subset: ${subset} }${weight === undefined ? '' : `, weight: ${weight}`} }`

describeWithMesh('routing', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(fixture('outside'))
    await mesh().rolledOut('legacy', 'outside')
  })

  afterEach(async () => {
    if (whySkipped()) return
    await mesh().kubectl('delete', 'virtualservice,serviceentry', '--all', '-n', 'shop')
    // Else the next test might take this one's routes for its own.
    await eventually(async () => (await callGateway(mesh(), { host: HOST, path: '/hello' })).status === 404)
  })

  test('a weighted route splits requests by its weights', async () => {
    await applyFront(mesh(), `    - route:\n        - ${toHello('v1', 90)}\n        - ${toHello('v2', 10)}\n`)
    const counts = await countAnswers(mesh(), 400, { host: HOST, path: '/hello' }, versionOf)
    expect((counts['v1'] ?? 0) + (counts['v2'] ?? 0)).toBe(400)
    // 40 are expected of v2; four standard deviations are 24.
    expect(counts['v2']).toBeGreaterThan(16)
    expect(counts['v2']).toBeLessThan(64)
  })

  test('a header match takes requests that match and no others', async () => {
    await applyFront(
      mesh(),
      `    - match: [{ headers: { end-user: { exact: jason } } }]\n      route: [${toHello('v2')}]\n    - route: [${toHello('v1')}]\n`,
    )
    expect(await countAnswers(mesh(), 50, { host: HOST, path: '/hello', headers: { 'end-user': 'jason' } }, versionOf)).toEqual({ v2: 50 })
    expect(await countAnswers(mesh(), 50, { host: HOST, path: '/hello', headers: { 'end-user': 'other' } }, versionOf)).toEqual({ v1: 50 })
    expect(await countAnswers(mesh(), 50, { host: HOST, path: '/hello' }, versionOf)).toEqual({ v1: 50 })
  })

  test('a subset holds only the pods with its labels', async () => {
    await applyFront(mesh(), `    - route: [${toHello('v2')}]\n`)
    expect(await countAnswers(mesh(), 60, { host: HOST, path: '/hello' }, versionOf)).toEqual({ v2: 60 })
  })

  test('a fault aborts its share of requests with its status', async () => {
    await applyFront(
      mesh(),
      `    - fault: { abort: { httpStatus: 418, percentage: { value: 50 } } }\n      route: [${toHello('v1')}]\n`,
      ({ status }) => status === 200 || status === 418,
    )
    const counts = await countAnswers(mesh(), 300, { host: HOST, path: '/hello' })
    expect((counts['200'] ?? 0) + (counts['418'] ?? 0)).toBe(300)
    // 150 are expected; four standard deviations are 35.
    expect(counts['418']).toBeGreaterThan(115)
    expect(counts['418']).toBeLessThan(185)
  })

  test('a fault delays requests by its time', async () => {
    await applyFront(mesh(), `    - fault: { delay: { fixedDelay: 600ms, percentage: { value: 100 } } }\n      route: [${toHello('v1')}]\n`)
    const answers = await Promise.all([1, 2, 3, 4].map(() => callGateway(mesh(), { host: HOST, path: '/hello' })))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(Math.min(...answers.map(({ milliseconds }) => milliseconds))).toBeGreaterThan(590)
  })

  test('a timeout ends a slow request with 504', async () => {
    await applyFront(
      mesh(),
      '    - timeout: 500ms\n      route: [{ destination: { host: httpbin, port: { number: 8000 } } }]\n',
      isServed,
      '/get',
    )
    const slow = await callGateway(mesh(), { host: HOST, path: '/delay/3' })
    expect(slow.status).toBe(504)
    expect(slow.milliseconds).toBeGreaterThan(480)
    expect(slow.milliseconds).toBeLessThan(2500)
    expect((await callGateway(mesh(), { host: HOST, path: '/get' })).status).toBe(200)
  })

  test('retries repeat a failing request as often as they say', async () => {
    const pod = await podOf(mesh(), 'app=httpbin')
    await applyFront(
      mesh(),
      '    - retries: { attempts: 3, perTryTimeout: 2s, retryOn: 5xx }\n      route: [{ destination: { host: httpbin, port: { number: 8000 } } }]\n',
      isServed,
      '/get',
    )
    const before = await settledRequests(mesh(), pod)
    expect((await callGateway(mesh(), { host: HOST, path: '/status/503' })).status).toBe(503)
    await eventually(async () => expect((await requestsReceived(mesh(), pod)) - before).toBe(4), LOG)
  })

  test('a mirror copies every request to another subset without changing the answer', async () => {
    const pod = await podOf(mesh(), 'app=hello,version=v2')
    await applyFront(
      mesh(),
      `    - route: [${toHello('v1')}]\n      mirror: { host: hello, subset: v2, port: { number: 5000 } }\n      mirrorPercentage: { value: 100 }\n`,
    )
    const before = await settledRequests(mesh(), pod)
    expect(await countAnswers(mesh(), 40, { host: HOST, path: '/hello' }, versionOf)).toEqual({ v1: 40 })
    await eventually(async () => expect((await requestsReceived(mesh(), pod)) - before).toBe(40), LOG)
  })

  test('a rewrite and a header operation change what the application sees', async () => {
    await applyFront(
      mesh(),
      `    - match: [{ uri: { prefix: /api/ } }]
      rewrite: { uri: / }
      headers: { request: { set: { x-shop: front } }, response: { add: { x-served: mesh } } }
      route: [{ destination: { host: httpbin, port: { number: 8000 } } }]
`,
      isServed,
      '/api/get',
    )
    const answer = await callGateway(mesh(), { host: HOST, path: '/api/headers' })
    expect(answer.status).toBe(200)
    expect(answer.body.toLowerCase()).toContain('x-shop')
    expect(answer.headers['x-served']).toBe('mesh')
  })

  test('a redirect answers by itself', async () => {
    await applyFront(
      mesh(),
      '    - redirect: { uri: /elsewhere, authority: other.example, redirectCode: 302 }\n',
      ({ status }) => status === 302,
    )
    const answer = await callGateway(mesh(), { host: HOST, path: '/hello' })
    expect(answer.headers['location']).toBe('http://other.example/elsewhere')
  })

  test('routes apply between sidecars too', async () => {
    await mesh().apply(virtualService('inside', `  hosts: [hello]\n  http:\n    - route: [${toHello('v2')}]\n`))
    await eventually(async () => {
      const lines = await curlFromPod(mesh(), 'curl', 'http://hello:5000/hello', { count: 20, namespace: 'shop' })
      expect(lines.filter((line) => line.includes('version: v2'))).toHaveLength(20)
    })
  })

  test('a ServiceEntry makes a host outside the mesh reachable by its name', async () => {
    const address = await mesh().kubectl('get', 'pod', '-n', 'outside', '-l', 'app=legacy', '-o', 'jsonpath={.items[0].status.podIP}')
    await mesh().apply(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: legacy, namespace: shop }
spec:
  hosts: [legacy.example]
  addresses: [240.9.9.9]
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: 8080 }]
  location: MESH_EXTERNAL
  resolution: STATIC
  endpoints: [{ address: ${address} }]
`)
    await eventually(async () => {
      const [line = ''] = await curlFromPod(mesh(), 'curl', 'http://legacy.example/status/201', {
        namespace: 'shop',
        args: '--resolve legacy.example:80:240.9.9.9',
      })
      expect(line).toMatch(/^201/)
    })
  })
})

/** Applies the gateway's route and waits until the gateway serves it. */
async function applyFront(mesh: Mesh, http: string, served: (answer: Answer) => boolean = isServed, path = '/hello'): Promise<void> {
  await mesh.apply(front(http))
  await eventually(async () => served(await callGateway(mesh, { host: HOST, path })))
}

function isServed({ status }: Answer): boolean {
  return status === 200
}

function podOf(mesh: Mesh, selector: string): Promise<string> {
  return mesh.kubectl('get', 'pod', '-n', 'shop', '-l', selector, '-o', 'jsonpath={.items[0].metadata.name}')
}

/** The count once Envoy has written out what it had: the same twice, a flush apart. */
async function settledRequests(mesh: Mesh, pod: string): Promise<number> {
  let last = -1
  return eventually(
    async () => {
      const now = await requestsReceived(mesh, pod)
      const settled = now === last
      last = now
      return settled ? now : Promise.reject(new Error('the access log still grows'))
    },
    { withinMs: 60_000, everyMs: FLUSH_MS },
  )
}

/** Requests that came in at a pod's sidecar, by its access log; Envoy writes it out within seconds. */
async function requestsReceived(mesh: Mesh, pod: string): Promise<number> {
  const log = await mesh.kubectl('logs', pod, '-n', 'shop', '-c', 'istio-proxy')
  return log.split('\n').filter((line) => line.includes(' inbound|')).length
}
