import { createSocket, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import packet from 'dns-packet'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../testdata/agent-harness.ts'
import { queryDns } from '../../testdata/dns-client.ts'
import { type DnsServer, startDnsServer } from './dns-server.ts'
import { readQuery } from './message.ts'
import { buildNameTable, type NameInfo } from './name-table.ts'

const scope = { namespace: 'shop', dnsDomain: 'shop.svc.cluster.local', search: ['shop.svc.cluster.local'] }
const info = (...ips: string[]): NameInfo => ({ ips, registry: '', shortname: '', namespace: '', altHosts: [] })

/** A resolver that knows the answer to everything: TXT with what it was asked, over UDP and TCP. */
async function startResolver(): Promise<{
  port: number
  asked: { transport: string; port: number; id: number }[]
  mute: boolean
  truncate: boolean
  forge: boolean
  close: () => void
}> {
  const state = { asked: [] as { transport: string; port: number; id: number }[], mute: false, truncate: false, forge: false }
  const answer = (query: Buffer, transport: string): Buffer => {
    const { id, questions } = packet.decode(query)
    const question = questions?.[0]
    const flags = packet.RECURSION_AVAILABLE | (state.truncate && transport === 'udp' ? packet.TRUNCATED_RESPONSE : 0)
    const answers: packet.Answer[] =
      flags & packet.TRUNCATED_RESPONSE
        ? []
        : [{ type: 'TXT', name: question?.name ?? '', ttl: 5, data: [`${transport} ${question?.type}`] }]
    return packet.encode({ type: 'response', flags, questions: questions ?? [], answers, ...(id === undefined ? {} : { id }) })
  }
  const tcp: Server = createServer((client) =>
    client.on('data', (chunk: Buffer) => {
      state.asked.push({ transport: 'tcp', port: client.remotePort ?? 0, id: chunk.readUInt16BE(2) })
      const reply = answer(chunk.subarray(2), 'tcp')
      const length = Buffer.alloc(2)
      length.writeUInt16BE(reply.length)
      client.end(Buffer.concat([length, reply]))
    }),
  )
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
  const address = tcp.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const udp: Socket = createSocket('udp4')
  udp.on('message', (query, from) => {
    state.asked.push({ transport: 'udp', port: from.port, id: query.readUInt16BE(0) })
    if (state.mute) return
    const reply = answer(query, 'udp')
    if (state.forge) {
      const forged = Buffer.from(reply)
      forged.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0)
      udp.send(forged, from.port, from.address)
    }
    udp.send(reply, from.port, from.address)
  })
  // The port is free for TCP; should a client hold it for UDP, it soon lets go.
  await eventually(
    () =>
      new Promise<void>((resolve, reject) => {
        udp.once('error', reject)
        udp.bind(port, '127.0.0.1', () => resolve())
      }),
  )
  return Object.assign(state, {
    port,
    close: () => {
      udp.close()
      tcp.close()
    },
  })
}

let resolver: Awaited<ReturnType<typeof startResolver>>
let server: DnsServer
beforeEach(async () => {
  resolver = await startResolver()
  server = await startDnsServer({ address: '127.0.0.1:0', upstream: { nameservers: [`127.0.0.1:${resolver.port}`], timeoutMs: 1000 } })
  const many = Array.from({ length: 60 }, (_, i) => `10.1.0.${i}`)
  server.setTable(
    buildNameTable(
      new Map([
        ['reviews.shop.svc.cluster.local', info('10.0.0.1', '10.0.0.2', '10.0.0.3')],
        ['six.example', info('2001:db8::1')],
        ['many.example', info(...many)],
      ]),
      scope,
    ),
  )
})
afterEach(async () => {
  await server.close()
  resolver.close()
})

describe('a name of the mesh', () => {
  test('is answered over UDP and TCP, each time starting with another address', async () => {
    const first = async (tcp: boolean) =>
      (await queryDns(server.port, 'reviews.shop.svc.cluster.local', 'A', { tcp })).answers.map((a) => a.data)
    const rounds = [await first(false), await first(true), await first(false)]
    expect(rounds.map((addresses) => addresses[0]).sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    for (const addresses of rounds) expect([...addresses].sort()).toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3'])
    expect(resolver.asked).toEqual([])
  })

  test('without an address of the family asked for is an empty answer, not an unknown name', async () => {
    expect(await queryDns(server.port, 'reviews.shop.svc.cluster.local', 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] })
    expect(await queryDns(server.port, 'six.example', 'A')).toMatchObject({ rcode: 'NOERROR', answers: [] })
    expect((await queryDns(server.port, 'SIX.example', 'AAAA')).answers).toEqual([
      { name: 'SIX.example', type: 'AAAA', data: '2001:db8::1' },
    ])
  })

  test('behind a search domain is an alias of the name that was meant', async () => {
    expect((await queryDns(server.port, 'six.example.shop.svc.cluster.local', 'AAAA')).answers).toEqual([
      { name: 'six.example.shop.svc.cluster.local', type: 'CNAME', data: 'six.example' },
      { name: 'six.example', type: 'AAAA', data: '2001:db8::1' },
    ])
  })

  test('with more addresses than fit is cut off and marked so over UDP, and whole over TCP', async () => {
    const plain = await queryDns(server.port, 'many.example', 'A')
    expect(plain.truncated).toBe(true)
    expect(plain.bytes.length).toBeLessThanOrEqual(512)
    const large = await queryDns(server.port, 'many.example', 'A', { udpSize: 4096 })
    expect([large.truncated, large.answers.length]).toEqual([false, 60])
    expect((await queryDns(server.port, 'many.example', 'A', { tcp: true })).answers).toHaveLength(60)
  })

  test('asked for another kind of record is forwarded', async () => {
    expect((await queryDns(server.port, 'reviews.shop.svc.cluster.local', 'SRV')).answers).toMatchObject([
      { data: [Buffer.from('udp SRV')] },
    ])
  })
})

describe('another name', () => {
  test('is forwarded by the transport it came by, under numbers that cannot be guessed', async () => {
    for (let i = 0; i < 8; i++)
      expect((await queryDns(server.port, 'example.org', 'A', { id: 7 })).answers).toMatchObject([{ data: [Buffer.from('udp A')] }])
    expect((await queryDns(server.port, 'example.org', 'A', { tcp: true })).answers).toMatchObject([{ data: [Buffer.from('tcp A')] }])
    const udp = resolver.asked.filter((query) => query.transport === 'udp')
    expect(new Set(udp.map((query) => query.id)).size).toBeGreaterThan(5)
    expect(new Set(udp.map((query) => query.port)).size).toBeGreaterThan(2)
  })

  test('answered too long for UDP says so, and comes whole over TCP', async () => {
    resolver.truncate = true
    expect((await queryDns(server.port, 'long.example.org', 'A')).truncated).toBe(true)
    expect((await queryDns(server.port, 'long.example.org', 'A', { tcp: true })).answers).toHaveLength(1)
  })

  test('answered under a wrong number is waited for until the right one comes', async () => {
    resolver.forge = true
    expect((await queryDns(server.port, 'example.org', 'A')).rcode).toBe('NOERROR')
  })

  test('that no resolver answers is a server failure after the set time, and counted', async () => {
    resolver.mute = true
    expect((await queryDns(server.port, 'example.org', 'A')).rcode).toBe('SERVFAIL')
    expect(server.counts).toMatchObject({ requests: 1, forwarded: 1, failed: 1 })
  })
})

test('any bytes are a query or none, and nothing else happens', () => {
  const real = packet.encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'reviews.shop' }] })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc.tuple(fc.nat(real.length - 1), fc.nat(255)).map(([at, value]) => Uint8Array.from(real, (byte, i) => (i === at ? value : byte))),
      ),
      (bytes) => {
        const read = readQuery(Buffer.from(bytes))
        if (read && 'name' in read) expect(read.name.length).toBeLessThanOrEqual(255)
      },
    ),
    { numRuns: 1000 },
  )
})

test('a port that is taken is named', async () => {
  await expect(startDnsServer({ address: `127.0.0.1:${server.port}`, upstream: { nameservers: [], timeoutMs: 1 } })).rejects.toThrow(
    `cannot answer DNS on 127.0.0.1:${server.port}`,
  )
})
