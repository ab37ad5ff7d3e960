/** Envoy's administration pages: over a forwarded port, by the agent in the pod where that is closed, and when Envoy is stuck or gone. */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcp } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { fakeNode, makeNamespace, runPod } from '../../testdata/fake-node.ts'
import { type RealApi, startRealApi } from '../../testdata/real-api.ts'

const LOGGERS = 'active loggers:\n  http: warning\n  rbac: debug\n'

const node = fakeNode()
const asked: string[] = []
const web: Server = createServer(({ method, url = '' }, response) => {
  asked.push(`${method} ${url}`)
  if (url.startsWith('/logging')) response.end(LOGGERS)
  else response.writeHead(404).end('invalid path. admin commands are:\n')
})
const stuck = createTcp(() => undefined)
let api: RealApi

beforeAll(async () => {
  for (const server of [web, stuck]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  api = await startRealApi([], node.backend)
  await makeNamespace(api.client, 'shop')
  const containers = ['web', 'istio-proxy']
  for (const name of ['well', 'closed', 'stuck', 'dead']) await runPod(api.client, { name, namespace: 'shop', containers })
  await runPod(api.client, { name: 'pending', namespace: 'shop', containers, phase: 'Pending' })
  await runPod(api.client, { name: 'plain', namespace: 'shop' })
  const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
  node.pods.set('shop/well', { ports: { 15000: portOf(web), 15999: portOf(web) } })
  node.pods.set('shop/stuck', { ports: { 15000: portOf(stuck) } })
  node.pods.set('shop/closed', { run: ([program]) => (program === 'pilot-agent' ? { stdout: LOGGERS } : undefined) })
  node.pods.set('shop/dead', { run: () => ({ exitCode: 1, stderr: 'Error: no Envoy answers on localhost:15000\n' }) })
}, 60_000)

afterAll(async () => {
  web.close()
  stuck.close()
  await api.close()
}, 30_000)

beforeEach(() => {
  asked.length = 0
  node.ran.length = 0
})

const log = (pod: string, ...flags: string[]) => api.shell('proxy-config', 'log', `${pod}.shop`, ...flags)

test('a page comes over the forwarded port, and no program is started', async () => {
  expect((await log('well')).stdout).toContain('rbac: debug')
  expect(asked).toEqual(['POST /logging'])
  expect(node.ran).toEqual([])
})

test('where the port is closed, the agent in the pod asks', async () => {
  expect((await log('closed')).stdout).toContain('rbac: debug')
  expect(node.ran).toEqual(['shop/closed istio-proxy pilot-agent request POST logging'])
})

test.each([
  [
    'stuck',
    ['--kubeclient-timeout', '300ms'],
    /the proxy of pod stuck\.shop did not answer POST logging within 300 ms; see: kubectl logs stuck -n shop -c istio-proxy/,
  ],
  ['dead', [], /the proxy of pod dead\.shop did not answer POST logging: Error: no Envoy answers on localhost:15000/],
  ['pending', [], /pod pending\.shop is Pending: its proxy cannot be asked\. See: kubectl describe pod pending -n shop/],
  ['plain', [], /pod plain\.shop has no proxy: it was not injected\. See: lateen x check-inject plain\.shop/],
])('%s: one line says what, and what next', async (pod, flags, message) => {
  const { code, stdout, stderr } = await log(pod, ...flags)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(message)
  expect(stderr.split('\n')).toHaveLength(2)
})

test('another port is asked alone', async () => {
  expect((await log('well', '--proxy-admin-port', '15999')).stdout).toContain('rbac: debug')
  const { code, stderr } = await log('closed', '--proxy-admin-port', '15998')
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/did not answer POST logging on port 15998: .*ECONNREFUSED/) })
  expect(node.ran).toEqual([])
})

test('what Envoy says of a page is not asked for again', async () => {
  const { code, stderr } = await api.shell('proxy-config', 'bootstrap', 'well.shop')
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('invalid path. admin commands are:') })
  expect(node.ran).toEqual([])
})
