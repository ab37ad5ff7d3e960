/**
 * The traffic-management blocks of documents that teach Istio do what their text says. They are applied as they are found (where the block
 * itself is broken: as its author plainly meant it), all at the same time, and what they do is counted at the apps.
 */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, CallSpec, Echo } from '../harness/echo.ts'
import { eventually } from '../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { applySeed, CALLER, certificates, deploySeeds, GATEWAY, MYAPP } from '../harness/seed-scenes.ts'
import { SEEDS, seedsAreThere } from '../harness/seeds.ts'
import { expectShare, tally } from '../harness/statistics.ts'

if (!seedsAreThere) test.skip(`the behaviour of the seed cases: ${SEEDS} is not there`, () => undefined)
else
  describeWithMesh('the seed cases', (mesh) => {
    let echo: Echo
    beforeAll(async () => {
      if (whySkipped()) return
      echo = await deploySeeds(mesh())
    })
    afterAll(() => echo?.close())

    const call = (url: string, more: Partial<CallSpec> = {}) => echo.callOnce(CALLER, { url, ...more })
    const calls = (url: string, count: number, more: Partial<CallSpec> = {}) => echo.call(CALLER, { url, count, parallel: 16, ...more })
    const pods = (answers: readonly Answer[]) => tally(answers.map(({ pod }) => pod))
    const statuses = (answers: readonly Answer[]) => tally(answers.map(({ status }) => status))
    const received = async (namespace: string, id: string, versions = ['v1', 'v2']) =>
      Promise.all(versions.map(async (version) => (await echo.received(`${namespace}/${version}`, { test: id })).length))
    const only = (url: string, pod: string, headers: Readonly<Record<string, string>> = {}) =>
      eventually(async () => expect(pods(await calls(url, 30, { headers }))).toEqual({ [pod]: 30 }))
    /** Shares of a subset, once the route is there. */
    const share = async (url: string, shares: Readonly<Record<string, number>>, from = CALLER) => {
      await eventually(async () => expect((await echo.callOnce(from, { url })).status).toBe(200))
      const seen = pods(await echo.call(from, { url, count: 300, parallel: 16, newConnections: true }))
      expect(Object.keys(seen).filter((pod) => !(pod in shares))).toEqual([])
      for (const [pod, wanted] of Object.entries(shares)) expectShare(seen[pod] ?? 0, 300, wanted)
    }

    describe.concurrent('routes', () => {
      test('001-20, 002-08: jason gets v2, the others are shared', async () => {
        for (const group of ['g1', 'g2']) await only(`http://reviews.${group}/`, 'v2', { 'end-user': 'jason' })
        await share('http://reviews.g1/', { v1: 0.75, v2: 0.25 })
        await share('http://reviews.g2/', { v1: 0.75, v3: 0.25 })
      })

      test('002-57, 002-58, 004-13: canaries get their shares', async () => {
        await share('http://reviews.g4/', { v1: 0.9, v2: 0.1 })
        await share('http://reviews.g5/', { v1: 0.5, v2: 0.5 })
        await share('http://reviews.g7/', { v1: 0.8, v2: 0.2 })
      })

      test('004-06: premium users get v2, the others are shared, by the whole name of the host', async () => {
        await only('http://reviews.default.svc.cluster.local/', 'v2', { 'user-type': 'premium' })
        await share('http://reviews.default/', { v1: 0.9, v2: 0.1 })
      })

      test('002-59, 002-60: all goes to blue, or to green', async () => {
        await only('http://my-service.g1/', 'v1')
        await only('http://my-service.g2/', 'v2')
      })

      test('002-61: the cookie chooses the test version', async () => {
        await only('http://reviews.g6/', 'v2', { cookie: 'lang=en;user=test;x=1' })
        await only('http://reviews.g6/', 'v1', { cookie: 'user=tester' })
        await only('http://reviews.g6/', 'v1')
      })

      test('004-11: the path chooses the service', async () => {
        await only('http://my-service.g3/api/v1/items', 'v1')
        await only('http://my-service.g3/api/v2/items', 'v2')
        expect(await call('http://my-service.g3/else')).toMatchObject({ status: 404 })
      })

      test('004-12: the header chooses the service', async () => {
        await only('http://my-service.default/', 'v2', { 'x-api-version': '2.0' })
        expect(await call('http://my-service.default/')).toMatchObject({ status: 404 })
      })

      test('000-05: beta testers get v2, production a tenth of it, and the others v1', async () => {
        const url = 'http://api-service.production:8080/'
        const versions = async (count: number, headers: Readonly<Record<string, string>> = {}) =>
          tally((await calls(url, count, { headers })).map((answer) => answer.echo?.version))
        await only(url, 'v2', { 'x-user-group': 'beta' })
        expectShare((await versions(400, { 'x-user-group': 'production' }))['v2'] ?? 0, 400, 0.1)
        await eventually(async () => expect(await versions(30)).toEqual({ v1: 30 }))
      })
    })

    describe.concurrent('resilience', () => {
      test('002-13, 004-19: requests are mirrored, all of them or half', async () => {
        for (const [url, group, wanted] of [
          ['http://reviews.g3/', 'g3', 1],
          ['http://service-v1.g4/', 'g4', 0.5],
        ] as const) {
          await only(url, 'v1')
          const id = randomUUID()
          await calls(url, 200, { headers: { 'x-test': id } })
          await eventually(async () => {
            const [direct = 0, mirrored = 0] = await received(group, id)
            expect(direct).toBe(200)
            expectShare(mirrored, 200, wanted)
          })
        }
      })

      test.each(['g1', 'g3'])(
        '001-21, 002-14 in %s: failed requests are repeated, slow tries are given up, and all ends in time',
        async (group) => {
          const url = `http://ratings.${group}`
          await only(`${url}/`, 'v1')
          expect(await call(`${url}/?fail=3&id=${randomUUID()}`)).toMatchObject({ status: 200 })
          expect(await call(`${url}/?fail=4&id=${randomUUID()}`)).toMatchObject({ status: 503 })
          expect(await call(`${url}/?fail=1&status=500&id=${randomUUID()}`)).toMatchObject({ status: 500 })
          const id = randomUUID()
          const slow = await call(`${url}/?delay=9000`, { headers: { 'x-test': id }, timeoutMs: 15_000 })
          expect(slow.status).toBe(504)
          expect(slow.ms).toBeGreaterThan(7900)
          expect(slow.ms).toBeLessThan(10_800)
          expect(await received(group, id)).toEqual([4, 0])
        },
      )

      test.each([
        ['002-71', 'http://ratings.g4'],
        ['004-15', 'http://my-service.g5'],
        ['004-06', 'http://reviews.default'],
      ])('%s: any server error is repeated, three times', async (_, url) => {
        await eventually(async () => expect((await call(`${url}/`)).status).toBe(200))
        // Failures are counted by each pod.
        expect(await call(`${url}/?fail=1&status=500&id=${randomUUID()}`)).toMatchObject({ status: 200 })
        const id = randomUUID()
        expect(await call(`${url}/?status=500`, { headers: { 'x-test': id } })).toMatchObject({ status: 500 })
        const [v1 = 0, v2 = 0] = await received(new URL(url).hostname.split('.')[1] ?? '', id)
        expect(v1 + v2).toBe(4)
      })

      test.each([
        ['002-73', 'http://ratings.g5'],
        ['004-14', 'http://my-service.g4'],
        ['004-06', 'http://reviews.default'],
      ])('%s: a request ends after five seconds', async (_, url) => {
        await eventually(async () => expect((await call(`${url}/`)).status).toBe(200))
        const slow = await call(`${url}/?delay=8000`)
        expect(slow).toMatchObject({ status: 504 })
        expect(slow.ms).toBeGreaterThan(4900)
        expect(slow.ms).toBeLessThan(7000)
        expect(await call(`${url}/?delay=1000`)).toMatchObject({ status: 200 })
      })

      test('002-12: a tenth is delayed by five seconds, a twentieth is answered with 500', async () => {
        await eventually(async () =>
          expect((await calls('http://ratings.g2/', 100, { parallel: 64 })).some(({ ms }) => ms > 4900)).toBe(true),
        )
        const id = randomUUID()
        const answers = await calls('http://ratings.g2/', 400, { parallel: 128, headers: { 'x-test': id } })
        expectShare(answers.filter(({ ms }) => ms > 4900).length, 400, 0.1)
        expectShare(answers.filter(({ status }) => status === 500).length, 400, 0.05)
        expect(await received('g2', id)).toEqual([answers.filter(({ status }) => status === 200).length, 0])
      })

      test('004-17, 004-18: a tenth is delayed, a fifth is refused', async () => {
        await eventually(async () =>
          expect((await calls('http://my-service.g6/', 100, { parallel: 64 })).some(({ ms }) => ms > 4900)).toBe(true),
        )
        const delayed = await calls('http://my-service.g6/', 300, { parallel: 128 })
        expectShare(delayed.filter(({ ms }) => ms > 4900).length, 300, 0.1)
        await eventually(async () => expect(statuses(await calls('http://my-service.g7/', 60))).toHaveProperty('503'))
        expectShare(statuses(await calls('http://my-service.g7/', 400))['503'] ?? 0, 400, 0.2)
      })
    })

    test('001-59: test users wait two seconds, one in a hundred', async () => {
      const url = 'http://ratings.g7/'
      await only(url, 'v1')
      const answers = await calls(url, 1500, { parallel: 64, headers: { 'test-user': 'somebody' } })
      const slow = answers.filter(({ ms, status }) => status === 200 && ms > 1950)
      expectShare(slow.length, 1500, 0.01)
      expect(slow.length).toBeGreaterThan(0)
    })

    describe.concurrent('destinations', () => {
      test('002-15: a pod that fails five times in a row is ejected', async () => {
        const url = 'http://reviews.g8/?status=500&only=v1'
        await eventually(async () => expect(pods(await calls(url, 30, { parallel: 1 }))).toEqual({ v2: 30 }))
      })

      test('002-70, 004-16: but not when more would be ejected than a tenth, or than half', async () => {
        const some = await calls('http://reviews.g9/?status=500&only=v1', 60, { parallel: 1 })
        expect(pods(some.slice(-20))).toHaveProperty('v1')
        const both = await calls('http://my-service.g8/?status=500', 60, { parallel: 1 })
        expect(statuses(both)).toEqual({ 500: 60 })
        expect(Object.keys(pods(both.slice(-20)))).toHaveLength(1)
      })

      test('001-58: one failure is enough', async () => {
        const url = 'http://httpbin.g2/'
        await eventually(async () => expect(Object.keys(pods(await calls(url, 20, { parallel: 1 }))).length).toBeGreaterThan(1))
        const id = randomUUID()
        await eventually(async () => {
          const answers = await calls(`${url}?status=500&only=v1`, 20, { parallel: 1, headers: { 'x-test': id } })
          expect(pods(answers)).not.toHaveProperty('v1')
        })
        // Each of the proxy's workers may send one more before it learns of the ejection.
        expect((await received('g2', id))[0]).toBeLessThanOrEqual(6)
      })

      test.each(['g1', 'g2'])('001-24, 001-58 in %s: what one connection and one place to wait cannot take is refused', async (group) => {
        const url = `http://httpbin.${group}/?delay=800`
        await eventually(async () => expect((await call(`http://httpbin.${group}/`)).status).toBe(200))
        const id = randomUUID()
        const answers = await calls(url, 24, { parallel: 24, headers: { 'x-test': id } })
        const seen = statuses(answers)
        expect(Object.keys(seen).sort()).toEqual(['200', '503'])
        expect(seen['503']).toBeGreaterThanOrEqual(12)
        const reached = await received(group, id, group === 'g2' ? ['v1', 'v2', 'v3'] : undefined)
        expect(reached.reduce((sum, count) => sum + count, 0)).toBe(seen['200'])
      })

      test('004-31, 000-08: zones share requests as they are distributed', async () => {
        await share('http://my-service.g9/', { v1: 0.8, v2: 0.2 }, 'callers/west')
        await share('http://api-service.production:8080/', { v1: 0.8, 'v1-b': 0.2 }, 'callers/east')
      })
    })

    describe('edges', () => {
      const gateway = (host: string, path: string) => echo.callOnce('outside/driver', { url: `${GATEWAY}${path}`, headers: { host } })

      test('001-16, 001-19: Bookinfo is served at its paths, and at no others', async () => {
        for (const path of ['/productpage', '/static/logo.png', '/login', '/logout', '/api/v1/products/7'])
          await eventually(async () =>
            expect(await gateway('bookinfo.example.com', path)).toMatchObject({ status: 200, pod: 'productpage' }),
          )
        for (const path of ['/productpages', '/admin']) expect(await gateway('bookinfo.example.com', path)).toMatchObject({ status: 404 })
      })

      test('001-16, 004-08: by HTTPS each host shows the certificate that its Gateway names', async () => {
        for (const [host, path, pod] of [
          ['bookinfo.example.com', '/productpage', 'productpage'],
          ['myapp.example.com', '/', 'myapp-test'],
        ] as const) {
          const spec = { url: `${GATEWAY.replace('http', 'https')}${path}`, headers: { host }, servername: host, ca: certificates.ca }
          await eventually(async () =>
            expect(await echo.callOnce('outside/driver', spec)).toMatchObject({ status: 200, pod, peer: `DNS:${host}` }),
          )
        }
      })

      test('001-17: of one port each server has its host', async () => {
        await eventually(async () => expect(await gateway('app1.example.com', '/')).toMatchObject({ status: 200, pod: 'v1' }))
        await eventually(async () => expect(await gateway('app2.example.com', '/')).toMatchObject({ status: 200, pod: 'v2' }))
        expect(await gateway('app3.example.com', '/')).toMatchObject({ status: 404 })
      })

      test('001-18: bytes come in by port 31400', async () => {
        const address = await gatewayAddress(mesh(), 'istio-system', 'istio=ingressgateway')
        await eventually(async () =>
          expect(await echo.callOnce('outside/driver', { url: `http://${address}:31400/` })).toMatchObject({ status: 200, pod: 'v1' }),
        )
      })

      test('004-36, 004-38: a gateway with its own certificate asks for that of the client', async () => {
        const url = `https://${await gatewayAddress(mesh(), 'myapp', 'istio=app-ingress-gateway')}:8443/`
        const spec = { url, headers: { host: MYAPP }, servername: MYAPP, ca: certificates.ca }
        await eventually(async () =>
          expect(await echo.callOnce('outside/driver', { ...spec, ...certificates.client })).toMatchObject({
            status: 200,
            pod: 'myapp-test',
          }),
        )
        expect(await echo.callOnce('outside/driver', spec)).toMatchObject({ status: 0 })
      })
    })

    describe('the world outside', () => {
      test('001-26: a host of the internet is called by HTTP', async () => {
        await eventually(async () => expect(await call('http://httpbin.org/get')).toMatchObject({ status: 200, pod: 'internet' }))
      })

      test('001-57, 004-09, 002-11: hosts of the internet are called by HTTPS, which goes through as it is', async () => {
        for (const host of ['api.external.com', 'api.payment-provider.com', 'api.external-service.com'])
          await eventually(async () =>
            expect(await call(`https://${host}/`, { servername: host })).toMatchObject({
              status: 200,
              pod: 'internet',
              echo: { tls: { sni: host } },
            }),
          )
      })

      test('001-27: a database is called by its port', async () => {
        await eventually(async () =>
          expect((await call('tcp://database.example.com:3306', { version: 'tcp', body: 'select' })).body).toBe('internet select'),
        )
      })

      test('002-35: a service of another mesh is called by its name in this one', async () => {
        await eventually(async () =>
          expect(await call('http://nowhere.callers/', { headers: { host: 'service.external-mesh.global' } })).toMatchObject({
            status: 200,
            pod: 'service',
          }),
        )
      })
    })

    describe('Sidecars', () => {
      const status = async (from: string, url: string) => (await echo.callOnce(from, { url })).status

      test('001-30: the product page calls reviews and details, and is called on its port', async () => {
        await eventually(async () => expect(await status('default/productpage', 'http://details.default:9080/')).toBe(200))
        expect(await call('http://productpage.default:9080/')).toMatchObject({ status: 200, pod: 'productpage' })
      })

      test('003-23: the namespace calls itself; the front end only its API; what is unknown is refused', async () => {
        await eventually(async () => expect(await status('production/worker', 'http://api-service.production:8080/')).toBe(200))
        await eventually(async () => expect(await status('production/frontend', 'http://api-service.production:8080/')).toBe(200))
        await eventually(async () => expect(await status('production/worker', 'http://reviews.g1/')).toBe(502))
      })

      test('001-29: what is of other namespaces than those named has no routes', async () => {
        const seen = async (url: string, headers: Readonly<Record<string, string>>) =>
          Object.keys(pods(await echo.call('default/guest', { url, headers, count: 30, newConnections: true }))).sort()
        await eventually(async () => expect(await seen('http://api-service.production:8080/', { 'x-user-group': 'beta' })).toEqual(['v2']))
        // All of it goes to v1 by the route that this proxy does not see.
        await eventually(async () => expect(await seen('http://my-service.g1/', {})).toEqual(['v1', 'v2']))
      })

      test('000-20: the API is called on its port, and calls nothing that is unknown', async () => {
        await eventually(async () => expect(await status('production/v1', 'http://reviews.g1/')).toBe(502))
        await eventually(async () => expect(await status('production/v1', 'http://api-service.production:8080/')).toBe(200))
        expect(await call('http://api-service.production:8080/')).toMatchObject({ status: 200, echo: { port: 8080 } })
      })

      test('002-36: requests to port 9080 reach the app on 8080', async () => {
        await eventually(async () =>
          expect(await call('http://app.bookinfo:9080/')).toMatchObject({ status: 200, pod: 'app', echo: { port: 8080 } }),
        )
      })
    })

    test('000-06: instead of the routes of 000-05, any server error is repeated three times', async () => {
      const url = 'http://api-service.production:8080/?status=500'
      await mesh().kubectl('delete', 'virtualservice', 'api-ab-test', '-n', 'production')
      await applySeed(mesh(), 'production', '000-06')
      await eventually(async () => {
        const id = randomUUID()
        expect(await call(url, { headers: { 'x-test': id } })).toMatchObject({ status: 500 })
        const tries = await received('production', id, ['v1', 'v1-b', 'v2'])
        expect(tries.reduce((sum, count) => sum + count, 0)).toBe(4)
      })
    })
  })

function gatewayAddress(mesh: Mesh, namespace: string, selector: string): Promise<string> {
  return mesh.kubectl('get', 'pod', '-n', namespace, '-l', selector, '-o', 'jsonpath={.items[0].status.podIP}')
}
