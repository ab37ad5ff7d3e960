import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { RunningServer } from '../../testdata/running-server.ts'
import { node, T } from '../../testdata/simulated-proxy.ts'
import { until } from '../../testdata/until.ts'
import { writeDeltaRequest } from '../protocol/messages.ts'
import { DELTA_PATH, passThrough } from '../protocol/service.ts'
import { SessionRefused } from '../resource-source.ts'
import { StreamGate, TransitBudget } from './admission.ts'

/** Sends messages on a stream of its own and tells how the server ended it. */
async function ending(port: number, messages: readonly Buffer[]): Promise<{ code: number; details: string }> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_send_message_length': -1,
  })
  const call = client.makeBidiStreamRequest(DELTA_PATH, passThrough, passThrough, new Metadata())
  call.on('data', () => undefined)
  call.on('error', () => undefined)
  const ended = new Promise<{ code: number; details: string }>((resolve) => call.on('status', resolve))
  for (const message of messages) call.write(message)
  return ended.finally(() => client.close())
}

const first = (id = 'sidecar~10.0.0.1~a.b~b') => writeDeltaRequest({ typeUrl: T.CDS, node: node(id, 'envoy') })

test('a stream that does not say who it is is ended', async () => {
  await using server = await RunningServer.start()
  expect(await ending(server.port, [writeDeltaRequest({ typeUrl: T.CDS })])).toMatchObject({
    code: 3,
    details: 'the first request of a stream must say which node it comes from',
  })
})

test('a stream that says nothing is ended', async () => {
  await using server = await RunningServer.start({ limits: { firstRequestMs: 50 } })
  expect(await ending(server.port, [])).toMatchObject({ code: 4, details: 'no request within 50 ms' })
})

test('a node that is too large is not read', async () => {
  await using server = await RunningServer.start({ limits: { maxNodeBytes: 1000 } })
  expect(await ending(server.port, [first('x'.repeat(2000))])).toMatchObject({ code: 3 })
})

test('a request that is too large is not read', async () => {
  await using server = await RunningServer.start({ limits: { maxRequestBytes: 1000 } })
  expect(await ending(server.port, [first('x'.repeat(2000))])).toMatchObject({ code: 8 })
})

test('broken bytes end the stream with a reason, and not the server', async () => {
  await using server = await RunningServer.start()
  expect(await ending(server.port, [Buffer.from([0x0a, 0xff, 0xff])])).toMatchObject({ code: 3 })
  expect(await ending(server.port, [first(), Buffer.from([0x0a, 0xff, 0xff])])).toMatchObject({ code: 3 })
  const proxy = server.proxy({ delta: true })
  proxy.subscribe(T.CDS)
  await until('others are served', () => proxy.received.length === 1)
})

test('more names or types than allowed end the stream', async () => {
  await using server = await RunningServer.start({ limits: { maxNames: 3, maxTypes: 2 } })
  const many = writeDeltaRequest({ typeUrl: T.EDS, subscribe: ['a', 'b', 'c', 'd'] })
  expect(await ending(server.port, [first(), many])).toMatchObject({ code: 8 })
  const types = ['x', 'y', 'z'].map((typeUrl) => writeDeltaRequest({ typeUrl }))
  expect(await ending(server.port, [first(), ...types])).toMatchObject({ code: 8 })
})

test('a session that the source refuses ends with permission denied and its words', async () => {
  await using server = await RunningServer.start()
  server.source.refusal = 'the certificate of ns/shop may not act for a proxy in ns/bank'
  expect(await ending(server.port, [first()])).toMatchObject({ code: 7, details: server.source.refusal })
})

test('what authentication finds reaches the source; what it refuses does not', async () => {
  await using server = await RunningServer.start({
    authenticate: async (metadata, peer) => {
      const [token] = metadata.get('authorization')
      if (token !== 'Bearer good') throw new SessionRefused('the token is not valid')
      return { ...peer, identities: ['spiffe://cluster.local/ns/a/sa/b'] }
    },
  })
  expect(await ending(server.port, [first()])).toMatchObject({ code: 7, details: 'the token is not valid' })
  expect(server.source.opened).toEqual([])
})

test('a bug in authentication is not told to the client', async () => {
  await using server = await RunningServer.start({ authenticate: () => Promise.reject(new Error('secret detail')) })
  expect(await ending(server.port, [first()])).toMatchObject({ code: 13, details: 'internal error; see the log of the control plane' })
})

test('new streams are let in no faster than allowed', async () => {
  const entered: number[] = []
  const gate = new StreamGate({ streamsPerSecond: 50 })
  const start = performance.now()
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 60; i++) {
      gate.enter(() => {
        entered.push(performance.now() - start)
        if (entered.length === 60) resolve()
      })
    }
  })
  // A second's worth may come at once; the ten after them come 20 ms apart.
  expect(entered.at(-1)).toBeGreaterThan(150)
  gate.close()
})

test('large responses are held back while others are under way, small ones are not', () => {
  let woken = 0
  const budget = new TransitBudget(1 << 20, () => woken++)
  const small = budget.take(1000)
  const left = budget.take(1 << 20)
  expect(budget.open).toBe(false)
  small()
  expect(woken).toBe(0)
  left()
  left()
  expect(budget.open).toBe(true)
  expect(woken).toBe(1)
})
