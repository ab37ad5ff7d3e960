/** What must not cost a request: new versions of an application, and the death of the control plane. */
import { beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, versionOf, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, whySkipped } from '../harness/mesh.ts'
import { kill } from '../harness/processes.ts'
import { callGateway, countAnswers, curlFromPod, startLoad } from '../harness/traffic.ts'

const HOST = 'shop.example'
const hello = { host: HOST, path: '/hello' }
const route = (subset?: string) =>
  virtualService(
    'front',
    `  hosts: [${HOST}]\n  gateways: [front]\n  http:\n    - route: [{ destination: { host: hello, port: { number: 5000 }${subset ? `, subset: ${subset}` : ''} } }]\n`,
  )

/** The same for callers inside the mesh. */
const insideRoute = (subset?: string) =>
  virtualService(
    'inside',
    `  hosts: [hello]\n  http:\n    - route: [{ destination: { host: hello, port: { number: 5000 }${subset ? `, subset: ${subset}` : ''} } }]\n`,
  )
const subset = (name: string, version: string) =>
  `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: fresh, namespace: shop }
spec:
  host: hello
  subsets: [{ name: ${name}, labels: { version: ${version} } }]
`

describeWithMesh('under load', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(route())
    await eventually(async () => (await callGateway(mesh(), hello)).status === 200)
  })

  test('a rolling update fails no request', async () => {
    const load = startLoad(mesh(), hello)
    await eventually(() => load.sent() > 50)
    for (const deployment of ['hello-v1', 'hello-v2']) {
      await mesh().kubectl('rollout', 'restart', `deployment/${deployment}`, '-n', 'shop')
      await mesh().rolledOut(deployment, 'shop')
    }
    const after = load.sent()
    await eventually(() => load.sent() > after + 100)
    const { sent, failures } = await load.stop()
    expect(failures).toEqual({})
    expect(sent).toBeGreaterThan(150)
  })

  test('a new subset comes with the route to it, and both go again, and no request fails at gateway or sidecar', async () => {
    const load = startLoad(mesh(), hello, { perSecond: 100 })
    const inside = curlFromPod(mesh(), 'curl', 'http://hello:5000/hello', { namespace: 'shop', count: 500 })
    await eventually(() => load.sent() > 50)
    for (const round of [1, 2, 3, 4, 5]) {
      const version = round % 2 === 0 ? 'v1' : 'v2'
      await mesh().apply(`${subset(`fresh-${round}`, version)}---\n${route(`fresh-${round}`)}---\n${insideRoute(`fresh-${round}`)}`)
      await eventually(async () => expect(await countAnswers(mesh(), 8, hello, versionOf)).toEqual({ [version]: 8 }))
      await mesh().apply(`${route()}---\n${insideRoute()}`)
      await mesh().kubectl('delete', 'destinationrule', 'fresh', '-n', 'shop')
      await eventually(async () => expect(Object.keys(await countAnswers(mesh(), 8, hello, versionOf)).sort()).toEqual(['v1', 'v2']))
    }
    const answers = await inside
    const { sent, failures } = await load.stop()
    expect(failures).toEqual({})
    expect(answers.filter((line) => !line.startsWith('200 '))).toEqual([])
    expect(answers).toHaveLength(500)
    expect(sent).toBeGreaterThan(150)
  })

  test('the control plane killed and started again fails no request, and then configures again', async () => {
    const load = startLoad(mesh(), hello)
    await eventually(() => load.sent() > 50)
    const pod = (
      await mesh().kubectl('get', 'pod', '-n', 'istio-system', '-l', 'app=istiod', '-o', 'jsonpath={.items[0].metadata.name}')
    ).trim()
    const restarts = () =>
      mesh().kubectl('get', 'pod', pod, '-n', 'istio-system', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}')
    const before = Number(await restarts())
    kill(mesh(), { command: /lateen\.mjs discovery/ })
    await eventually(async () => expect(Number(await restarts())).toBeGreaterThan(before))
    await mesh().rolledOut('istiod', 'istio-system')
    await mesh().apply(route('v2'))
    await eventually(async () => expect(await countAnswers(mesh(), 20, hello, versionOf)).toEqual({ v2: 20 }))
    const { failures } = await load.stop()
    expect(failures).toEqual({})
  })
})
