/** Which pod a DestinationRule's load balancing chooses: counted by who answered. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, type CallSpec, type Echo, echoPod, echoService, podsReady } from '../../harness/echo.ts'
import { CALLER, deployEcho } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'
import { expectShare, tally } from '../../harness/statistics.ts'

/** Name → locality; the caller is in region1, zone1. */
const PODS: Readonly<Record<string, string>> = { a: 'region1.zone1', b: 'region1.zone2', c: 'region2.zone1', d: 'region3.zone1' }
const ALL = Object.keys(PODS)
const byHeader = { httpHeaderName: 'x-key' }
/** Ejects what fails twice, so that localities have something to fail over for. */
const outlierDetection = { consecutive5xxErrors: 2, interval: '1s', baseEjectionTime: '2s', maxEjectionPercent: 100 }

const balanced = (loadBalancer: object, more: object = {}) => ({ trafficPolicy: { loadBalancer, ...more } })
const withLocality = (localityLbSetting: object) => balanced({ localityLbSetting }, { outlierDetection })

/** A service of the four pods, and a DestinationRule for it, each. */
const RULES: Readonly<Record<string, object>> = {
  'round-robin': balanced({ simple: 'ROUND_ROBIN' }),
  'least-request': balanced({ simple: 'LEAST_REQUEST' }),
  'least-conn': balanced({ simple: 'LEAST_CONN' }),
  random: balanced({ simple: 'RANDOM' }),
  passthrough: balanced({ simple: 'PASSTHROUGH' }),
  'by-header': balanced({ consistentHash: byHeader }),
  'by-cookie': balanced({
    consistentHash: { httpCookie: { name: 'session', path: '/shop', ttl: '90s', attributes: [{ name: 'SameSite', value: 'Strict' }] } },
  }),
  'by-query': balanced({ consistentHash: { httpQueryParameterName: 'user' } }),
  'by-address': balanced({ consistentHash: { useSourceIp: true } }),
  'by-ring': balanced({ consistentHash: { ...byHeader, ringHash: { minimumRingSize: 4096 } } }),
  'by-old-ring': balanced({ consistentHash: { ...byHeader, minimumRingSize: 4096 } }),
  'by-maglev': balanced({ consistentHash: { ...byHeader, maglev: { tableSize: 251 } } }),
  'by-small-maglev': balanced({ consistentHash: { ...byHeader, maglev: { tableSize: 3 } } }),
  'warm-up': balanced({ simple: 'ROUND_ROBIN', warmup: { duration: '60s', minimumPercent: 1, aggression: 1 } }),
  'warm-up-old': balanced({ simple: 'ROUND_ROBIN', warmupDurationSecs: '60s' }),
  distribute: balanced({
    localityLbSetting: {
      distribute: [{ from: 'region1/zone1/*', to: { 'region1/zone1/*': 20, 'region1/zone2/*': 30, 'region2/*': 50 } }],
    },
  }),
  near: withLocality({}),
  'from-to': withLocality({ failover: [{ from: 'region1', to: 'region3' }] }),
  priority: withLocality({ failoverPriority: ['color'] }),
  'priority-value': withLocality({ failoverPriority: ['color=green'] }),
  anywhere: withLocality({ enabled: false }),
  remote: balanced(
    { localityLbSetting: {} },
    { outlierDetection: { ...outlierDetection, consecutive5xxErrors: 0, consecutiveGatewayErrors: 0 } },
  ),
  home: balanced(
    { localityLbSetting: {} },
    { outlierDetection: { ...outlierDetection, consecutive5xxErrors: 0, consecutiveGatewayErrors: 0 } },
  ),
  parts: {
    ...balanced({ simple: 'ROUND_ROBIN' }),
    subsets: [
      { name: 'two', labels: { half: 'first' } },
      { name: 'sticky', labels: { half: 'first' }, trafficPolicy: { loadBalancer: { consistentHash: byHeader } } },
    ],
  },
  ports: {
    trafficPolicy: {
      loadBalancer: { simple: 'ROUND_ROBIN' },
      portLevelSettings: [{ port: { number: 81 }, loadBalancer: { consistentHash: byHeader } }],
    },
  },
}

const retries = { attempts: 3, retryOn: '5xx' }
const host = (name: string) => `${name}.feat.svc.cluster.local`
const route = (name: string, http: object) =>
  networking('VirtualService', { name, namespace: 'feat' }, { hosts: [host(name)], http: [http] })

const OBJECTS = [
  ...Object.keys(RULES).map((name) =>
    echoService({
      name,
      namespace: 'feat',
      selector: name === 'from-to' ? { place: 'far' } : { app: 'echo' },
      ports: { http: [80, 8080], 'http-same': [8080, 8080], 'http-more': [81, 8080] },
    }),
  ),
  ...Object.entries(RULES).map(([name, rule]) => networking('DestinationRule', { name, namespace: 'feat' }, { host: host(name), ...rule })),
  route('remote', { retries: { ...retries, retryRemoteLocalities: true }, route: [{ destination: { host: host('remote') } }] }),
  route('home', { retries: { ...retries, retryRemoteLocalities: false }, route: [{ destination: { host: host('home') } }] }),
  route('parts', {
    match: [{ uri: { prefix: '/' } }],
    route: [{ destination: { host: host('parts'), subset: 'two' } }],
  }),
  networking(
    'VirtualService',
    { name: 'sticky', namespace: 'feat' },
    { hosts: ['sticky.example'], http: [{ route: [{ destination: { host: host('parts'), subset: 'sticky' } }] }] },
  ),
]

const podLabels = (name: string, locality: string) => ({
  app: 'echo',
  'istio-locality': locality,
  color: name === 'c' ? 'blue' : name === 'd' ? 'green' : 'red',
  half: name < 'c' ? 'first' : 'second',
  place: name < 'c' ? 'near' : 'far',
})

describeWithMesh('load balancing', (mesh) => {
  let echo: Echo

  beforeAll(async () => {
    if (whySkipped()) return
    const pods = Object.entries(PODS).map(([name, locality]) => ({ name, namespace: 'feat', labels: podLabels(name, locality) }))
    const caller = { name: 'caller', namespace: 'feat', labels: { 'istio-locality': 'region1.zone1', color: 'blue' } }
    echo = await deployEcho(mesh(), [...pods, caller], OBJECTS.join(''))
    await Promise.all(
      Object.keys(RULES).map((name) => eventually(async () => expect((await calls(name)).map(({ status }) => status)).toEqual([200]))),
    )
  })

  afterAll(async () => {
    await echo?.close()
  })

  const calls = (service: string, { path = '/', ...more }: Omit<Partial<CallSpec>, 'url'> & { path?: string; port?: number } = {}) =>
    echo.call(CALLER, { url: `http://${service}.feat:${more.port ?? 80}${path}`, ...more })
  const whoAnswered = (answers: readonly Answer[]) => tally(answers.map(({ pod }) => pod))
  /** Calls with one of many keys, twice each: the pods of each key. */
  const podsOfKeys = async (service: string, more: { port?: number; host?: string } = {}) => {
    const keys = Array.from({ length: 60 }, () => randomUUID())
    const pods = await Promise.all(
      keys.map(async (key) => {
        const headers = { 'x-key': key, ...(more.host ? { host: more.host } : {}) }
        return (await calls(service, { count: 3, headers, ...(more.port ? { port: more.port } : {}) })).map(({ pod }) => pod)
      }),
    )
    return pods.map((each) => [...new Set(each)])
  }
  /** Each key has one pod, and the keys all of `pods`. */
  const expectSticky = (found: readonly (readonly string[])[], pods: readonly string[] = ALL) => {
    expect(found.filter((each) => each.length !== 1)).toEqual([])
    expect([...new Set(found.flat())].sort()).toEqual(pods)
  }

  describe.concurrent('by request', () => {
    test('ROUND_ROBIN takes the pods in turn', async () => {
      const counts = whoAnswered(await calls('round-robin', { count: 80, parallel: 1 }))
      expect(Object.keys(counts).sort()).toEqual(ALL)
      for (const count of Object.values(counts)) expect(Math.abs(count - 20)).toBeLessThanOrEqual(2)
    })

    test.each(['least-request', 'least-conn'])('%s spares a pod that is slow', async (service) => {
      const counts = whoAnswered(await calls(service, { count: 300, parallel: 12, path: '/?delay=400&only=a' }))
      const others = 300 - (counts['a'] ?? 0)
      expect(counts['a'] ?? 0).toBeLessThan(others / 3 / 2)
    })

    test('RANDOM takes each pod by the same chance', async () => {
      const answers = await calls('random', { count: 400, parallel: 1 })
      const counts = whoAnswered(answers)
      for (const pod of ALL) expectShare(counts[pod] ?? 0, 400, 0.25)
      // Taking turns, a pod would never follow itself.
      expect(answers.filter(({ pod }, at) => pod === answers[at - 1]?.pod).length).toBeGreaterThan(0)
    })

    test('PASSTHROUGH goes to the address that the caller has chosen', async () => {
      const address = await mesh().kubectl('get', 'pod', 'b', '-n', 'feat', '-o', 'jsonpath={.status.podIP}')
      const url = `http://${address}:8080/`
      const chosen = await echo.call(CALLER, { url, count: 30, headers: { host: 'passthrough.feat:8080' } })
      expect(whoAnswered(chosen)).toEqual({ b: 30 })
      const balancedOver = await echo.call(CALLER, { url, count: 60, headers: { host: 'round-robin.feat:8080' } })
      expect(Object.keys(whoAnswered(balancedOver)).sort()).toEqual(ALL)
    })

    test.each(['by-header', 'by-ring', 'by-old-ring', 'by-maglev'])(
      'a hash of a header keeps each of its values at one pod: %s',
      async (service) => {
        expectSticky(await podsOfKeys(service))
      },
    )

    test('rings and tables have the size asked for', async () => {
      // Of a table with three places only three pods can have one.
      expect([...new Set((await podsOfKeys('by-small-maglev')).flat())]).toHaveLength(3)
      for (const service of ['by-ring', 'by-old-ring']) {
        const { stdout } = await mesh().lateen(
          'proxy-config',
          'clusters',
          'caller.feat',
          '--fqdn',
          host(service),
          '--port',
          '80',
          '-o',
          'json',
        )
        expect(stdout).toMatch(/"minimumRingSize": "?4096/)
      }
    })

    test('a hash of a query parameter keeps each of its values at one pod', async () => {
      const users = Array.from({ length: 60 }, (_, at) => `user-${at}`)
      const found = await Promise.all(
        users.map(async (user) => (await calls('by-query', { count: 3, path: `/?user=${user}` })).map(({ pod }) => pod)),
      )
      expectSticky(found.map((pods) => [...new Set(pods)]))
    })

    test('a hash of a cookie makes the cookie, and keeps it at one pod', async () => {
      const [first] = await calls('by-cookie', { path: '/shop' })
      const cookie = String(first?.headers['set-cookie'])
      expect(cookie).toMatch(/^session="?[0-9a-f]+"?;/)
      expect(cookie).toMatch(/Max-Age=90/i)
      expect(cookie).toMatch(/Path=\/shop/i)
      expect(cookie).toMatch(/SameSite=Strict/i)
      const again = await calls('by-cookie', {
        count: 20,
        path: '/shop',
        headers: { cookie: cookie.split(';')[0] ?? '' },
        newConnections: true,
      })
      expect(whoAnswered(again)).toEqual({ [first?.pod ?? '']: 20 })
      expect(again[0]?.headers).not.toHaveProperty('set-cookie')
      const others = await Promise.all(Array.from({ length: 60 }, (_, at) => calls('by-cookie', { headers: { cookie: `session=${at}` } })))
      expect([...new Set(others.flat().map(({ pod }) => pod))].sort()).toEqual(ALL)
    })

    test('a hash of the caller’s address keeps a caller at one pod', async () => {
      const counts = whoAnswered(await calls('by-address', { count: 40, newConnections: true }))
      expect(Object.keys(counts)).toHaveLength(1)
    })

    test('a subset has the policy of its rule, or its own', async () => {
      const counts = whoAnswered(await calls('parts', { count: 40, parallel: 1 }))
      expect(Object.keys(counts).sort()).toEqual(['a', 'b'])
      expect(Math.abs((counts['a'] ?? 0) - 20)).toBeLessThanOrEqual(2)
      expectSticky(await podsOfKeys('parts', { host: 'sticky.example' }), ['a', 'b'])
    })

    test('a port has the policy of its rule, or its own', async () => {
      expectSticky(await podsOfKeys('ports', { port: 81 }))
      const counts = whoAnswered(await calls('ports', { count: 40, parallel: 1 }))
      for (const count of Object.values(counts)) expect(Math.abs(count - 10)).toBeLessThanOrEqual(2)
    })
  })

  describe.concurrent('by place', () => {
    test('localities share requests as they are distributed', async () => {
      const counts = whoAnswered(await calls('distribute', { count: 500, parallel: 8 }))
      expectShare(counts['a'] ?? 0, 500, 0.2)
      expectShare(counts['b'] ?? 0, 500, 0.3)
      expectShare(counts['c'] ?? 0, 500, 0.5)
      expect(counts['d'] ?? 0).toBe(0)
    })

    /** Waits until all of many calls are answered by these pods. */
    const servedBy = (service: string, pods: readonly string[], path: string) =>
      eventually(async () => {
        const answers = await calls(service, { count: 20, parallel: 4, path })
        expect(Object.keys(whoAnswered(answers.filter(({ status }) => status === 200))).sort()).toEqual(pods)
        expect(answers.filter(({ status }) => status !== 200)).toEqual([])
      })

    test('requests stay in the caller’s zone, fail over to its region, then elsewhere, and come back', async () => {
      await servedBy('near', ['a'], '/')
      await servedBy('near', ['b'], '/?status=503&only=a')
      await servedBy('near', ['c', 'd'], '/?status=503&only=a,b')
      await servedBy('near', ['a'], '/')
    })

    test('a region fails over to the region that the rule names', async () => {
      await servedBy('from-to', ['d'], '/')
      await servedBy('from-to', ['c'], '/?status=503&only=d')
      await servedBy('from-to', ['d'], '/')
    })

    test('pods with the labels that the priority names come first', async () => {
      await servedBy('priority', ['c'], '/')
      await servedBy('priority', ['a', 'b', 'd'], '/?status=503&only=c')
      await servedBy('priority', ['c'], '/')
      // The caller is not green: those that are have no preference over it.
      await servedBy('priority-value', ['d'], '/')
    })

    test('where locality is turned off, requests go everywhere', async () => {
      await servedBy('anywhere', ALL, '/')
    })

    test('a retry leaves its locality where the policy says so', async () => {
      const away = await calls('remote', { count: 10, path: '/?status=503&only=a' })
      expect(tally(away.map(({ status }) => status))).toEqual({ 200: 10 })
      const stay = await calls('home', { count: 10, path: '/?status=503&only=a' })
      expect(tally(stay.map(({ status }) => status))).toEqual({ 503: 10 })
    })
  })

  test('a new pod is warmed up: it gets few requests at first', async () => {
    await mesh().apply(echoPod({ name: 'new', namespace: 'feat', labels: { app: 'echo' } }))
    await podsReady(mesh(), 'feat', ['new'])
    for (const service of ['warm-up', 'warm-up-old']) {
      const seen = await eventually(async () => {
        const counts = whoAnswered(await calls(service, { count: 300, parallel: 8 }))
        expect(counts['new']).toBeGreaterThan(0)
        return counts['new'] ?? 0
      })
      expect(seen).toBeLessThan(45)
    }
  })
})
