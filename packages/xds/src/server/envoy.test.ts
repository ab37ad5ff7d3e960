/** The server as a real Envoy sees it. Skipped, visibly, where there is no ENVOY_PATH. */
import { request } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { ENVOY, EnvoyProcess } from '../../testdata/envoy-process.ts'
import { putCluster, putEndpoints, putListener, putRoutes, putVirtualHost } from '../../testdata/envoy-resources.ts'
import { RunningServer } from '../../testdata/running-server.ts'
import { T } from '../../testdata/simulated-proxy.ts'
import { until } from '../../testdata/until.ts'
import { XdsRelay } from '../client/relay.ts'

const running: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const stop of running.splice(0).reverse()) await stop()
})

async function server(): Promise<RunningServer> {
  const made = await RunningServer.start()
  running.push(() => made[Symbol.asyncDispose]())
  return made
}

async function envoy(xds: number, delta = true): Promise<EnvoyProcess> {
  const made = await EnvoyProcess.start({ xds, delta })
  running.push(() => made.stop())
  return made
}

interface ListenerStatus {
  readonly name: string
  readonly local_address: { readonly socket_address: { readonly port_value: number } }
}

async function portOf(of: EnvoyProcess, listener: string): Promise<number> {
  const text = await of.get('/listeners?format=json')
  const parsed = text === '' ? {} : (JSON.parse(text) as { listener_statuses?: readonly ListenerStatus[] })
  return parsed.listener_statuses?.find((status) => status.name === listener)?.local_address.socket_address.port_value ?? 0
}

/** The status that a listener answers for a host; 0 when it does not. */
async function ask(of: EnvoyProcess, listener: string, host: string): Promise<number> {
  const port = await portOf(of, listener)
  if (port === 0) return 0
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, agent: false, headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', () => resolve(0)).end()
  })
}

function answers(of: EnvoyProcess, listener: string, host: string, status: number): Promise<unknown> {
  return until(`${listener} answers ${status} for ${host}`, async () => (await ask(of, listener, host)) === status)
}

async function settled(of: RunningServer): Promise<void> {
  await until('Envoy has answered everything', () =>
    of.xds.connections().some((c) => c.types.length >= 4 && c.types.every((t) => t.state !== 'STALE')),
  )
}

/** A cluster, a listener and a route configuration with one virtual host. */
function putMesh({ source }: RunningServer): void {
  putCluster(source, 'c1')
  putEndpoints(source, 'c1', [1])
  putListener(source, 'l1', 'r1')
  putRoutes(source, 'r1')
  putVirtualHost(source, 'r1', 'a.example', 201)
}

describe.skipIf(!ENVOY)('a real Envoy', { timeout: 60_000 }, () => {
  test('takes virtual hosts, their changes, their removal, and those of a second route configuration', async () => {
    const xds = await server()
    const { source } = xds
    putMesh(xds)
    putVirtualHost(source, 'r2', 'b.example', 202)
    const proxy = await envoy(xds.port)
    await proxy.ready()
    await answers(proxy, 'l1', 'a.example', 201)
    expect(await ask(proxy, 'l1', 'unknown.example')).toBe(404)

    putVirtualHost(source, 'r1', 'a.example', 203)
    source.publish()
    await answers(proxy, 'l1', 'a.example', 203)

    putListener(source, 'l2', 'r2')
    putRoutes(source, 'r2')
    source.publish()
    await answers(proxy, 'l2', 'b.example', 202)

    source.remove(T.VHDS, 'r1/a.example')
    source.publish()
    await answers(proxy, 'l1', 'a.example', 404)

    putRoutes(source, 'r2', { catchAll: 418 })
    source.publish()
    await answers(proxy, 'l2', 'other.example', 418)
    expect(await ask(proxy, 'l2', 'b.example')).toBe(202)
    expect(source.rejections).toEqual([])
  })

  test('is ready although a route configuration does not exist, and takes it when it comes', async () => {
    const xds = await server()
    putMesh(xds)
    putListener(xds.source, 'l2', 'later')
    const proxy = await envoy(xds.port)
    await proxy.ready()
    expect(await ask(proxy, 'l2', 'any.example')).toBe(404)
    putRoutes(xds.source, 'later', { vhds: false, catchAll: 418 })
    xds.source.publish()
    await answers(proxy, 'l2', 'any.example', 418)
  })

  test('warms a changed cluster at once, and moves endpoints meanwhile', async () => {
    const xds = await server()
    putMesh(xds)
    const proxy = await envoy(xds.port)
    await proxy.ready()
    await settled(xds)
    putCluster(xds.source, 'c1', 2000)
    putEndpoints(xds.source, 'c1', [2])
    xds.source.publish()
    await until(
      'the cluster is active',
      async () => {
        const dump = await proxy.get('/config_dump')
        return dump.includes('"connect_timeout": "2s"') && !dump.includes('dynamic_warming_clusters')
      },
      5000,
    )
    await until('the endpoint moved', async () => (await proxy.get('/clusters')).includes('c1::127.0.0.1:2::'))
  })

  test('is sent nothing after a restart of the server when nothing changed', async () => {
    const xds = await server()
    putMesh(xds)
    const proxy = await envoy(xds.port)
    await proxy.ready()
    await settled(xds)
    await xds.restart()
    await until('Envoy is back', () => xds.xds.connections().some((c) => c.types.length === 5), 20_000)
    putVirtualHost(xds.source, 'r1', 'a.example', 205)
    xds.source.publish()
    await answers(proxy, 'l1', 'a.example', 205)
    expect(xds.pushed.map((p) => p.typeUrl)).toEqual([T.VHDS])
  })

  test('refuses what is wrong and takes all else', async () => {
    const xds = await server()
    const { source } = xds
    putMesh(xds)
    const proxy = await envoy(xds.port)
    await proxy.ready()
    for (let i = 0; i < 8; i++) {
      putVirtualHost(source, 'r1', `n${i}.example`, i === 3 ? 10 : 210 + i)
      putCluster(source, `k${i}`, i === 5 ? -5 : 1000)
      putEndpoints(source, `k${i}`, [1])
    }
    source.publish()
    await answers(proxy, 'l1', 'n7.example', 217)
    expect(await ask(proxy, 'l1', 'n3.example')).toBe(404)
    const clusters = await proxy.get('/clusters')
    expect([0, 1, 2, 3, 4, 5, 6, 7].filter((i) => clusters.includes(`k${i}::`))).toEqual([0, 1, 2, 3, 4, 6, 7])
    expect(source.rejections.map((r) => r.names)).toEqual([['k5'], ['r1/n3.example']])
    expect(await ask(proxy, 'l1', 'a.example')).toBe(201)
  })

  test('speaks state of the world as well', async () => {
    const xds = await server()
    const { source } = xds
    putCluster(source, 'c1')
    putEndpoints(source, 'c1', [1])
    putListener(source, 'l1', 'r1')
    putRoutes(source, 'r1', { vhds: false, catchAll: 418 })
    const proxy = await envoy(xds.port, false)
    await proxy.ready()
    await answers(proxy, 'l1', 'any.example', 418)
    putRoutes(source, 'r1', { vhds: false, catchAll: 419 })
    putCluster(source, 'c2')
    putEndpoints(source, 'c2', [7])
    source.remove(T.CDS, 'c1')
    source.publish()
    await answers(proxy, 'l1', 'any.example', 419)
    await until('the clusters are exchanged', async () => {
      const clusters = await proxy.get('/clusters')
      return clusters.includes('c2::127.0.0.1:7') && !clusters.includes('c1::')
    })
    expect(source.rejections).toEqual([])
  })

  test('starts behind the relay with the control plane away, and is sent nothing again when that returns', async () => {
    const xds = await server()
    putMesh(xds)
    const relay = new XdsRelay({ listen: '127.0.0.1:0', upstream: { address: `127.0.0.1:${xds.port}` } })
    const port = await relay.start()
    running.push(() => relay.close())
    const first = await envoy(port)
    await first.ready()
    await answers(first, 'l1', 'a.example', 201)
    await settled(xds)
    await first.stop()
    await xds.xds.close({ graceMs: 100 })

    const second = await EnvoyProcess.start({ xds: port, delta: true })
    running.push(() => second.stop())
    await second.ready()
    await answers(second, 'l1', 'a.example', 201)
    expect(await ask(second, 'l1', 'unknown.example')).toBe(404)

    await xds.restart()
    await until('the relay is connected', () => relay.status().upstreamConnected, 20_000)
    putVirtualHost(xds.source, 'r1', 'a.example', 207)
    xds.source.publish()
    await answers(second, 'l1', 'a.example', 207)
    expect(xds.pushed.map((p) => p.typeUrl)).toEqual([T.VHDS])
  })
})
