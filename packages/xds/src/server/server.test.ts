import { afterEach, beforeEach, expect, test } from 'vitest'
import { resource, textResource } from '../../testdata/memory-source.ts'
import { RunningServer } from '../../testdata/running-server.ts'
import { type SimulatedProxy, T } from '../../testdata/simulated-proxy.ts'
import { until } from '../../testdata/until.ts'

let server: RunningServer

beforeEach(async () => {
  server = await RunningServer.start()
})

afterEach(() => server[Symbol.asyncDispose]())

/** An EDS cluster (type = EDS, field 2) with some text to tell versions apart. */
function putService(name: string, text: string): void {
  server.source.put(T.CDS, resource(name, Buffer.concat([textResource(name, text).bytes, Buffer.from([0x10, 3])])))
  server.source.put(T.EDS, textResource(name, 'endpoints'))
}

function putRoute(name: string, text: string, hosts: readonly string[]): void {
  server.source.put(T.RDS, resource(name, Buffer.concat([textResource(name, text).bytes, Buffer.from([0x4a, 0])])))
  for (const host of hosts) server.source.put(T.VHDS, textResource(`${name}/${host}`, text))
}

const names = (of: SimulatedProxy, type: string) => Object.keys(of.held(type))
const types = (of: SimulatedProxy, from = 0) => of.received.slice(from).map((r) => r.typeUrl)

async function settled(): Promise<void> {
  await until('everybody has answered', () => server.xds.connections().every((c) => c.types.every((t) => t.state !== 'STALE')))
}

test('an empty wildcard subscription is answered, so that a client does not wait', async () => {
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.LDS)
  await until('the answer', () => proxy.received.length === 1)
  expect(proxy.received[0]).toMatchObject({ typeUrl: T.LDS, changed: [], removed: [] })
})

test('a name that does not exist is answered: removed, or by an empty route configuration, or by an alias alone', async () => {
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.EDS, ['nowhere'])
  proxy.subscribe(T.RDS, ['none'])
  proxy.subscribe(T.VHDS, ['none/host'])
  await until('the answers', () => proxy.received.length === 3)
  expect(proxy.received).toMatchObject([
    { typeUrl: T.EDS, changed: [], removed: ['nowhere'] },
    { typeUrl: T.RDS, changed: ['none'], removed: [] },
    { typeUrl: T.VHDS, changed: ['none/host'], removed: [] },
  ])
  putRoute('none', 'real', ['host'])
  server.source.publish()
  await until('what has come into being', () => names(proxy, T.VHDS).length === 1)
  expect(proxy.held(T.RDS)['none']).toContain('real')
})

test('virtual hosts of a route configuration follow it unasked, whenever it comes', async () => {
  putRoute('r1', '1', ['a', 'b'])
  putRoute('r2', '1', ['c'])
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.RDS, ['r1'])
  proxy.subscribe(T.VHDS)
  await until('the first hosts', () => names(proxy, T.VHDS).length === 2)
  expect(names(proxy, T.VHDS)).toEqual(['r1/a', 'r1/b'])
  proxy.subscribe(T.RDS, ['r2'])
  await until('the second hosts', () => names(proxy, T.VHDS).length === 3)
  expect(proxy.received.at(-1)).toMatchObject({ typeUrl: T.VHDS, changed: ['r2/c'] })
})

test('a route configuration that is dropped and asked for in one breath brings its virtual hosts again', async () => {
  putRoute('r1', '1', ['a', 'b'])
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.RDS, ['r1'])
  proxy.subscribe(T.VHDS)
  await until('the hosts', () => names(proxy, T.VHDS).length === 2)
  await settled()
  proxy.unsubscribe(T.RDS, ['r1'])
  expect(names(proxy, T.VHDS)).toEqual([])
  proxy.subscribe(T.RDS, ['r1'])
  await until('the hosts again', () => names(proxy, T.VHDS).length === 2)
  expect(names(proxy, T.RDS)).toEqual(['r1'])
})

test('a changed virtual host is all that is sent', async () => {
  putRoute('r1', '1', ['a', 'b', 'c'])
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.RDS, ['r1'])
  proxy.subscribe(T.VHDS)
  await until('the hosts', () => names(proxy, T.VHDS).length === 3)
  await settled()
  const before = proxy.received.length
  server.source.put(T.VHDS, textResource('r1/b', 'new'))
  server.source.remove(T.VHDS, 'r1/c')
  server.source.publish()
  await until('the change', () => names(proxy, T.VHDS).length === 2)
  expect(proxy.received.slice(before)).toMatchObject([{ typeUrl: T.VHDS, changed: ['r1/b'], removed: ['r1/c'] }])
})

test('after a restart of the server nothing is sent but what differs and what is gone', async () => {
  for (const name of ['a', 'b', 'gone']) putService(name, '1')
  putRoute('r1', '1', ['a', 'b'])
  const proxies = [server.proxy({ delta: true }), server.proxy({ delta: true })]
  for (const proxy of proxies) {
    proxy.subscribe(T.CDS)
    proxy.subscribe(T.EDS, ['a', 'b', 'gone'])
    proxy.subscribe(T.RDS, ['r1'])
    proxy.subscribe(T.VHDS)
    await until('the first configuration', () => names(proxy, T.VHDS).length === 2 && names(proxy, T.EDS).length === 3)
  }
  await settled()
  await server.restart()
  const [first, second] = proxies
  const before = first?.received.length ?? 0
  first?.connect()
  await until('the proxy is back', () => server.xds.connections()[0]?.types.length === 4)
  server.source.remove(T.CDS, 'gone')
  server.source.put(T.VHDS, textResource('r1/b', 'new'))
  second?.connect()
  await until('the second is told', () => second?.held(T.VHDS)['r1/b']?.includes('new') && names(second, T.CDS).length === 2)
  expect(second?.received.slice(before).sort((a, b) => (a.typeUrl < b.typeUrl ? -1 : 1))).toMatchObject([
    { typeUrl: T.CDS, changed: [], removed: ['gone'] },
    { typeUrl: T.VHDS, changed: ['r1/b'], removed: [] },
  ])
  expect(first?.received.length).toBe(before)
})

test('clusters come before what uses them and go after it', async () => {
  putService('old', '1')
  putRoute('r1', 'to old', ['a'])
  server.source.put(T.LDS, textResource('l1', '1'))
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.CDS)
  proxy.subscribe(T.EDS, ['old'])
  proxy.subscribe(T.LDS)
  proxy.subscribe(T.RDS, ['r1'])
  proxy.subscribe(T.VHDS)
  await until('the first configuration', () => names(proxy, T.VHDS).length === 1)
  await settled()
  const before = proxy.received.length

  proxy.holdAnswers()
  putService('new', '1')
  server.source.remove(T.CDS, 'old')
  putRoute('r1', 'to new', ['a'])
  server.source.put(T.LDS, textResource('l1', '2'))
  server.source.publish()
  const order: string[] = []
  for (let i = 0; i < 5; i++) {
    await until(`response ${i + 1}`, () => proxy.received.length === before + i + 1)
    expect(proxy.unanswered).toBe(1)
    order.push(proxy.received[before + i]?.typeUrl ?? '')
    proxy.answerAll()
    proxy.holdAnswers()
  }
  expect(order).toEqual([T.CDS, T.LDS, T.RDS, T.VHDS, T.CDS])
  expect(proxy.received[before]).toMatchObject({ changed: ['new'], removed: [] })
  expect(proxy.received[before + 4]).toMatchObject({ changed: [], removed: ['old'] })
})

test('endpoints do not wait for configuration that was not answered yet', async () => {
  putService('a', '1')
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.CDS)
  proxy.subscribe(T.EDS, ['a'])
  await until('the first configuration', () => names(proxy, T.EDS).length === 1 && names(proxy, T.CDS).length === 1)
  await settled()
  proxy.holdAnswers()
  putService('b', '1')
  server.source.publish()
  await until('the cluster', () => names(proxy, T.CDS).length === 2)
  server.source.put(T.EDS, textResource('a', 'moved'))
  server.source.publish()
  await until('the endpoints', () => proxy.held(T.EDS)['a']?.includes('moved'))
  expect(proxy.unanswered).toBe(2)
})

test('the endpoints of a changed cluster are sent again, for Envoy warms it anew', async () => {
  putService('a', '1')
  putService('b', '1')
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.CDS)
  proxy.subscribe(T.EDS, ['a', 'b'])
  await until('the first configuration', () => names(proxy, T.EDS).length === 2)
  await settled()
  const before = proxy.received.length
  putService('a', '2')
  server.source.publish()
  await until('both', () => proxy.received.length === before + 2)
  expect(proxy.received.slice(before)).toMatchObject([
    { typeUrl: T.CDS, changed: ['a'] },
    { typeUrl: T.EDS, changed: ['a'] },
  ])
})

test('a client that does not answer is sent one response of a type, and then the newest state', async () => {
  const slow = server.proxy({ delta: true, id: 'slow' })
  const quick = server.proxy({ delta: true, id: 'quick' })
  for (const proxy of [slow, quick]) proxy.subscribe(T.CDS)
  await until('both are connected', () => quick.received.length === 1 && slow.received.length === 1)
  await settled()
  slow.holdAnswers()
  for (let i = 0; i < 20; i++) {
    server.source.put(T.CDS, textResource('a', `${i}`))
    server.source.publish()
    await until('the quick one has it', () => quick.held(T.CDS)['a']?.includes(`${i}`))
  }
  expect(slow.received.length).toBe(2)
  slow.answerAll()
  await until('the slow one has the newest', () => slow.held(T.CDS)['a']?.includes('19'))
  expect(slow.received.length).toBe(3)
})

test('a client that does not read holds up nobody, and gets the newest state when it reads again', async () => {
  const big = (text: string) =>
    resource('big', Buffer.concat([textResource('big', text).bytes, Buffer.from([0x7a, 0x80, 0x80, 0x40]), Buffer.alloc(1 << 20)]))
  const stuck = server.proxy({ delta: true, id: 'stuck' })
  const quick = server.proxy({ delta: true, id: 'quick' })
  for (const proxy of [stuck, quick]) for (const type of [T.CDS, T.NDS, T.LDS]) proxy.subscribe(type)
  await until('both are connected', () => quick.received.length === 3 && stuck.received.length === 3)
  stuck.stopReading()
  for (let i = 0; i < 12; i++) {
    for (const type of [T.CDS, T.NDS, T.LDS]) server.source.put(type, big(`${i}`))
    server.source.publish()
    await until('the quick one has it', () =>
      [T.CDS, T.NDS, T.LDS].every((type) => quick.held(type)['big']?.includes(`z${String.fromCharCode(`${i}`.length)}${i}`)),
    )
  }
  stuck.read()
  await until('the other one has the newest', () => [T.CDS, T.NDS, T.LDS].every((type) => stuck.held(type)['big']?.includes('11')))
  expect(stuck.received.length).toBeLessThan(12)
}, 30_000)

test('one bad resource among many is found; the others arrive, and it is not sent again until it changes', async () => {
  for (let i = 0; i < 20; i++) server.source.put(T.CDS, textResource(`c${i}`, i === 13 ? 'bad' : 'good'))
  const proxy = server.proxy({
    delta: true,
    refuses: (_name, bytes) => (Buffer.from(bytes).includes('bad') ? 'some field is wrong' : undefined),
  })
  proxy.subscribe(T.CDS)
  await until('all but one', () => names(proxy, T.CDS).length === 19)
  await until('the culprit is known', () => server.source.rejections.length === 1)
  expect(server.source.rejections[0]).toMatchObject({ typeUrl: T.CDS, names: ['c13'], message: 'some field is wrong' })
  expect(server.xds.connections()[0]?.types[0]).toMatchObject({ state: 'STALE', error: 'some field is wrong' })
  expect(server.source.acceptances).toEqual([])
  const refused = proxy.refusals.length
  server.source.put(T.CDS, textResource('c1', 'better'))
  server.source.publish()
  await until('another change', () => proxy.held(T.CDS)['c1']?.includes('better'))
  expect(proxy.refusals.length).toBe(refused)
  server.source.put(T.CDS, textResource('c13', 'good'))
  server.source.publish()
  await until('all', () => names(proxy, T.CDS).length === 20)
  await until('nothing is amiss any more', () => server.xds.connections()[0]?.types[0]?.state === 'SYNCED')
  expect(server.source.acceptances.length).toBe(1)
})

test('a resource that the client names is not searched for, and its removal clears the error', async () => {
  for (const name of ['a', 'a.b', 'c']) server.source.put(T.CDS, textResource(name, 'good'))
  const proxy = server.proxy({
    delta: true,
    refuses: (name, bytes) => (Buffer.from(bytes).includes('bad') ? `Error adding/updating cluster(s) ${name}: no` : undefined),
  })
  proxy.subscribe(T.CDS)
  await until('the first configuration', () => names(proxy, T.CDS).length === 3)
  server.source.put(T.CDS, textResource('a', 'bad'))
  server.source.publish()
  await until('the refusal', () => server.source.rejections.length === 1)
  expect(server.source.rejections[0]?.names).toEqual(['a'])
  expect(proxy.refusals).toEqual(['a'])
  server.source.put(T.CDS, textResource('a', 'good'))
  server.source.publish()
  await until('nothing is amiss any more', () => server.xds.connections()[0]?.types[0]?.error === '')
})

test('streams in equal states are sent the same bytes, made once', async () => {
  for (let i = 0; i < 10; i++) putService(`s${i}`, '1')
  const proxies = Array.from({ length: 5 }, (_, i) => server.proxy({ delta: true, id: `p${i}` }))
  for (const proxy of proxies) {
    proxy.subscribe(T.CDS)
    proxy.subscribe(
      T.EDS,
      Array.from({ length: 10 }, (_, i) => `s${i}`).sort(() => (proxy === proxies[0] ? 1 : -1)),
    )
  }
  for (const proxy of proxies) await until('the configuration', () => names(proxy, T.EDS).length === 10)
  const nonces = new Set(server.xds.connections().map((c) => c.types.map((t) => t.nonceSent).join()))
  expect(nonces.size).toBe(1)
})

test('a state-of-the-world client that names the version it holds is sent nothing', async () => {
  server.source.put(T.CDS, textResource('a', '1'))
  server.source.put(T.EDS, textResource('a', '1'))
  const proxy = server.proxy({ delta: false })
  proxy.subscribe(T.CDS)
  proxy.subscribe(T.EDS, ['a'])
  await until('the configuration', () => names(proxy, T.CDS).length === 1 && names(proxy, T.EDS).length === 1)
  await settled()
  await server.restart()
  const before = proxy.received.length
  proxy.connect()
  await until('it is back', () => server.xds.connections()[0]?.types.length === 2)
  server.source.put(T.EDS, textResource('a', '2'))
  server.source.publish()
  await until('the change', () => proxy.held(T.EDS)['a']?.includes('2'))
  expect(types(proxy, before)).toEqual([T.EDS])
})

test('a state-of-the-world client keeps clusters until the routes that used them have changed', async () => {
  server.source.put(T.CDS, textResource('old', '1'))
  server.source.put(T.RDS, textResource('r1', 'to old'))
  const proxy = server.proxy({ delta: false })
  proxy.subscribe(T.CDS)
  proxy.subscribe(T.RDS, ['r1'])
  await until('the configuration', () => names(proxy, T.RDS).length === 1)
  await settled()
  const before = proxy.received.length
  server.source.put(T.CDS, textResource('new', '1'))
  server.source.remove(T.CDS, 'old')
  server.source.put(T.RDS, textResource('r1', 'to new'))
  server.source.publish()
  await until('the old one goes', () => names(proxy, T.CDS).join() === 'new')
  expect(proxy.received.slice(before).map((r) => [r.typeUrl, [...r.changed].sort()])).toEqual([
    [T.CDS, ['new', 'old']],
    [T.RDS, ['r1']],
    [T.CDS, ['new']],
  ])
})

test('virtual hosts apart are for delta Envoys alone', async () => {
  server.proxy({ delta: true, agent: 'envoy' }).subscribe(T.CDS)
  await until('the first', () => server.source.opened.length === 1)
  server.proxy({ delta: false, agent: 'envoy' }).subscribe(T.CDS)
  await until('the second', () => server.source.opened.length === 2)
  server.proxy({ delta: true, agent: 'gRPC Go' }).subscribe(T.CDS)
  await until('the third', () => server.source.opened.length === 3)
  expect(server.source.opened.map((o) => o.options.vhds)).toEqual([true, false, false])
})

test('a stream that ends closes its session', async () => {
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.CDS)
  await until('the session', () => server.source.sessions === 1)
  proxy.close()
  await until('its end', () => server.source.sessions === 0)
  expect(server.xds.connections()).toEqual([])
})
