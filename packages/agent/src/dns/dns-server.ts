/**
 * The DNS proxy (15053): names of the mesh from the control plane's table, everything else from the pod's own resolvers, over UDP
 * and TCP.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { createServer, type Server, type Socket as TcpSocket } from 'node:net'
import { logger } from '@lateen/base'
import { type Query, RCODE, readQuery, refusal, TYPE, writeAnswer } from './message.ts'
import { type NameTable, NO_NAMES } from './name-table.ts'
import { forward, type UpstreamOptions, withLength } from './upstream.ts'

const log = logger('dns')

export interface DnsServerOptions {
  /** `localhost:15053`, `127.0.0.1:15053`, `:15053`, `[::1]:15053`. */
  readonly address: string
  readonly upstream: UpstreamOptions
}

export interface DnsServer {
  /** Replaces the table. */
  setTable(table: NameTable): void
  readonly counts: { readonly requests: number; readonly forwarded: number; readonly failed: number }
  /** The port, which the system chose where 0 was asked for. */
  readonly port: number
  close(): Promise<void>
}

/** Istio's; short, because addresses of the mesh change. */
const TTL_SECONDS = 30
/** Forwarded queries under way; more are refused at once, so that a dead resolver costs no memory. */
const MAX_FORWARDED = 512
const MAX_TCP_CLIENTS = 128
const TCP_IDLE_MS = 10_000
const MAX_TCP_MESSAGE = 65535

/**
 * Starts answering on UDP and TCP.
 *
 * @throws Error when the port is taken
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const counts = { requests: 0, forwarded: 0, failed: 0 }
  let table: NameTable = NO_NAMES
  let turn = 0
  let underWay = 0

  const answer = async (message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> => {
    counts.requests++
    const query = readQuery(message)
    if (query === undefined) return undefined
    if ('refuse' in query) return refusal(message, query.refuse)
    const limit = transport === 'udp' ? query.udpSize : MAX_TCP_MESSAGE
    return answerFromTable(query, table, turn++, limit) ?? forwardBounded(message, query, transport)
  }
  const forwardBounded = async (message: Buffer, query: Query, transport: 'udp' | 'tcp') => {
    if (underWay >= MAX_FORWARDED) {
      counts.failed++
      return refusal(message, RCODE.serverFailure)
    }
    underWay++
    counts.forwarded++
    const found = await forward(message, query.question, transport, options.upstream).finally(() => underWay--)
    if (found) return found
    counts.failed++
    log.debug(`no resolver answered for ${query.name}`)
    return refusal(message, RCODE.serverFailure)
  }

  const { host, port } = hostAndPort(options.address)
  const { udp, tcp } = await listenBoth(host, port, answer)
  log.info(`answering DNS on ${host}:${udp.address().port}`)
  return {
    counts,
    port: udp.address().port,
    setTable: (next) => {
      table = next
    },
    close: async () => {
      udp.close()
      for (const client of tcp.clients) client.destroy()
      await new Promise<void>((resolve) => tcp.server.close(() => resolve()))
    },
  }
}

/** An answer for names of the mesh; nothing for others, and for records that the table does not hold. */
function answerFromTable(query: Query, table: NameTable, turn: number, limit: number): Buffer | undefined {
  if (query.class !== 1 || (query.type !== TYPE.A && query.type !== TYPE.AAAA)) return undefined
  const found = table.lookup(query.name)
  if (!found) return undefined
  const all = query.type === TYPE.A ? found.v4 : found.v6
  const start = all.length > 0 ? turn % all.length : 0
  const addresses = [...all.slice(start), ...all.slice(0, start)]
  // No address of this family is an empty answer, not "no such name": some resolvers would give up on the other family too.
  const canonical = found.canonical === undefined ? {} : { canonical: found.canonical }
  return writeAnswer(query, { rcode: RCODE.ok, addresses, ttlSeconds: TTL_SECONDS, ...canonical }, limit)
}

type Answerer = (message: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>

/** How often a free port is looked for: one that is free for UDP may be taken for TCP. */
const FREE_PORT_TRIES = 20

/** UDP and TCP on one port; port 0 finds one that is free for both. */
async function listenBoth(host: string, port: number, answer: Answerer) {
  for (let tries = 1; ; tries++) {
    const udp = await listenUdp(host, port, answer)
    try {
      return { udp, tcp: await listenTcp(host, udp.address().port, answer) }
    } catch (error) {
      udp.close()
      if (port !== 0 || tries === FREE_PORT_TRIES) throw error
    }
  }
}

async function listenUdp(host: string, port: number, answer: Answerer): Promise<Socket> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' })
  const receive = async (message: Buffer, from: RemoteInfo) => {
    const reply = await answer(message, 'udp')
    if (reply) socket.send(reply, from.port, from.address)
  }
  socket.on('message', (message, from) => {
    receive(message, from).catch((error: Error) => log.warn(`a DNS query was not answered: ${error.message}`))
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (error) => reject(new Error(`cannot answer DNS on ${host}:${port}: ${error.message}`, { cause: error })))
    socket.bind(port, host, resolve)
  })
  socket.on('error', (error) => log.warn(`DNS over UDP: ${error.message}`))
  return socket
}

async function listenTcp(host: string, port: number, answer: Answerer): Promise<{ server: Server; clients: Set<TcpSocket> }> {
  const clients = new Set<TcpSocket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    serveTcpClient(client, answer)
  })
  server.maxConnections = MAX_TCP_CLIENTS
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`cannot answer DNS over TCP on ${host}:${port}: ${error.message}`, { cause: error })))
    server.listen(port, host, resolve)
  })
  return { server, clients }
}

/** One query after the other: answers keep the order of queries. */
function serveTcpClient(client: TcpSocket, answer: Answerer): void {
  let pending: Buffer = Buffer.alloc(0)
  const take = async (): Promise<void> => {
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const message = pending.subarray(2, 2 + pending.readUInt16BE(0))
      pending = pending.subarray(2 + message.length)
      const reply = await answer(message, 'tcp')
      if (reply && !client.destroyed) client.write(withLength(reply))
    }
    client.resume()
  }
  client.setTimeout(TCP_IDLE_MS, () => client.destroy())
  client.on('error', () => client.destroy())
  client.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    // Nothing more is read until what is here has been answered.
    client.pause()
    take().catch(() => client.destroy())
  })
}

function hostAndPort(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host: host === 'localhost' ? '127.0.0.1' : host || '0.0.0.0', port: Number(address.slice(colon + 1)) }
}
