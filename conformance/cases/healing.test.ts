/** One process after the other killed with signal 9 while requests come in: what must not be noticed, and what must heal. */
import { beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../harness/mesh.ts'
import { kill, processesOf, recorded, type Sought } from '../harness/processes.ts'
import { callGateway, startLoad } from '../harness/traffic.ts'

const hello = { host: 'shop.example', path: '/hello' }
/** Both versions behind one route. */
const route = `  hosts: [shop.example]
  gateways: [front]
  http:
    - route: [{ destination: { host: hello, port: { number: 5000 } } }]
`

const LOOP_CALLS = 100
/** Calls another pod by name, ten times a second, and writes down each answer. */
const LOOP = `: >/tmp/loop; nohup sh -c 'for i in $(seq ${LOOP_CALLS}); do curl -s -o /dev/null -m 8 -w "%{http_code}\\n" http://hello:5000/hello >>/tmp/loop; sleep 0.1; done' >/dev/null 2>&1 &`

const ISTIOD: Sought = { command: /lateen\.mjs discovery/ }
const GATEWAY_ENVOY: Sought = { command: /envoy -c /, env: 'POD_NAMESPACE=istio-system' }
const GATEWAY_AGENT: Sought = { command: /lateen\.mjs proxy router/ }
const ofPod = (command: RegExp, pod: string): Sought => ({ command, env: `POD_NAME=${pod}` })

describeWithMesh('killed with signal 9 under load', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(virtualService('front', route))
    await served(mesh())
  })

  test('istiod: no request fails, and changes take effect again', async () => {
    const load = startLoad(mesh(), hello)
    const before = processesOf(mesh(), ISTIOD)
    kill(mesh(), ISTIOD)
    await eventually(() => processesOf(mesh(), ISTIOD).some((pid) => !before.includes(pid)))
    await mesh().rolledOut('istiod', 'istio-system')
    await mesh().apply(virtualService('front', `${route}      headers: { response: { set: { x-after: istiod } } }\n`))
    await eventually(async () => (await callGateway(mesh(), hello)).headers['x-after'] === 'istiod')
    expect(await load.stop()).toMatchObject({ failures: {} })
  })

  test('the cluster process: new connections wait for it, calls between pods go on, and the API has the same pods', async () => {
    const uids = () => mesh().kubectl('get', 'pods', '-A', '-o', 'jsonpath={.items[*].metadata.uid}')
    const before = await uids()
    const running = serving(mesh())
    const load = startLoad(mesh(), hello, { perSecond: 20 })
    await eventually(() => load.sent() > 20)
    await mesh().kubectl('exec', 'deploy/curl', '-n', 'shop', '-c', 'curl', '--', 'sh', '-c', LOOP)
    await eventually(async () => expect(await loopLines(mesh())).toBeGreaterThan(5))
    process.kill(recorded(mesh(), 'cluster'), 'SIGKILL')
    await eventually(async () => expect(await uids()).toBe(before), { withinMs: 30_000 })
    expect(serving(mesh())).toEqual(running)
    await eventually(async () => expect(await loopLines(mesh())).toBe(LOOP_CALLS), { withinMs: 40_000 })
    expect(await mesh().kubectl('exec', 'deploy/curl', '-n', 'shop', '-c', 'curl', '--', 'sh', '-c', 'grep -v 200 /tmp/loop || true')).toBe(
      '',
    )
    // Only what was on its way through the process that died may be lost; nobody is refused.
    const { failures } = await load.stop()
    expect(Object.keys(failures).filter((reason) => !/ECONNRESET|socket hang up/.test(reason))).toEqual([])
    expect(Object.values(failures).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(4)
  })

  test("a sidecar's Envoy: started again by its agent, with the certificate that it had", async () => {
    const pod = await podOf(mesh(), 'app=hello,version=v1')
    const agent = processesOf(mesh(), ofPod(/lateen\.mjs proxy sidecar/, pod))
    const envoy = ofPod(/envoy -c /, pod)
    const before = processesOf(mesh(), envoy)
    kill(mesh(), envoy)
    await eventually(() => processesOf(mesh(), envoy).some((pid) => !before.includes(pid)))
    await mesh().kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '-n', 'shop', '--timeout=30s')
    expect(processesOf(mesh(), ofPod(/lateen\.mjs proxy sidecar/, pod))).toEqual(agent)
    await allServed(mesh())
  })

  test("a sidecar's agent: its container is started again and the pod is whole within seconds", async () => {
    const pod = await podOf(mesh(), 'app=hello,version=v1')
    const agent = ofPod(/lateen\.mjs proxy sidecar/, pod)
    kill(mesh(), agent)
    await eventually(async () => expect(await restarts(mesh(), pod, 'istio-proxy')).toBeGreaterThan(0))
    await mesh().kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '-n', 'shop', '--timeout=30s')
    expect(processesOf(mesh(), agent)).toHaveLength(1)
    await allServed(mesh())
  })

  test('an agent killed while istiod is away: its Envoy comes back with the configuration and certificate on disk', async () => {
    await mesh().kubectl('scale', 'deployment/istiod', '-n', 'istio-system', '--replicas=0')
    await eventually(() => processesOf(mesh(), ISTIOD).length === 0)
    try {
      const pod = await podOf(mesh(), 'app=hello,version=v1')
      kill(mesh(), ofPod(/envoy -c /, pod))
      await mesh().kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '-n', 'shop', '--timeout=30s')
      await allServed(mesh())
      kill(mesh(), ofPod(/lateen\.mjs proxy sidecar/, pod))
      await eventually(() => processesOf(mesh(), ofPod(/envoy -c /, pod)).length === 1)
      await mesh().kubectl('wait', '--for=condition=Ready', `pod/${pod}`, '-n', 'shop', '--timeout=30s')
      await allServed(mesh())
    } finally {
      await mesh().kubectl('scale', 'deployment/istiod', '-n', 'istio-system', '--replicas=1')
      await mesh().rolledOut('istiod', 'istio-system')
    }
  })

  test("the gateway's Envoy: serving again within seconds", async () => {
    kill(mesh(), GATEWAY_ENVOY)
    await served(mesh())
    await mesh().rolledOut('istio-ingressgateway', 'istio-system')
  })

  test("the gateway's agent: serving again within seconds", async () => {
    kill(mesh(), GATEWAY_AGENT)
    await eventually(() => processesOf(mesh(), GATEWAY_AGENT).length === 1)
    await mesh().rolledOut('istio-ingressgateway', 'istio-system')
    await served(mesh())
  })

  test('the supervisor: reported with what to do, while calls between pods go on', async () => {
    const running = serving(mesh())
    process.kill(recorded(mesh(), 'supervisor'), 'SIGKILL')
    await eventually(async () => expect((await mesh().lateen('status')).stdout).toContain('lateen up'))
    expect((await mesh().lateen('status')).code).toBe(1)
    expect(serving(mesh())).toEqual(running)
  })
})

async function served(mesh: Mesh): Promise<void> {
  await eventually(async () => (await callGateway(mesh, hello)).status === 200, { withinMs: 15_000 })
}

/** Ten answers in a row, so that both versions have been asked. */
async function allServed(mesh: Mesh): Promise<void> {
  await eventually(async () => {
    for (let i = 0; i < 10; i++) expect(await callGateway(mesh, hello)).toMatchObject({ status: 200 })
  })
}

const serving = (mesh: Mesh) => processesOf(mesh, { command: /envoy -c / }).toSorted((a, b) => a - b)

async function loopLines(mesh: Mesh): Promise<number> {
  return Number(await mesh.kubectl('exec', 'deploy/curl', '-n', 'shop', '-c', 'curl', '--', 'sh', '-c', 'wc -l </tmp/loop'))
}

async function podOf(mesh: Mesh, labels: string): Promise<string> {
  return (await mesh.kubectl('get', 'pod', '-n', 'shop', '-l', labels, '-o', 'jsonpath={.items[0].metadata.name}')).trim()
}

async function restarts(mesh: Mesh, pod: string, container: string): Promise<number> {
  const path = `jsonpath={.status.initContainerStatuses[?(@.name=="${container}")].restartCount}{.status.containerStatuses[?(@.name=="${container}")].restartCount}`
  return Number(await mesh.kubectl('get', 'pod', pod, '-n', 'shop', '-o', path))
}
