/**
 * A mesh whose pods reach networks outside: it runs on a host of the test's own making, a network namespace with servers in it, so that
 * nothing real is asked.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outsideProgram } from '@lateen/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventually } from '../harness/eventually.ts'
import { type Mesh, newMesh, ROOT, stopMesh, whySkipped } from '../harness/mesh.ts'
import { must } from '../harness/run.ts'

const HOST = `lateen-host-${process.pid}`
const ADDRESS = '198.51.100.1'
const NAME = 'shop.outside.example'
/** By which slirp4netns would lead there, were it not told otherwise. */
const LOOPBACK_OF_HOST = '192.0.2.2'
const RESOLV = join('/etc/netns', HOST)

const reason = whySkipped() ?? (outsideProgram(process.env) ? undefined : 'slirp4netns is not installed')

/** Process ids of slirp4netns, as children of the mesh's supervisor. */
function waysOut({ home }: Mesh): number[] {
  const { supervisor } = JSON.parse(readFileSync(join(home, 'run/state.json'), 'utf8'))
  const children = readFileSync(`/proc/${supervisor.pid}/task/${supervisor.pid}/children`, 'utf8').split(' ').map(Number)
  return children.filter((pid) => pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('slirp4netns'))
}

if (reason) test.skip(`pods reach networks outside: ${reason}`, () => undefined)
else {
  let mesh: Mesh
  let servers: ChildProcess

  beforeAll(async () => {
    await must('ip', ['netns', 'add', HOST])
    await must('ip', ['-n', HOST, 'link', 'set', 'lo', 'up'])
    await must('ip', ['-n', HOST, 'addr', 'add', `${ADDRESS}/32`, 'dev', 'lo'])
    mkdirSync(RESOLV, { recursive: true })
    writeFileSync(join(RESOLV, 'resolv.conf'), `nameserver ${ADDRESS}\n`)
    const enter = ['ip', 'netns', 'exec', HOST]
    servers = spawn(
      'ip',
      ['netns', 'exec', HOST, process.execPath, join(ROOT, 'conformance/fixtures/internet/servers.ts'), ADDRESS, NAME],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    await new Promise<void>((resolve, reject) => {
      servers.stdout?.once('data', () => resolve())
      servers.once('exit', (code) => reject(new Error(`the servers ended with ${code}`)))
    })
    mesh = await newMesh(enter)
    const { code, output } = await mesh.lateen('up', '--detach', '--internet', 'on')
    expect(code, output).toBe(0)
    await mesh.kubectl('label', 'namespace', 'default', 'istio-injection=enabled')
    await mesh.kubectl('apply', '-f', join(ROOT, 'packages/runtime/samples/manifests/curl.yaml'))
    await mesh.rolledOut('curl')
  })

  afterAll(async () => {
    try {
      if (mesh) await stopMesh(mesh)
    } finally {
      servers?.kill('SIGKILL')
      rmSync(RESOLV, { recursive: true, force: true })
      await must('ip', ['netns', 'del', HOST])
    }
  })

  const fetched = (url: string) => mesh.tryKubectl(['exec', 'deploy/curl', '-c', 'curl', '--', 'curl', '-sS', '-m', '10', '-i', url])

  test('by the names that the host resolves, as the host', async () => {
    const { stdout } = await fetched(`http://${NAME}:8090/`)
    expect(stdout).toMatch(/^HTTP\/1.1 200 OK/)
    expect(stdout).toContain(`outside ${NAME}:8090 for ${ADDRESS}`)
  })

  test('a ServiceEntry makes it a service of the mesh; without one, REGISTRY_ONLY lets nothing out', async () => {
    await mesh.apply(`apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
`)
    await eventually(async () => expect((await fetched(`http://${NAME}:8090/`)).stderr).toContain('curl: ('))
    await mesh.apply(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: shop, namespace: default }
spec:
  hosts: [${NAME}]
  location: MESH_EXTERNAL
  resolution: DNS
  ports: [{ number: 8090, name: http, protocol: HTTP }]
`)
    await eventually(async () => expect((await fetched(`http://${NAME}:8090/`)).stdout).toContain('server: envoy'))
  })

  test("what the host serves on its loopback is out of the pods' reach", async () => {
    const ask = ['curl', '-sS', '-m', '5', `http://${LOOPBACK_OF_HOST}:8091/`]
    const { stdout, stderr } = await mesh.tryKubectl(['exec', '-n', 'istio-system', 'deploy/istiod', '--', ...ask])
    expect(stdout).toBe('')
    expect(stderr).toContain('curl: (')
  })

  test('a way out that ends is opened again', async () => {
    const [first] = waysOut(mesh)
    if (first === undefined) throw new Error('the supervisor has no way out')
    process.kill(first, 'SIGKILL')
    await eventually(() => expect(waysOut(mesh).filter((pid) => pid !== first)).toHaveLength(1))
    await eventually(async () => expect((await fetched(`http://${NAME}:8090/`)).stdout).toContain('outside'))
  })

  test('the mesh says so', async () => {
    const { stdout } = await mesh.lateen('status')
    expect(stdout).toMatch(/^internet +on +pods reach networks outside$/m)
  })
}
