/** Processes that die, and what `status`, `up` and `down` make of it. */
import { beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { deployShop, virtualService } from '../harness/fixtures.ts'
import { describeWithMesh, type Mesh, newMesh, stopMesh, whySkipped } from '../harness/mesh.ts'
import { kill, recorded } from '../harness/processes.ts'
import { callGateway } from '../harness/traffic.ts'

const hello = { host: 'shop.example', path: '/hello' }

describeWithMesh('killed with signal 9', (mesh) => {
  beforeAll(async () => {
    if (whySkipped()) return
    await deployShop(mesh())
    await mesh().apply(
      virtualService(
        'front',
        '  hosts: [shop.example]\n  gateways: [front]\n  http:\n    - route: [{ destination: { host: hello, port: { number: 5000 } } }]\n',
      ),
    )
    await served(mesh())
  })

  test('an application is started again', async () => {
    const restarts = () =>
      mesh().kubectl(
        'get',
        'pod',
        '-n',
        'shop',
        '-l',
        'app=hello,version=v1',
        '-o',
        'jsonpath={.items[0].status.containerStatuses[?(@.name=="hello")].restartCount}',
      )
    const before = Number(await restarts())
    kill(mesh(), { command: /helloworld\.js/, env: 'SERVICE_VERSION=v1' })
    await eventually(async () => expect(Number(await restarts())).toBeGreaterThan(before))
    await mesh().rolledOut('hello-v1', 'shop')
  })

  test('the cluster process is started again and finds the same pods', async () => {
    const uids = () => mesh().kubectl('get', 'pods', '-A', '-o', 'jsonpath={.items[*].metadata.uid}')
    const before = await uids()
    process.kill(recorded(mesh(), 'cluster'), 'SIGKILL')
    await eventually(async () => expect(await uids()).toBe(before), { withinMs: 30_000 })
    await ready(mesh())
    await served(mesh())
  })

  test('without its supervisor the mesh is reported, and up takes it over', async () => {
    process.kill(recorded(mesh(), 'supervisor'), 'SIGKILL')
    await eventually(async () => expect((await mesh().lateen('status')).stdout).toContain('lateen up'))
    expect((await mesh().lateen('status')).code).toBe(1)
    const { code, output } = await mesh().lateen('up', '--detach')
    expect(output).toContain(`127.0.0.1:${mesh().httpPort}`)
    expect(code).toBe(0)
    await ready(mesh())
    await served(mesh())
  })

  test('a second mesh with another home runs beside the first, and its end leaves the first alone', async () => {
    const second = await newMesh()
    try {
      const { code, output } = await second.lateen('up', '--detach')
      expect(code, output).toBe(0)
      const pods = await second.kubectl('get', 'pods', '-n', 'istio-system', '-o', 'name')
      expect(pods).toContain('istiod')
      expect(await second.kubectl('get', 'namespaces', '-o', 'name')).not.toContain('shop')
    } finally {
      await stopMesh(second)
    }
    await served(mesh())
  })

  test('down ends every process, also when half of them are gone', async () => {
    const cluster = recorded(mesh(), 'cluster')
    process.kill(recorded(mesh(), 'supervisor'), 'SIGKILL')
    const { code, output } = await mesh().lateen('down')
    expect(code, output).toBe(0)
    expect(() => process.kill(cluster, 0)).toThrow()
    expect((await mesh().lateen('status')).stdout).toContain('down')
  })
})

async function served(mesh: Mesh): Promise<void> {
  await eventually(async () => (await callGateway(mesh, hello)).status === 200, { withinMs: 30_000 })
}

async function ready(mesh: Mesh): Promise<void> {
  await eventually(async () => (await mesh.lateen('status')).code === 0, { withinMs: 40_000, everyMs: 500 })
}
