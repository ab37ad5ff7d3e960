/** Shares, copies, faults, timeouts and retries of a VirtualService's `http`: counted and timed at the app. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Echo, echoService, type Received } from '../../harness/echo.ts'
import { ask, askOnce, deployEcho, routed, type Way } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'
import { expectShare, tally } from '../../harness/statistics.ts'

const WAYS: readonly Way[] = ['gateway', 'sidecar']
const VERSIONS = ['v1', 'v2', 'v3']
const PODS = VERSIONS.map((version) => `feat/echo-${version}`)
const destination = (subset: string, more: object = {}) => ({ destination: { host: 'echo.feat.svc.cluster.local', subset }, ...more })
const copies = (subset: string, value?: number) => ({
  destination: { host: 'echo.feat.svc.cluster.local', subset },
  ...(value === undefined ? {} : { percentage: { value } }),
})

const HTTP: Readonly<Record<string, object>> = {
  weights: {
    route: [['v1', 70] as const, ['v2', 20] as const, ['v3', 10] as const].map(([version, weight]) =>
      destination(version, { weight, headers: { request: { set: { 'x-chosen': version } }, response: { set: { 'x-from': version } } } }),
    ),
  },
  weightless: { route: [destination('v1', { weight: 100 }), destination('v2', { weight: 0 })] },
  delay: { fault: { delay: { fixedDelay: '400ms', percentage: { value: 100 } } }, route: [destination('v1')] },
  // Long enough that no undelayed answer of a busy machine is taken for a delayed one.
  'delay-some': { fault: { delay: { fixedDelay: '1500ms', percentage: { value: 25 } } }, route: [destination('v1')] },
  'delay-old': { fault: { delay: { fixedDelay: '400ms', percent: 100 } }, route: [destination('v1')] },
  abort: { fault: { abort: { httpStatus: 418, percentage: { value: 30 } } }, route: [destination('v1')] },
  'abort-grpc': { fault: { abort: { grpcStatus: 'RESOURCE_EXHAUSTED', percentage: { value: 100 } } }, route: [destination('v1')] },
  both: {
    fault: { delay: { fixedDelay: '300ms', percentage: { value: 100 } }, abort: { httpStatus: 429, percentage: { value: 100 } } },
    route: [destination('v1')],
  },
  timeout: { timeout: '300ms', route: [destination('v1')] },
  retries: { retries: { attempts: 3, retryOn: '5xx' }, route: [destination('v1')] },
  'retries-off': { retries: { attempts: 0 }, route: [destination('v1')] },
  'retries-default': { route: [destination('v1')] },
  'retries-gateway-error': { retries: { attempts: 1, retryOn: 'gateway-error' }, route: [destination('v1')] },
  'retries-code': { retries: { attempts: 1, retryOn: 'reset,409' }, route: [destination('v1')] },
  'retries-timed': { retries: { attempts: 2, perTryTimeout: '300ms', retryOn: 'reset' }, timeout: '9s', route: [destination('v1')] },
  'retries-slowly': { retries: { attempts: 3, retryOn: '5xx', backoff: '1s' }, route: [destination('v1')] },
  'retries-elsewhere': {
    retries: { attempts: 2, retryOn: '5xx', retryIgnorePreviousHosts: true },
    route: [{ destination: { host: 'hashed.feat.svc.cluster.local' } }],
  },
  'retries-same': {
    retries: { attempts: 2, retryOn: '5xx', retryIgnorePreviousHosts: false },
    route: [{ destination: { host: 'hashed.feat.svc.cluster.local' } }],
  },
  mirror: { mirror: copies('v2').destination, route: [destination('v1')] },
  'mirror-share': { mirror: copies('v2').destination, mirrorPercentage: { value: 40 }, route: [destination('v1')] },
  'mirror-old': { mirror: copies('v2').destination, mirrorPercent: 50, route: [destination('v1')] },
  mirrors: { mirrors: [copies('v2', 100), copies('v3', 30)], route: [destination('v1')] },
}

const hostOf = (name: string) => `${name}.example`

const OBJECTS = [
  echoService({ name: 'echo', namespace: 'feat' }),
  echoService({ name: 'hashed', namespace: 'feat', selector: { app: 'echo' } }),
  networking(
    'DestinationRule',
    { name: 'echo', namespace: 'feat' },
    { host: 'echo', subsets: VERSIONS.map((version) => ({ name: version, labels: { version } })) },
  ),
  networking(
    'DestinationRule',
    { name: 'hashed', namespace: 'feat' },
    { host: 'hashed', trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'x-key' } } } },
  ),
  ...Object.entries(HTTP).map(([name, http]) =>
    networking(
      'VirtualService',
      { name, namespace: 'feat' },
      { hosts: [hostOf(name)], gateways: ['mesh', 'feat/front'], http: [{ name: `name-of-${name}`, ...http }] },
    ),
  ),
]

describeWithMesh('HTTP resilience', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    const pods = VERSIONS.map((version) => ({ name: `echo-${version}`, namespace: 'feat', labels: { app: 'echo', version } }))
    echo = await deployEcho(mesh(), [...pods, { name: 'caller', namespace: 'feat' }], OBJECTS.join(''))
    const hosts = Object.keys(HTTP).map(hostOf)
    await routed(echo, { gateway: hosts, sidecar: hosts })
  })

  afterAll(async () => {
    await echo?.close()
  })

  /** What the three pods received of one test, by pod. */
  const receivedBy = async (id: string): Promise<Record<string, number>> => {
    const all = await Promise.all(PODS.map((pod) => echo.received(pod, { test: id })))
    return tally(all.flat().map(({ pod }) => pod))
  }
  /** All that v1 received of one call, and the call's answer. */
  const attempts = async (
    way: Way,
    host: string,
    path: string,
    more: object = {},
  ): Promise<{ status: number; ms: number; seen: Received[] }> => {
    const id = randomUUID()
    const { status, ms } = await askOnce(echo, way, { host, path: `${path}&id=${id}`, test: id, ...more })
    return { status, ms, seen: await echo.received('feat/echo-v1', { test: id }) }
  }

  describe.concurrent.each(WAYS)('by %s', (way) => {
    test('weights split the requests, and headers go with the destination chosen', async () => {
      const id = randomUUID()
      const answers = await ask(echo, way, { host: 'weights.example', test: id, count: 800, parallel: 8 })
      expect(tally(answers.map(({ status }) => status))).toEqual({ 200: 800 })
      const seen = await receivedBy(id)
      expect((seen['echo-v1'] ?? 0) + (seen['echo-v2'] ?? 0) + (seen['echo-v3'] ?? 0)).toBe(800)
      expectShare(seen['echo-v1'] ?? 0, 800, 0.7)
      expectShare(seen['echo-v2'] ?? 0, 800, 0.2)
      expectShare(seen['echo-v3'] ?? 0, 800, 0.1)
      for (const { pod, echo: received, headers } of answers) {
        expect(received?.headers['x-chosen']).toBe(pod.replace('echo-', ''))
        expect(headers['x-from']).toBe(pod.replace('echo-', ''))
      }
    })

    test('a destination of weight 0 gets nothing', async () => {
      const answers = await ask(echo, way, { host: 'weightless.example', count: 60 })
      expect(tally(answers.map(({ pod }) => pod))).toEqual({ 'echo-v1': 60 })
    })

    test('a delay holds its share of the requests for its time', async () => {
      const all = await ask(echo, way, { host: 'delay.example', count: 4 })
      expect(Math.min(...all.map(({ ms }) => ms))).toBeGreaterThan(390)
      const old = await ask(echo, way, { host: 'delay-old.example', count: 4 })
      expect(Math.min(...old.map(({ ms }) => ms))).toBeGreaterThan(390)
      const some = await ask(echo, way, { host: 'delay-some.example', count: 200, parallel: 40 })
      expect(tally(some.map(({ status }) => status))).toEqual({ 200: 200 })
      expectShare(some.filter(({ ms }) => ms > 1490).length, 200, 0.25)
    })

    test('an abort answers its share of the requests, which the app never sees', async () => {
      const id = randomUUID()
      const answers = await ask(echo, way, { host: 'abort.example', test: id, count: 300, parallel: 8 })
      const counts = tally(answers.map(({ status }) => status))
      expect(Object.keys(counts).sort()).toEqual(['200', '418'])
      expectShare(counts['418'] ?? 0, 300, 0.3)
      expect(await receivedBy(id)).toEqual({ 'echo-v1': counts['200'] })
    })

    test('an abort with a gRPC status ends a gRPC call with it', async () => {
      const answer = await askOnce(echo, way, { host: 'abort-grpc.example', path: '/shop.Cart/Get', version: 'grpc' })
      expect(answer).toMatchObject({ status: 200, grpcStatus: 8, pod: '' })
    })

    test('a delay and an abort act together', async () => {
      const { status, ms } = await askOnce(echo, way, { host: 'both.example' })
      expect(status).toBe(429)
      expect(ms).toBeGreaterThan(290)
    })

    test('a timeout ends a slow request with 504, and leaves a quick one alone', async () => {
      const slow = await askOnce(echo, way, { host: 'timeout.example', path: '/?delay=3000' })
      expect(slow.status).toBe(504)
      expect(slow.ms).toBeGreaterThan(290)
      expect(slow.ms).toBeLessThan(2500)
      expect((await askOnce(echo, way, { host: 'timeout.example' })).status).toBe(200)
      expect((await askOnce(echo, way, { host: 'retries-off.example', path: '/?delay=1000' })).status).toBe(200)
    })

    test('retries repeat a failing request as often as they say, and no more', async () => {
      const failing = await attempts(way, 'retries.example', '/?status=503')
      expect([failing.status, failing.seen.length]).toEqual([503, 4])
      const healed = await attempts(way, 'retries.example', '/?fail=2')
      expect([healed.status, healed.seen.length]).toEqual([200, 3])
      const fine = await attempts(way, 'retries.example', '/?x=1')
      expect([fine.status, fine.seen.length]).toEqual([200, 1])
      const off = await attempts(way, 'retries-off.example', '/?status=503')
      expect([off.status, off.seen.length]).toEqual([503, 1])
    })

    test('retries are for the conditions that are named', async () => {
      const gatewayError = await attempts(way, 'retries-gateway-error.example', '/?status=502')
      expect(gatewayError.seen).toHaveLength(2)
      const plainError = await attempts(way, 'retries-gateway-error.example', '/?status=500')
      expect(plainError.seen).toHaveLength(1)
      const conflict = await attempts(way, 'retries-code.example', '/?status=409')
      expect(conflict.seen).toHaveLength(2)
      const other = await attempts(way, 'retries-code.example', '/?status=503')
      expect(other.seen).toHaveLength(1)
    })

    test('without a policy a failed answer is not repeated, but a gRPC call that finds the service unavailable is, twice', async () => {
      const failing = await attempts(way, 'retries-default.example', '/?status=503')
      expect([failing.status, failing.seen.length]).toEqual([503, 1])
      const unavailable = await attempts(way, 'retries-default.example', '/shop.Cart/Get?x=1', {
        version: 'grpc',
        headers: { 'x-echo-grpc-status': '14' },
      })
      expect(unavailable.seen).toHaveLength(3)
    })

    test('each try has its own time', async () => {
      const { status, ms, seen } = await attempts(way, 'retries-timed.example', '/?delay=2500')
      expect([status, seen.length]).toEqual([504, 3])
      expect(ms).toBeGreaterThan(880)
      expect(ms).toBeLessThan(2500)
      const [first, second] = seen
      expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(290)
    })

    test('retries wait longer where the policy says so', async () => {
      // Each wait is by chance between nothing and 1, 3 and 7 s; without the setting all of them stay below 0.3 s.
      const calls = await Promise.all(Array.from({ length: 8 }, () => attempts(way, 'retries-slowly.example', '/?fail=2')))
      expect(calls.map(({ seen }) => seen.length)).toEqual(calls.map(() => 3))
      expect(Math.max(...calls.map(({ ms }) => ms))).toBeGreaterThan(500)
    })

    test('a mirror gets a copy of every request, marked as such, and its answer is not used', async () => {
      const id = randomUUID()
      const answers = await ask(echo, way, { host: 'mirror.example', test: id, count: 40 })
      expect(tally(answers.map(({ pod }) => pod))).toEqual({ 'echo-v1': 40 })
      await eventually(async () => expect(await receivedBy(id)).toEqual({ 'echo-v1': 40, 'echo-v2': 40 }))
      const [copy] = await echo.received('feat/echo-v2', { test: id })
      expect(copy?.authority).toBe('mirror.example-shadow')
    })

    test('mirrors get their shares', async () => {
      const [share, old, several] = [randomUUID(), randomUUID(), randomUUID()]
      await Promise.all([
        ask(echo, way, { host: 'mirror-share.example', test: share, count: 300, parallel: 8 }),
        ask(echo, way, { host: 'mirror-old.example', test: old, count: 300, parallel: 8 }),
        ask(echo, way, { host: 'mirrors.example', test: several, count: 300, parallel: 8 }),
      ])
      await eventually(async () => {
        expectShare((await receivedBy(share))['echo-v2'] ?? 0, 300, 0.4)
        expectShare((await receivedBy(old))['echo-v2'] ?? 0, 300, 0.5)
        const copied = await receivedBy(several)
        expect(copied['echo-v2']).toBe(300)
        expectShare(copied['echo-v3'] ?? 0, 300, 0.3)
      })
    })
  })

  describe('where one of three pods fails', () => {
    beforeAll(async () => {
      if (!whySkipped()) await echo.set('feat/echo-v1', { status: 503 })
    })
    afterAll(async () => {
      await echo?.set('feat/echo-v1', {})
    })

    test.each(WAYS)('by %s: a retry goes to another pod, or to the same one, as the policy says', async (way) => {
      const keys = Array.from({ length: 40 }, (_, at) => `key-${at}`)
      const statuses = async (host: string) => {
        const answers = await Promise.all(keys.map((key) => askOnce(echo, way, { host, headers: { 'x-key': key } })))
        return tally(answers.map(({ status }) => status))
      }
      expect(await statuses('retries-elsewhere.example')).toEqual({ 200: 40 })
      // The hash leads some keys to the failing pod, again and again.
      const same = await statuses('retries-same.example')
      expect(same['503']).toBeGreaterThan(0)
      expect(same['200']).toBeGreaterThan(0)
    })
  })

  test('fields that Istio names but does not carry out are refused by name', async () => {
    const refused = async (fault: object) => {
      const object = networking(
        'VirtualService',
        { name: 'never', namespace: 'feat' },
        { hosts: ['never.example'], http: [{ fault, route: [destination('v1')] }] },
      )
      const { code, output } = await mesh().tryKubectl(['apply', '-f', '-'], { stdin: object })
      expect(code).not.toBe(0)
      return output
    }
    expect(await refused({ delay: { exponentialDelay: '1s' } })).toContain('exponentialDelay')
    expect(await refused({ abort: { http2Error: 'CANCEL' } })).toContain('http2Error')
  })

  test('a route has its name in the proxy', async () => {
    const { stdout, output } = await mesh().lateen('proxy-config', 'routes', 'caller.feat', '-o', 'json')
    for (const name of Object.keys(HTTP)) expect(stdout, output).toContain(`"name-of-${name}"`)
  })
})
