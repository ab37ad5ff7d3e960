import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { REPORT, textResource } from '../../testdata/memory-source.ts'
import { RunningServer } from '../../testdata/running-server.ts'
import { SimulatedProxy, T } from '../../testdata/simulated-proxy.ts'
import { until } from '../../testdata/until.ts'
import type { DeltaResource } from '../protocol/messages.ts'
import { XdsRelay, type XdsRelayOptions } from './relay.ts'

let folder: string
let server: RunningServer
const started: (() => Promise<void> | void)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xds-relay-'))
  server = await RunningServer.start()
  for (const name of ['c1', 'c2']) {
    server.source.put(T.CDS, textResource(name, 'cluster'))
    server.source.put(T.EDS, textResource(name, 'endpoints'))
  }
})

afterEach(async () => {
  for (const stop of started.splice(0).reverse()) await stop()
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

async function relay(options: Partial<XdsRelayOptions> = {}): Promise<{ relay: XdsRelay; port: number }> {
  const made = new XdsRelay({
    listen: '127.0.0.1:0',
    cacheFile: join(folder, 'cache', 'configuration'),
    upstream: { address: `127.0.0.1:${server.port}`, backoff: { firstMs: 20, longestMs: 50 } },
    ...options,
  })
  const port = await made.start()
  started.push(() => made.close())
  return { relay: made, port }
}

function proxy(port: number, refuses?: (name: string) => string | undefined): SimulatedProxy {
  const made = new SimulatedProxy({ port, delta: true, ...(refuses ? { refuses } : {}) })
  made.connect()
  started.push(() => made.close())
  return made
}

const names = (of: SimulatedProxy, type: string) => Object.keys(of.held(type))

async function configured(of: SimulatedProxy): Promise<void> {
  of.subscribe(T.CDS)
  of.subscribe(T.EDS, ['c1', 'c2'])
  await until('the proxy has its configuration', () => names(of, T.CDS).length === 2 && names(of, T.EDS).length === 2)
}

test('passes configuration and changes through, with the node as the proxy gave it', async () => {
  const { port, relay: made } = await relay()
  const envoy = proxy(port)
  await configured(envoy)
  expect(server.source.opened[0]?.node).toMatchObject({ id: 'sidecar~10.0.0.1~a.b~b.svc.cluster.local', userAgentName: 'envoy' })
  server.source.remove(T.CDS, 'c1')
  server.source.put(T.CDS, textResource('c2', 'changed'))
  server.source.publish()
  await until('the change arrives', () => names(envoy, T.CDS).length === 1 && envoy.held(T.CDS)['c2']?.includes('changed'))
  expect(made.status()).toMatchObject({ proxyConnected: true, upstreamConnected: true, reason: '' })
  expect(made.status().held.get(T.CDS)).toBe(1)
})

test('a control plane that goes and comes back is not noticed by the proxy, and sends only what changed', async () => {
  const { port } = await relay()
  const envoy = proxy(port)
  await configured(envoy)
  const before = envoy.received.length
  server.source.put(T.EDS, textResource('c1', 'moved'))
  await server.restart()
  await until('the change arrives', () => envoy.held(T.EDS)['c1']?.includes('moved'))
  expect(envoy.received.slice(before)).toMatchObject([{ typeUrl: T.EDS, changed: ['c1'], removed: [] }])
  expect(envoy.error).toBe('')
})

test('a proxy that starts while the control plane is away is configured from disk, and nothing is sent again afterwards', async () => {
  const first = await relay()
  await configured(proxy(first.port))
  await first.relay.close()
  await server.xds.close({ graceMs: 100 })

  const second = await relay()
  const envoy = proxy(second.port)
  await configured(envoy)
  expect(second.relay.status().upstreamConnected).toBe(false)
  const before = envoy.received.length
  await server.restart()
  await until('the relay is connected again', () => second.relay.status().upstreamConnected)
  server.source.put(T.CDS, textResource('c3', 'new'))
  server.source.publish()
  await until('the change arrives', () => names(envoy, T.CDS).length === 3)
  expect(envoy.received.slice(before).map((r) => r.changed)).toEqual([['c3']])
})

test('what went while the proxy was down is not in the cache any more once the control plane has spoken', async () => {
  const first = await relay()
  await configured(proxy(first.port))
  await first.relay.close()
  server.source.remove(T.CDS, 'c1')
  const second = await relay()
  const envoy = proxy(second.port)
  envoy.subscribe(T.CDS)
  await until('the proxy has its configuration', () => names(envoy, T.CDS).length === 1)
  await until('the answer arrived', () => server.xds.connections().some((c) => c.types.some((t) => t.state === 'SYNCED')))
  await second.relay.close()
  await server.xds.close({ graceMs: 100 })
  const third = await relay()
  const again = proxy(third.port)
  again.subscribe(T.CDS)
  await until('the proxy is configured from disk', () => names(again, T.CDS).length > 0)
  expect(names(again, T.CDS)).toEqual(['c2'])
})

test('what the proxy refuses does not reach the cache', async () => {
  const first = await relay()
  const picky = proxy(first.port, (name) => (name === 'bad' ? 'bad: no' : undefined))
  await configured(picky)
  server.source.put(T.CDS, textResource('bad', 'x'))
  server.source.put(T.CDS, textResource('good', 'x'))
  server.source.publish()
  await until('the good one arrives', () => names(picky, T.CDS).includes('good'))
  await first.relay.close()
  await server.xds.close({ graceMs: 100 })
  const second = await relay()
  const envoy = proxy(second.port)
  envoy.subscribe(T.CDS)
  await until('the proxy is configured from disk', () => names(envoy, T.CDS).length > 0)
  expect(names(envoy, T.CDS)).toEqual(['c1', 'c2', 'good'])
})

test('a damaged file is left aside', async () => {
  const first = await relay()
  await configured(proxy(first.port))
  await first.relay.close()
  const file = join(folder, 'cache', 'configuration')
  const bytes = await readFile(file)
  bytes[40] = (bytes[40] ?? 0) ^ 1
  await writeFile(file, bytes)
  const second = await relay()
  await configured(proxy(second.port))
})

test('secrets never reach the disk, and the file is for its owner alone', async () => {
  server.source.put(T.SDS, textResource('credential', 'key'))
  const { port, relay: made } = await relay()
  const envoy = proxy(port)
  envoy.subscribe(T.SDS, ['credential'])
  await configured(envoy)
  await until('the secret arrives', () => names(envoy, T.SDS).length === 1)
  await made.close()
  const file = join(folder, 'cache', 'configuration')
  expect((await readFile(file)).includes('credential')).toBe(false)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('watched types come to the agent and not to the proxy, and are there again after a restart', async () => {
  server.source.put(T.NDS, textResource('table', 'names'))
  const tables: string[] = []
  const watches = [{ typeUrl: T.NDS, update: (changed: readonly DeltaResource[]) => void tables.push(...changed.map((r) => r.name)) }]
  const first = await relay({ watches })
  const envoy = proxy(first.port)
  await configured(envoy)
  await until('the table arrives', () => tables.length === 1)
  expect(envoy.received.some((r) => r.typeUrl === T.NDS)).toBe(false)
  await first.relay.close()
  await server.xds.close({ graceMs: 100 })
  await relay({ watches })
  expect(tables).toEqual(['table', 'table'])
})

test('the node can be completed by the agent', async () => {
  const { port } = await relay({ rewriteNode: (node) => Buffer.concat([node, Buffer.from('\x12\x03own', 'latin1')]) })
  await configured(proxy(port))
  expect(server.source.opened[0]?.node.cluster).toBe('own')
})

test('a control plane that accepts connections but says nothing is covered by the cache', async () => {
  const first = await relay()
  await configured(proxy(first.port))
  await first.relay.close()
  await using silent = await RunningServer.start({ authenticate: () => new Promise(() => undefined) })
  const second = await relay({ upstream: { address: `127.0.0.1:${silent.port}` }, fallbackMs: 20 })
  await configured(proxy(second.port))
})

test('what the agent reports of itself is told at once, the newest of it again on each stream, and makes no subscription', async () => {
  const { port, relay: made } = await relay()
  made.report(REPORT, { code: 13, message: 'before anybody listens' })
  await configured(proxy(port))
  await until('the report', () => server.source.reports.length === 1)
  made.report(REPORT)
  await until('the next report', () => server.source.reports.length === 2)
  await server.restart()
  await until('the report on the new stream', () => server.source.reports.length === 3)
  expect(server.source.reports).toEqual(['before anybody listens', undefined, undefined])
  await until('the proxy is known', () => server.xds.connections().length === 1)
  expect(server.xds.connections()[0]?.types.map(({ typeUrl }) => typeUrl)).not.toContain(REPORT)
})
