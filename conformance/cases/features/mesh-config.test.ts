/** The mesh configuration in the ConfigMap `istio`: what is changed there while the mesh runs is in force without a restart. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { type Echo, echoPod, echoService, podsReady } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho } from '../../harness/echo-mesh.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

const OBJECTS = [
  echoService({ name: 'web', namespace: 'feat' }),
  networking(
    'VirtualService',
    { name: 'web', namespace: 'feat' },
    {
      hosts: ['web.feat.svc.cluster.local'],
      http: [
        {
          name: 'main-road',
          match: [
            { name: 'north', uri: { prefix: '/north' } },
            { name: 'south', uri: { prefix: '/south' } },
          ],
          route: [{ destination: { host: 'web.feat.svc.cluster.local' } }],
        },
      ],
    },
  ),
].join('')

describeWithMesh('the mesh configuration', (mesh) => {
  let echo: Echo
  let started = ''
  beforeAll(async () => {
    if (whySkipped()) return
    echo = await deployEcho(
      mesh(),
      [
        { name: 'caller', namespace: 'feat' },
        { name: 'web', namespace: 'feat' },
      ],
      OBJECTS,
    )
    started = await controlPlane(mesh())
  })
  afterAll(() => echo?.close())

  const logOf = (pod: string) => mesh().kubectl('logs', pod, '-n', 'feat', '-c', 'istio-proxy')
  /** A call with a path of its own. */
  const callNorth = async () => {
    const path = `/north/${crypto.randomUUID()}`
    expect(await echo.callOnce(CALLER, { url: `http://web.feat${path}` })).toMatchObject({ status: 200 })
    return path
  }
  /** Makes calls until the proxy has logged one in this form. */
  const isLogged = (form: RegExp) =>
    eventually(async () => {
      const path = await callNorth()
      await eventually(async () => expect((await logOf('caller')).split('\n').find((line) => line.includes(path))).toMatch(form), {
        withinMs: 3000,
      })
    })

  test('access logs begin and end, and name the route and the match that was taken', async () => {
    await isLogged(/main-road\.north/)
    await echo.callOnce(CALLER, { url: 'http://web.feat/south' })
    await eventually(async () => expect(await logOf('caller')).toMatch(/\/south.* main-road\.south/))
    await change(mesh(), { accessLogFile: '' })
    await eventually(async () =>
      expect((await mesh().lateen('proxy-config', 'listeners', 'caller.feat', '-o', 'json')).stdout).not.toContain('/dev/stdout'),
    )
    const unlogged = await callNorth()
    await change(mesh(), { accessLogFile: '/dev/stdout', accessLogFormat: 'short %REQ(:PATH)% %ROUTE_NAME%\n' })
    await isLogged(/^short \/north\/\S+ main-road\.north$/)
    expect(await logOf('caller')).not.toContain(unlogged)
  })

  test('traffic to unknown hosts is refused, and let through again', async () => {
    const url = `http://${await addressOf(mesh(), DRIVER)}:80/`
    const known = await echo.callOnce(CALLER, { url })
    // Nobody listens there: the connection fails, and the proxy says so.
    expect(known.status).toBe(503)
    await change(mesh(), { outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } })
    await eventually(async () => expect((await echo.callOnce(CALLER, { url })).status).toBe(502))
    await change(mesh(), { outboundTrafficPolicy: { mode: 'ALLOW_ANY' } })
    await eventually(async () => expect((await echo.callOnce(CALLER, { url })).status).toBe(503))
  })

  test('settings of proxies hold for those that start from then on', async () => {
    const settings = async (pod: string) => {
      const info = ['pilot-agent', 'request', 'GET', 'server_info']
      return mesh().kubectl('exec', pod, '-n', 'feat', '-c', 'istio-proxy', '--', ...info)
    }
    await change(mesh(), { defaultConfig: { concurrency: 1, proxyMetadata: { ISTIO_META_SEASON: 'autumn' } } })
    let made = 0
    // The injector may learn of the change after the first of them.
    const later = await eventually(async () => {
      const name = `later-${made++}`
      await mesh().apply(echoPod({ name, namespace: 'feat' }))
      await podsReady(mesh(), 'feat', [name])
      expect(await settings(name)).toContain('"SEASON": "autumn"')
      return name
    })
    expect(await settings(later)).toMatch(/"concurrency": 1\b/)
    expect(await settings('caller')).not.toContain('"SEASON"')
    expect(await echo.callOnce(`feat/${later}`, { url: 'http://web.feat/north' })).toMatchObject({ status: 200 })
  })

  test('what cannot be read leaves in force what was, and is told', async () => {
    const before = await mesh().kubectl('get', 'configmap', 'istio', '-n', 'istio-system', '-o', 'jsonpath={.data.mesh}')
    await write(mesh(), 'accessLogFile: [unfinished\n')
    await eventually(async () =>
      expect(await mesh().kubectl('logs', '-n', 'istio-system', 'deploy/istiod', '--tail', '50')).toMatch(/mesh.*(stays|kept|keeps)/i),
    )
    await isLogged(/^short /)
    await write(mesh(), before)
  })

  test('all of it without a restart of the control plane', async () => {
    expect(await controlPlane(mesh())).toBe(started)
  })
})

/** Sets fields of the mesh configuration; those of objects are added to what is there. */
async function change(mesh: Mesh, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const text = await mesh.kubectl('get', 'configmap', 'istio', '-n', 'istio-system', '-o', 'jsonpath={.data.mesh}')
  const config: Record<string, unknown> = parse(text)
  for (const [name, value] of Object.entries(fields)) {
    const held = config[name]
    config[name] = typeof held === 'object' && typeof value === 'object' ? { ...held, ...value } : value
  }
  await write(mesh, stringify(config))
}

async function write(mesh: Mesh, text: string): Promise<void> {
  await mesh.kubectl('patch', 'configmap', 'istio', '-n', 'istio-system', '--type', 'merge', '-p', JSON.stringify({ data: { mesh: text } }))
}

/** Which process the control plane is. */
function controlPlane(mesh: Mesh): Promise<string> {
  const fields = '{.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}'
  return mesh.kubectl('get', 'pods', '-n', 'istio-system', '-l', 'app=istiod', '-o', `jsonpath=${fields}`)
}

function addressOf(mesh: Mesh, pod: string): Promise<string> {
  const [namespace = '', name = ''] = pod.split('/')
  return mesh.kubectl('get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.status.podIP}')
}
