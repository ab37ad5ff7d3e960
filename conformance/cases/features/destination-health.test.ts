/** Outlier detection and circuit breaking of a DestinationRule: pods are made to fail and healed, and what reaches them is counted. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, addressOf, type CallSpec, type Echo, echoService } from '../../harness/echo.ts'
import { CALLER, deployEcho, NOWHERE_URL } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'
import { kill, processesOf } from '../../harness/processes.ts'
import { tally } from '../../harness/statistics.ts'

const EJECTED_MS = 2000
const soon = { interval: '500ms', baseEjectionTime: `${EJECTED_MS}ms`, maxEjectionPercent: 100 }
const outlier = (outlierDetection: object) => ({ trafficPolicy: { outlierDetection } })
const pool = (connectionPool: object, more: object = {}) => ({ trafficPolicy: { connectionPool, ...more } })
const repeated = { attempts: 3, retryOn: '5xx' }

/** Services of the pods a and b in the mesh, their rules, and the retries of their routes. */
const INSIDE: Readonly<Record<string, { rule: object; retries?: object }>> = {
  'errors-5xx': { rule: outlier({ ...soon, consecutive5xxErrors: 3 }) },
  'gateway-errors': { rule: outlier({ ...soon, consecutiveGatewayErrors: 3, consecutive5xxErrors: 0 }) },
  'old-errors': { rule: outlier({ ...soon, consecutiveErrors: 1, consecutive5xxErrors: 0, consecutiveGatewayErrors: 0 }) },
  'half-at-most': { rule: outlier({ ...soon, consecutive5xxErrors: 3, maxEjectionPercent: 50, baseEjectionTime: '60s' }) },
  everything: { rule: outlier({ ...soon, consecutive5xxErrors: 3, baseEjectionTime: '60s' }) },
  'enough-health': { rule: outlier({ ...soon, consecutive5xxErrors: 3, minHealthPercent: 60, baseEjectionTime: '60s' }) },
  pending: { rule: pool({ tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } }) },
  requests: { rule: pool({ http: { http2MaxRequests: 2 } }) },
  'some-retries': { rule: pool({ http: { maxRetries: 1 } }), retries: repeated },
  'all-retries': { rule: pool({ http: { http2MaxRequests: 1000 } }), retries: repeated },
  'retry-budget': { rule: { trafficPolicy: { retryBudget: { percent: 1, minRetryConcurrency: 1 } } }, retries: repeated },
}

/** Services of the pods x and y, which have no sidecar: what they refuse, the caller's own proxy finds out. */
const OUTSIDE: Readonly<Record<string, object>> = {
  split: {
    ...soon,
    splitExternalLocalOriginErrors: true,
    consecutiveLocalOriginFailures: 3,
    consecutive5xxErrors: 0,
    consecutiveGatewayErrors: 0,
  },
  joined: { ...soon, consecutiveGatewayErrors: 3, consecutive5xxErrors: 0 },
}

/** Hosts with two pods each as fixed endpoints, of which the first is nearer: no Kubernetes says whether they are well. */
const FIXED: Readonly<Record<string, readonly [near: string, far: string]>> = { killed: ['p', 'q'], 'killed-near': ['r', 's'] }
const fixed = (name: string, near: string, far: string) =>
  networking(
    'ServiceEntry',
    { name, namespace: 'feat' },
    {
      hosts: [`${name}.example`],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      endpoints: [
        { address: near, locality: 'home/near' },
        { address: far, locality: 'home/far' },
      ],
    },
  ) +
  networking(
    'DestinationRule',
    { name, namespace: 'feat' },
    { host: `${name}.example`, ...outlier({ ...soon, consecutiveGatewayErrors: 2 }) },
  )

const inside = (name: string) => `${name}.feat.svc.cluster.local`
const outside = (name: string) => `${name}.outside.svc.cluster.local`

const OBJECTS = [
  ...Object.entries(INSIDE).flatMap(([name, { rule, retries = { attempts: 0 } }]) => [
    echoService({ name, namespace: 'feat', selector: { app: 'echo' } }),
    networking('DestinationRule', { name, namespace: 'feat' }, { host: inside(name), ...rule }),
    networking(
      'VirtualService',
      { name, namespace: 'feat' },
      { hosts: [inside(name)], http: [{ retries, route: [{ destination: { host: inside(name) } }] }] },
    ),
  ]),
  ...Object.entries(OUTSIDE).flatMap(([name, outlierDetection]) => [
    networking('DestinationRule', { name, namespace: 'feat' }, { host: outside(name), trafficPolicy: { outlierDetection } }),
    networking(
      'VirtualService',
      { name: `out-${name}`, namespace: 'feat' },
      { hosts: [outside(name)], http: [{ retries: { attempts: 0 }, route: [{ destination: { host: outside(name) } }] }] },
    ),
  ]),
]

describeWithMesh('health of destinations', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    const pods = [
      ...['a', 'b'].map((name) => ({ name, namespace: 'feat', labels: { app: 'echo' } })),
      ...['x', 'y'].map((name) => ({ name, namespace: 'outside', labels: { app: 'echo' } })),
      ...Object.values(FIXED).flatMap((pair) => pair.map((name) => ({ name, namespace: 'outside' }))),
      { name: 'caller', namespace: 'feat' },
      { name: 'placed', namespace: 'feat', labels: { 'istio-locality': 'home.near' } },
    ]
    echo = await deployEcho(mesh(), pods, OBJECTS.join(''))
    await mesh().apply(
      Object.keys(OUTSIDE)
        .map((name) => echoService({ name, namespace: 'outside', selector: { app: 'echo' } }))
        .join(''),
    )
    for (const [name, pair] of Object.entries(FIXED)) {
      const [near, far] = await Promise.all(pair.map((pod) => addressOf(mesh(), `outside/${pod}`)))
      await mesh().apply(fixed(name, near ?? '', far ?? ''))
    }
    await Promise.all([
      ...Object.keys(INSIDE).map((name) => bothAnswer(`http://${inside(name)}`, ['a', 'b'])),
      ...Object.keys(OUTSIDE).map((name) => bothAnswer(`http://${outside(name)}`, ['x', 'y'])),
    ])
  })

  afterAll(async () => {
    await echo?.close()
  })

  const calls = (url: string, more: Partial<CallSpec> = {}) => echo.call(CALLER, { url, ...more })
  const whoAnswered = (answers: readonly Answer[]) => tally(answers.map(({ pod }) => pod))
  const statuses = (answers: readonly Answer[]) => tally(answers.map(({ status }) => status))
  const answersOf = (url: string, count = 20) => calls(url, { count, parallel: 1 })
  const bothAnswer = (url: string, pods: readonly string[]) =>
    eventually(async () => {
      const answers = await answersOf(url)
      expect(Object.keys(whoAnswered(answers)).sort()).toEqual(pods)
      expect(statuses(answers)).toEqual({ 200: 20 })
    })
  /** Waits until only these answer. */
  const onlyAnswer = (url: string, pods: readonly string[]) =>
    eventually(async () => expect(Object.keys(whoAnswered(await answersOf(url))).sort()).toEqual(pods))

  describe.concurrent('outlier detection', () => {
    test('a pod that fails in a row is ejected, gets nothing, and comes back when its time is over', async () => {
      const url = `http://${inside('errors-5xx')}`
      const failing = randomUUID()
      const ejected = await eventually(async () => {
        const began = Date.now()
        const answers = await calls(`${url}/?status=500&only=a`, { count: 10, parallel: 1, headers: { 'x-test': failing } })
        expect(whoAnswered(answers)).toEqual({ b: 10 })
        return began
      })
      const [last] = (await echo.received('feat/a', { test: failing })).slice(-1)
      // A worker may have sent one more before it learned of the ejection.
      expect((await echo.received('feat/a', { test: failing })).length).toBeLessThanOrEqual(5)
      expect((await echo.received('feat/a', { test: failing })).length).toBeGreaterThanOrEqual(3)
      expect(ejected).toBeGreaterThan(last?.atMs ?? Number.POSITIVE_INFINITY)
      const healed = randomUUID()
      await eventually(async () => {
        await calls(url, { count: 10, headers: { 'x-test': healed } })
        const [first] = await echo.received('feat/a', { test: healed })
        expect((first?.atMs ?? 0) - (last?.atMs ?? 0)).toBeGreaterThan(EJECTED_MS - 100)
      })
      await bothAnswer(url, ['a', 'b'])
    })

    test('gateway errors eject where only they are counted; other errors do not', async () => {
      const url = `http://${inside('gateway-errors')}`
      const plain = await calls(`${url}/?status=500&only=a`, { count: 40, parallel: 1 })
      expect(plain.slice(-10).some(({ pod }) => pod === 'a')).toBe(true)
      await onlyAnswer(`${url}/?status=503&only=a`, ['b'])
    })

    test('the count that is no longer read ejects nothing', async () => {
      const answers = await calls(`http://${inside('old-errors')}/?status=503&only=a`, { count: 60, parallel: 1 })
      expect(answers.slice(-10).some(({ pod }) => pod === 'a')).toBe(true)
    })

    test('no more pods are ejected than the share that may be', async () => {
      const half = `http://${inside('half-at-most')}/?status=503`
      await eventually(async () => expect(Object.keys(whoAnswered(await answersOf(half)))).toHaveLength(1))
      const all = `http://${inside('everything')}/?status=503`
      await eventually(async () => expect(whoAnswered(await answersOf(all))).toEqual({ '': 20 }))
    })

    test('ejections do not count while fewer pods are healthy than must be', async () => {
      const url = `http://${inside('enough-health')}/?status=503&only=a`
      const answers = await calls(url, { count: 80, parallel: 1 })
      expect(answers.slice(-20).some(({ pod }) => pod === 'a')).toBe(true)
      const { stdout } = await mesh().lateen(
        'proxy-config',
        'endpoints',
        'caller.feat',
        '--cluster',
        `outbound|80||${inside('enough-health')}`,
      )
      expect(stdout).toContain('FAILED')
    })
  })

  test('a pod that is killed is ejected by the connections that fail, and comes back when it is healed', async () => {
    const split = `http://${outside('split')}`
    const joined = `http://${outside('joined')}`
    await echo.set('outside/x', { closed: true })
    try {
      for (const url of [split, joined]) {
        await eventually(async () => {
          const answers = await answersOf(url)
          expect(statuses(answers)).toEqual({ 200: 20 })
          expect(whoAnswered(answers)).toEqual({ y: 20 })
        })
      }
    } finally {
      await echo.set('outside/x', {})
    }
    for (const url of [split, joined]) await bothAnswer(url, ['x', 'y'])
  })

  describe.concurrent('a killed process', () => {
    const appOf = (pod: string) => ({ command: /\/app\/main\.ts/, env: `POD_NAME=${pod}` })
    /** Ends the app until Kubernetes lets it start again, some seconds later: the first time, it does so at once. */
    const killTwice = async (pod: string) => {
      const [first] = processesOf(mesh(), appOf(pod))
      kill(mesh(), appOf(pod))
      await eventually(() => processesOf(mesh(), appOf(pod)).some((pid) => pid !== first))
      kill(mesh(), appOf(pod))
    }
    const answering = (from: string, host: string, count = 20) =>
      echo.call(from, { url: NOWHERE_URL, headers: { host }, count, parallel: 1, newConnections: true })

    test('an app whose process is killed is ejected, and called again when it runs again', async () => {
      const bothCalled = () =>
        eventually(async () => {
          const answers = await answering(CALLER, 'killed.example')
          expect(Object.keys(whoAnswered(answers)).sort()).toEqual(['p', 'q'])
          expect(statuses(answers)).toEqual({ 200: 20 })
        })
      await bothCalled()
      await killTwice('p')
      await eventually(async () => {
        const answers = await answering(CALLER, 'killed.example')
        expect(processesOf(mesh(), appOf('p'))).toEqual([])
        expect(whoAnswered(answers)).toEqual({ q: 20 })
      })
      await bothCalled()
    })

    test('when the app of the own zone is killed requests go elsewhere, and come back when it runs again', async () => {
      const only = (pod: string) =>
        eventually(async () => expect(whoAnswered(await answering('feat/placed', 'killed-near.example'))).toEqual({ [pod]: 20 }), {
          withinMs: 60_000,
        })
      await only('r')
      await killTwice('r')
      await only('s')
      await only('r')
    })
  })

  test('answers that fail are apart from connections that fail where they are counted apart', async () => {
    const split = await calls(`http://${outside('split')}/?status=503&only=x`, { count: 40, parallel: 1 })
    expect(split.slice(-10).some(({ pod }) => pod === 'x')).toBe(true)
    await onlyAnswer(`http://${outside('joined')}/?status=503&only=x`, ['y'])
  })

  describe('circuit breaking', () => {
    const slowCalls = (name: string, path: string) => {
      const id = randomUUID()
      const url = `http://${inside(name)}/?${path}`
      return { id, answers: calls(url, { count: 24, parallel: 24, headers: { 'x-test': id } }) }
    }
    const receivedOf = async (id: string) => (await Promise.all(['feat/a', 'feat/b'].map((pod) => echo.received(pod, { test: id })))).flat()

    test('what finds no connection and no place to wait is refused, and never reaches the app', async () => {
      const { id, answers } = slowCalls('pending', 'delay=1000')
      const counts = statuses(await answers)
      expect(Object.keys(counts).sort()).toEqual(['200', '503'])
      expect(counts['503']).toBeGreaterThanOrEqual(16)
      expect(await receivedOf(id)).toHaveLength(counts['200'] ?? 0)
      expect((await answers).filter(({ status }) => status === 503).every(({ headers }) => headers['x-envoy-overloaded'] === 'true')).toBe(
        true,
      )
    })

    test('no more requests are under way than may be', async () => {
      const { id, answers } = slowCalls('requests', 'delay=1000')
      const counts = statuses(await answers)
      // Each of the proxy's workers may let one pass that it did not know of.
      expect(counts['200']).toBeGreaterThanOrEqual(2)
      expect(counts['200']).toBeLessThanOrEqual(4)
      expect(await receivedOf(id)).toHaveLength(counts['200'] ?? 0)
    })

    test('retries are limited in number, or to a share of the requests', async () => {
      const tries = async (name: string) => {
        const { id, answers } = slowCalls(name, 'status=503&delay=300')
        expect(statuses(await answers)).toEqual({ 503: 24 })
        return (await receivedOf(id)).length
      }
      expect(await tries('all-retries')).toBe(24 * 4)
      for (const name of ['some-retries', 'retry-budget']) {
        const seen = await tries(name)
        expect(seen).toBeGreaterThanOrEqual(25)
        expect(seen).toBeLessThan(24 * 2)
      }
    })
  })
})
