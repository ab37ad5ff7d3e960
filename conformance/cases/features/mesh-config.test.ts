/** The mesh configuration in the ConfigMap `istio`: what is changed there while the mesh runs is in force without a restart. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { addressOf, type Echo, echoPod, echoService, podsReady } from '../../harness/echo.ts'
import { CALLER, DRIVER, deployEcho, OTHER_CALLER } from '../../harness/echo-mesh.ts'
import { askEnvoy } from '../../harness/envoy-admin.ts'
import { eventually } from '../../harness/eventually.ts'
import { describeWithMesh, type Mesh, whySkipped } from '../../harness/mesh.ts'
import { networking } from '../../harness/objects.ts'

/** Keeps statistics that are left out otherwise. */
const COUNTED = { 'proxy.istio.io/config': JSON.stringify({ proxyStatsMatcher: { inclusionPrefixes: ['cluster.out_', 'cluster.in_'] } }) }

const OBJECTS = [
  echoService({ name: 'web', namespace: 'feat', ports: { http: [80, 8080], greets: [7001, 7001] } }),
  echoService({ name: 'bare', namespace: 'outside', selector: { app: 'driver' } }),
  echoService({ name: 'ruled', namespace: 'feat', selector: { app: 'web' } }),
  networking('DestinationRule', { name: 'ruled', namespace: 'feat' }, { host: 'ruled', trafficPolicy: { tls: { mode: 'DISABLE' } } }),
  echoService({ name: 'zones', namespace: 'outside', selector: { role: 'zone' } }),
  networking(
    'DestinationRule',
    { name: 'zones', namespace: 'feat' },
    { host: 'zones.outside.svc.cluster.local', trafficPolicy: { outlierDetection: {} } },
  ),
  networking(
    'ServiceEntry',
    { name: 'nobody', namespace: 'feat' },
    {
      hosts: ['nobody.example'],
      location: 'MESH_EXTERNAL',
      resolution: 'STATIC',
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      // Addresses for documentation: nobody answers.
      endpoints: [{ address: '192.0.2.1' }],
    },
  ),
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
          headers: { response: { set: { 'x-road': 'main' } } },
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
        { name: 'caller', namespace: 'feat', labels: { 'istio-locality': 'home.near' }, annotations: COUNTED },
        { name: 'caller', namespace: 'other' },
        { name: 'web', namespace: 'feat', listen: ['8080=http', '7001=tcp-first'], annotations: COUNTED },
        { name: 'near', namespace: 'outside', labels: { role: 'zone', 'istio-locality': 'home.near' } },
        { name: 'far', namespace: 'outside', labels: { role: 'zone', 'istio-locality': 'home.far' } },
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
    await change(mesh(), { accessLogFormat: undefined, accessLogEncoding: 'JSON' })
    await isLogged(/^\{.*"route_name":"main-road\.north"/)
    await change(mesh(), { accessLogEncoding: undefined })
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

  /** Waits until a call has an outcome; with the change, and without it again. */
  const changes = async (fields: Readonly<Record<string, unknown>>, outcome: () => Promise<unknown>, becomes: unknown, again: unknown) => {
    await eventually(async () => expect(await outcome()).toEqual(again))
    await change(mesh(), fields)
    await eventually(async () => expect(await outcome()).toEqual(becomes))
    await change(mesh(), Object.fromEntries(Object.keys(fields).map((name) => [name, undefined])))
    await eventually(async () => expect(await outcome()).toEqual(again))
  }
  /** Whether the call was over mutual TLS. */
  const isSecure = async (from: string, url: string) =>
    'x-forwarded-client-cert' in ((await echo.callOnce(from, { url })).echo?.headers ?? {})

  test('services, routes and rules that say nothing are seen by all, or by their own namespace', async () => {
    const secure = () => isSecure(OTHER_CALLER, 'http://web.feat/north')
    await changes({ defaultServiceExportTo: ['.'] }, secure, false, true)
    const road = async () => (await echo.callOnce(OTHER_CALLER, { url: 'http://web.feat/north' })).headers['x-road']
    await changes({ defaultVirtualServiceExportTo: ['.'] }, road, undefined, 'main')
    const ruled = () => isSecure(OTHER_CALLER, 'http://ruled.feat/')
    await changes({ defaultDestinationRuleExportTo: ['.'] }, ruled, true, false)
  })

  test('mutual TLS is used wherever it can be, or only where it is asked for', async () => {
    await changes({ enableAutoMtls: false }, () => isSecure(CALLER, 'http://web.feat/north'), false, true)
  })

  test('retries of routes that say none', async () => {
    const tries = async () => {
      const id = crypto.randomUUID()
      await echo.callOnce(CALLER, { url: 'http://web.feat/north?status=500', headers: { 'x-test': id } })
      return (await echo.received('feat/web', { test: id })).length
    }
    await changes({ defaultHttpRetryPolicy: { attempts: 3, retryOn: '5xx' } }, tries, 4, 1)
  })

  test('forms of paths', async () => {
    const path = async () => (await echo.callOnce(CALLER, { url: 'http://web.feat/north//pole' })).echo?.path
    await changes({ pathNormalization: { normalization: 'MERGE_SLASHES' } }, path, '/north/pole', '/north//pole')
  })

  test('HTTP/2 to all that speak HTTP', async () => {
    const protocol = async () => (await echo.callOnce(CALLER, { url: 'http://bare.outside/' })).echo?.protocol
    await changes({ h2UpgradePolicy: 'UPGRADE' }, protocol, 'h2', 'http/1.1')
  })

  test('time to connect', async () => {
    await change(mesh(), { connectTimeout: '500ms', defaultHttpRetryPolicy: { attempts: 0 } })
    await eventually(async () => {
      const { status, ms } = await echo.callOnce(CALLER, { url: 'http://nowhere.feat/', headers: { host: 'nobody.example' } })
      expect({ status, inTime: ms > 450 && ms < 3000 }).toEqual({ status: 503, inTime: true })
    })
    await change(mesh(), { connectTimeout: undefined, defaultHttpRetryPolicy: undefined })
  })

  test('localities count, or not', async () => {
    const zones = async () => {
      const answers = await echo.call(CALLER, { url: 'http://zones.outside/', count: 20, newConnections: true })
      return [...new Set(answers.map(({ pod }) => pod))].sort()
    }
    await changes({ localityLbSetting: { enabled: false } }, zones, ['far', 'near'], ['near'])
  })

  test('a server that speaks first, on a port that says nothing, is waited for as long as is said', async () => {
    const greeting = async () => (await echo.callOnce(CALLER, { url: 'tcp://web.feat:7001', version: 'tcp', timeoutMs: 2000 })).body
    await changes({ protocolDetectionTimeout: '300ms' }, greeting, 'hello from web', '')
  })

  test('proxies serve as HTTP proxies on a port of their own', async () => {
    const byProxy = async () => {
      const { status, pod } = await echo.callOnce(CALLER, {
        url: 'http://127.0.0.1:15002/north',
        headers: { host: 'web.feat.svc.cluster.local' },
      })
      return { status, pod }
    }
    await changes({ proxyHttpPort: 15002 }, byProxy, { status: 200, pod: 'web' }, { status: 0, pod: '' })
  })

  test('names of clusters in statistics', async () => {
    const names = { outboundClusterStatName: 'out_%SERVICE%_%SERVICE_PORT%', inboundClusterStatName: 'in_%SERVICE%_%TARGET_PORT%' }
    const named = async (pod: string, name: string) => {
      await echo.callOnce(CALLER, { url: 'http://web.feat/north' })
      return (await askEnvoy(mesh(), pod, `stats?filter=cluster.${name}`)).includes(`cluster.${name}`)
    }
    const both = async () => [await named('caller', 'out_web'), await named('web', 'in_web')]
    await changes(names, both, [true, true], [false, false])
  })

  test('settings of proxies hold for those that start from then on', async () => {
    const settings = (pod: string) => askEnvoy(mesh(), pod, 'server_info')
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
    await isLogged(/ main-road\.north$/)
    await write(mesh(), before)
  })

  test('all of it without a restart of the control plane', async () => {
    expect(await controlPlane(mesh())).toBe(started)
  })
})

/** Sets fields of the mesh configuration, or takes them away; those of objects are added to what is there. */
async function change(mesh: Mesh, fields: Readonly<Record<string, unknown>>): Promise<void> {
  const text = await mesh.kubectl('get', 'configmap', 'istio', '-n', 'istio-system', '-o', 'jsonpath={.data.mesh}')
  const config: Record<string, unknown> = parse(text)
  for (const [name, value] of Object.entries(fields)) {
    const held = config[name]
    if (value === undefined) delete config[name]
    else config[name] = isRecord(held) && isRecord(value) ? { ...held, ...value } : value
  }
  await write(mesh, stringify(config))
}

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value)

async function write(mesh: Mesh, text: string): Promise<void> {
  await mesh.kubectl('patch', 'configmap', 'istio', '-n', 'istio-system', '--type', 'merge', '-p', JSON.stringify({ data: { mesh: text } }))
}

/** Which process the control plane is. */
function controlPlane(mesh: Mesh): Promise<string> {
  const fields = '{.items[*].metadata.uid} {.items[*].status.containerStatuses[*].restartCount}'
  return mesh.kubectl('get', 'pods', '-n', 'istio-system', '-l', 'app=istiod', '-o', `jsonpath=${fields}`)
}
