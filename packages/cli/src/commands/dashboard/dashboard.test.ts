/** Dashboards through the API server's port-forward to small servers: which pod, which port of this machine, and how it ends. */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fakeNode, makeNamespace, runPod } from '../../../testdata/fake-node.ts'
import type { Begun } from '../../../testdata/in-process.ts'
import { type RealApi, startRealApi } from '../../../testdata/real-api.ts'

const node = fakeNode()
const servers: Server[] = []
let api: RealApi

/** A server of this process; its port. */
async function serve(name: string): Promise<number> {
  const server = createServer((request, response) => response.end(`${name} ${request.method} ${request.url}`))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function deploy(
  name: string,
  namespace: string,
  labels: Record<string, string>,
  ports: readonly number[],
  containers?: readonly string[],
) {
  await runPod(api.client, { name, namespace, labels, ...(containers && { containers }) })
  const served = await Promise.all(ports.map(async (port) => [port, await serve(name)] as const))
  node.pods.set(`${namespace}/${name}`, { ports: Object.fromEntries(served) })
}

const ADDONS = [
  ['prometheus', 9090, '/', { 'app.kubernetes.io/name': 'prometheus' }],
  ['grafana', 3000, '/', { 'app.kubernetes.io/name': 'grafana' }],
  ['jaeger', 16686, '/', { app: 'jaeger' }],
  ['zipkin', 9411, '/', { app: 'zipkin' }],
  ['kiali', 20001, '/kiali', { app: 'kiali' }],
  ['skywalking', 8080, '/', { app: 'skywalking-ui' }],
] as const

beforeAll(async () => {
  api = await startRealApi([], node.backend)
  for (const namespace of ['istio-system', 'shop', 'observability']) await makeNamespace(api.client, namespace)
  for (const [name, port, , labels] of ADDONS) await deploy(name, name === 'skywalking' ? 'observability' : 'istio-system', labels, [port])
  await deploy('istiod-1', 'istio-system', { app: 'istiod', 'istio.io/rev': 'default' }, [9876, 15014], ['discovery'])
  await deploy('web-1', 'shop', { app: 'web' }, [15000, 15999], ['web', 'istio-proxy'])
  await deploy('web-2', 'shop', { app: 'web' }, [15000], ['web', 'istio-proxy'])
}, 60_000)

afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await api.close()
}, 30_000)

/** The URL that a dashboard says, once it listens. */
async function opened(...words: string[]): Promise<{ readonly url: URL; readonly running: Begun }> {
  const running = api.begin('dashboard', ...words, '--browser=false')
  const [first = ''] = (await running.shows('skipping opening a browser')).split('\n')
  return { url: new URL(first), running }
}

async function interrupted({ url, running }: Awaited<ReturnType<typeof opened>>) {
  running.interrupt()
  const ran = await running.ended
  await expect(fetch(url)).rejects.toThrow()
  return ran
}

const get = async (url: URL) => (await fetch(url)).text()

describe('add-ons', () => {
  test.each(ADDONS)('%s is reached, and Ctrl-C ends the way', async (name, _port, path) => {
    const dashboard = await opened(name, '--port', '0', ...(name === 'skywalking' ? ['-n', 'observability'] : []))
    expect([dashboard.url.hostname, dashboard.url.pathname]).toEqual(['localhost', path])
    expect(await get(dashboard.url)).toBe(`${name} GET ${path}`)
    expect(await interrupted(dashboard)).toMatchObject({ code: 0, stderr: '' })
  })

  test('one that is not there: where it is instead, or what to do', async () => {
    expect(await api.shell('dashboard', 'skywalking')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^Error: no SkyWalking pods found in namespace istio-system .*; it runs in observability: lateen dashboard skywalking -n observability\n$/,
      ),
    })
    expect((await api.shell('dashboard', 'kiali', '-n', 'shop')).stderr).toContain('it runs in istio-system')
  })

  test('a port on which nothing listens in the pod is told when it is used', async () => {
    const dashboard = await opened('grafana', '--port', '0', '--ui-port', '3001')
    await expect(get(dashboard.url)).rejects.toThrow()
    expect((await interrupted(dashboard)).stderr).toContain('3001')
  })
})

describe('the port of this machine', () => {
  test('is that of the dashboard, another when that is taken, and never another than was asked for', async () => {
    const first = await opened('proxy', 'web-1.shop', '--ui-port', '15999')
    expect(first.url.port).toBe('15999')
    const second = await opened('envoy', 'web-1.shop', '--ui-port', '15999')
    expect(second.url.port).not.toBe('15999')
    expect(await get(second.url)).toBe('web-1 GET /')
    expect(await api.shell('dashboard', 'envoy', 'web-1.shop', '--port', first.url.port, '--browser=false')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/cannot listen on localhost:15999: the port is in use/),
    })
    await interrupted(first)
    await interrupted(second)
  })

  test('listens on the address that was asked for', async () => {
    const dashboard = await opened('controlz', '--port', '0', '--address', '127.0.0.2')
    expect(dashboard.url.hostname).toBe('127.0.0.2')
    expect(await get(dashboard.url)).toBe('istiod-1 GET /')
    const elsewhere = await new Promise((resolve) => {
      connect(Number(dashboard.url.port), '127.0.0.1')
        .once('connect', () => resolve('open'))
        .once('error', () => resolve('closed'))
    })
    expect(elsewhere).toBe('closed')
    await interrupted(dashboard)
  })
})

describe('pods', () => {
  test('are chosen by name or labels; of several the first is taken, and that is said', async () => {
    const dashboard = await opened('envoy', '-l', 'app=web', '-n', 'shop', '--port', '0')
    expect(await get(dashboard.url)).toBe('web-1 GET /')
    expect((await interrupted(dashboard)).stderr).toBe('2 pods have labels app=web; this is web-1\n')
  })

  test.each([
    [['envoy'], 64, 'no pod: give [<type>/]<name>[.<namespace>], or --selector'],
    [['envoy', 'web-1.shop', '-l', 'app=web'], 64, 'give a pod or --selector, not both'],
    [['envoy', '-l', 'app=none', '-n', 'shop'], 1, 'no pod with labels app=none runs in namespace shop'],
    [['envoy', 'none.shop'], 1, 'there is no pod "none" in namespace "shop"'],
    [['controlz', '-r', 'canary'], 1, 'no control plane runs in namespace istio-system with revision canary'],
  ])('%j', async (words, code, message) => {
    expect(await api.shell('dashboard', ...words, '--browser=false')).toMatchObject({ code, stderr: expect.stringContaining(message) })
  })
})

test('the debug pages of the control plane are served with links, to this machine alone', async () => {
  const dashboard = await opened('istiod-debug', '--port', '0')
  expect(await get(dashboard.url)).toContain('istiod-1 GET /debug')
  expect(await get(new URL('/debug/syncz', dashboard.url))).toBe('istiod-1 GET /debug/syncz')
  expect((await fetch(dashboard.url, { headers: { origin: 'http://evil.example' } })).status).toBe(403)
  expect((await fetch(dashboard.url, { method: 'POST' })).status).toBe(405)
  expect(await interrupted(dashboard)).toMatchObject({ code: 0 })
})
