/** Pages of the control plane: over a forwarded port with a token, and by its own program where that way is closed. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { fakeNode, makeNamespace, runPod } from '../../testdata/fake-node.ts'
import { type RealApi, startRealApi } from '../../testdata/real-api.ts'
import { PRODUCT_VERSION } from '../product.ts'

const SYNC = JSON.stringify([{ cluster_id: 'west', proxy: 'a.b', istio_version: '1.30.3', resources: {} }])

const node = fakeNode()
const asked: { readonly path: string; readonly token: string | undefined }[] = []
let accepts = true
let api: RealApi
let web: Server

beforeAll(async () => {
  web = createServer(({ url = '', headers }, response) => {
    asked.push({ path: url, token: headers.authorization })
    if (url === '/version') response.end('1.30.3-lateen-Clean')
    else if (!accepts) response.writeHead(401).end('no\n')
    else if (url === '/debug/syncz') response.end(SYNC)
    else response.writeHead(404).end('there is no such page\nmore\n')
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  api = await startRealApi([], node.backend)
  await makeNamespace(api.client, 'istio-system')
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } }
  await api.client.request('POST', '/api/v1/namespaces/istio-system/serviceaccounts', account)
  for (const [name, revision] of [
    ['istiod-1', 'default'],
    ['istiod-2', 'canary'],
  ] as const) {
    const labels = { app: 'istiod', 'istio.io/rev': revision, 'app.kubernetes.io/version': '1.30.2' }
    await runPod(api.client, { name, namespace: 'istio-system', labels, containers: ['discovery'] })
    node.pods.set(`istio-system/${name}`, {
      ports: { 15014: (web.address() as AddressInfo).port },
      run: ([program, ...args]) =>
        program === 'pilot-discovery' && args.join(' ') === 'request GET /debug/syncz' ? { stdout: SYNC } : undefined,
    })
  }
}, 60_000)
afterAll(async () => {
  web.close()
  await api.close()
}, 30_000)
afterEach(() => {
  accepts = true
  asked.length = 0
  node.ran.length = 0
})

test('the versions of a mesh come in one go, and no program is started in a pod', async () => {
  expect((await api.shell('version')).stdout).toBe(
    `client version: ${PRODUCT_VERSION}\ncontrol plane version: 1.30.2\ndata plane version: 1.30.3 (2 proxies)\n`,
  )
  const [first, second] = asked
  expect(first).toEqual({ path: '/debug/syncz', token: expect.stringMatching(/^Bearer ey/) })
  // One token serves all replicas.
  expect(second).toEqual(first)
  expect(node.ran).toEqual([])
})

test('the build of each replica is asked for where it is shown', async () => {
  const { meshVersion, dataPlaneVersion } = JSON.parse((await api.shell('version', '-o', 'json', '-r', 'canary')).stdout)
  expect(meshVersion).toEqual([
    {
      Component: 'pilot',
      Revision: 'canary',
      Info: { version: '1.30.3', revision: 'lateen', golang_version: '', status: 'Clean', tag: '1.30.3' },
    },
  ])
  expect(dataPlaneVersion).toEqual([{ ID: 'a.b', IstioVersion: '1.30.3' }])
  expect(asked.find(({ path }) => path === '/version')?.token).toBeUndefined()
})

test('where the token is not taken, the program in the pod is asked', async () => {
  accepts = false
  expect((await api.shell('proxy-status')).stdout).toContain('a.b')
  expect(node.ran.sort()).toEqual(
    ['istiod-1', 'istiod-2'].map((pod) => `istio-system/${pod} discovery pilot-discovery request GET /debug/syncz`),
  )
})

test('what the control plane says of a page is not asked for twice', async () => {
  const { code, stderr } = await api.shell('x', 'internal-debug', 'nothing', '-r', 'default')
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'Error: istiod-1.istio-system did not answer GET /debug/nothing: there is no such page\n',
  })
  expect(node.ran).toEqual([])
})

test('a control plane without proxies has none', async () => {
  const empty = { ports: {}, run: () => ({ stdout: '[]' }) }
  node.pods.set('istio-system/istiod-3', empty)
  await runPod(api.client, {
    name: 'istiod-3',
    namespace: 'istio-system',
    labels: { app: 'istiod', 'istio.io/rev': 'new' },
    containers: ['discovery'],
  })
  expect((await api.shell('version', '-r', 'new')).stdout).toBe(
    `client version: ${PRODUCT_VERSION}\ncontrol plane version: unknown\ndata plane version: none\n`,
  )
})
