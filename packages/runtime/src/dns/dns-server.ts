/** The cluster's DNS server: answers for the cluster's own names, and asks the host's resolvers for all others. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'
import { logger } from '@lateen/base'
import { type Answer, decode, encode, type Packet, type Question, RECURSION_DESIRED } from 'dns-packet'
import { messageOf } from '../kube/api-failure.ts'
import { lookUp, type RecordSource } from './records.ts'

export interface DnsOptions {
  readonly addresses: readonly string[]
  /** 53 but in tests. */
  readonly port: number
  readonly source: RecordSource
  /** IPv4 addresses of the host's resolvers, in order. */
  readonly upstreams: readonly string[]
}

const log = logger('dns')
const NXDOMAIN = 3
const SERVFAIL = 2
const NOT_IMPLEMENTED = 4
const AUTHORITATIVE = 1 << 10
const RECURSION_AVAILABLE = 1 << 7
const TRUNCATED = 1 << 9
const UPSTREAM_MS = 1_500
/** How long an upstream that did not answer is left alone. */
const UPSTREAM_REST_MS = 10_000
const MOST_OPEN = 512
const MAX_ALIASES = 8
const TCP_IDLE_MS = 10_000

interface Reply {
  readonly code: number
  readonly answers: readonly Answer[]
  readonly authoritative: boolean
}

export class DnsServer {
  readonly #options: DnsOptions
  readonly #udp: UdpSocket[] = []
  readonly #tcp: Server[] = []
  readonly #resting = new Map<string, number>()
  #open = 0

  constructor(options: DnsOptions) {
    this.#options = options
  }

  /** @throws Error naming the address that cannot be listened on */
  async start(): Promise<void> {
    for (const address of this.#options.addresses) {
      await this.#listenUdp(address)
      await this.#listenTcp(address)
    }
  }

  stop(): void {
    for (const socket of this.#udp) socket.close()
    for (const server of this.#tcp) server.close()
  }

  /** The port really in use, for tests that ask for port 0. */
  get port(): number {
    return this.#udp[0]?.address().port ?? 0
  }

  #listenUdp(address: string): Promise<void> {
    const socket = createSocket('udp4')
    this.#udp.push(socket)
    socket.on('message', (message, remote) => {
      void this.#answer(message, 'udp').then((reply) => {
        if (reply) socket.send(reply, remote.port, remote.address, () => undefined)
      })
    })
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => reject(new Error(`DNS cannot listen on ${address}:${this.#options.port}/udp: ${error.message}`)))
      socket.bind(this.#options.port, address, () => {
        socket.on('error', (error) => log.warn(`DNS over UDP: ${error.message}`))
        resolve()
      })
    })
  }

  #listenTcp(address: string): Promise<void> {
    const server = createServer((socket) => this.#serveTcp(socket))
    this.#tcp.push(server)
    server.maxConnections = 256
    return new Promise((resolve, reject) => {
      server.once('error', (error) => reject(new Error(`DNS cannot listen on ${address}:${this.#options.port}/tcp: ${error.message}`)))
      server.listen(this.#options.port || this.port, address, resolve)
    })
  }

  #serveTcp(socket: Socket): void {
    let buffer = Buffer.alloc(0)
    socket.setTimeout(TCP_IDLE_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 2 && buffer.length >= 2 + buffer.readUInt16BE(0)) {
        const size = buffer.readUInt16BE(0)
        const message = buffer.subarray(2, 2 + size)
        buffer = buffer.subarray(2 + size)
        void this.#answer(message, 'tcp').then((reply) => {
          if (!reply || socket.destroyed) return
          const length = Buffer.alloc(2)
          length.writeUInt16BE(reply.length)
          socket.write(Buffer.concat([length, reply]))
        })
      }
    })
  }

  async #answer(message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    let query: Packet
    try {
      query = decode(message)
    } catch {
      return undefined
    }
    const [question] = query.questions ?? []
    if (query.type !== 'query' || !question) return undefined
    if (this.#open >= MOST_OPEN) return pack(query, { code: SERVFAIL, answers: [], authoritative: false })
    this.#open++
    try {
      const reply =
        (query.questions?.length ?? 0) > 1 ? { code: NOT_IMPLEMENTED, answers: [], authoritative: false } : await this.#resolve(question)
      const bytes = pack(query, reply)
      return transport === 'udp' && bytes.length > sizeLimit(query) ? pack(query, { ...reply, answers: [] }, TRUNCATED) : bytes
    } catch (error) {
      log.debug(`no answer for ${question.name}: ${messageOf(error)}`)
      return pack(query, { code: SERVFAIL, answers: [], authoritative: false })
    } finally {
      this.#open--
    }
  }

  async #resolve(question: Question): Promise<Reply> {
    const answers: Answer[] = []
    let name = question.name.replace(/\.$/, '')
    for (let step = 0; step < MAX_ALIASES; step++) {
      const result = lookUp(name, question.type, this.#options.source)
      switch (result.kind) {
        case 'found':
          return { code: 0, answers: [...answers, ...result.answers], authoritative: true }
        case 'missing':
          return { code: answers.length > 0 ? 0 : NXDOMAIN, answers, authoritative: true }
        case 'alias':
          answers.push(result.answer)
          if (question.type === 'CNAME') return { code: 0, answers, authoritative: true }
          name = result.target
          break
        case 'foreign': {
          const outside = await this.#forward({ ...question, name })
          return { ...outside, code: answers.length > 0 ? 0 : outside.code, answers: [...answers, ...outside.answers] }
        }
      }
    }
    return { code: SERVFAIL, answers, authoritative: false }
  }

  /** Without a resolver that answers, foreign names do not exist: a client then goes on at once instead of waiting. */
  async #forward(question: Question): Promise<Reply> {
    for (const upstream of this.#options.upstreams) {
      if ((this.#resting.get(upstream) ?? 0) > Date.now()) continue
      const answer = await ask(upstream, question)
      if (answer) return { code: answer.code, answers: answer.answers, authoritative: false }
      this.#resting.set(upstream, Date.now() + UPSTREAM_REST_MS)
    }
    return { code: NXDOMAIN, answers: [], authoritative: false }
  }
}

function sizeLimit(query: Packet): number {
  const option = (query.additionals ?? []).find((extra) => extra.type === 'OPT')
  const size = option && 'udpPayloadSize' in option ? option.udpPayloadSize : 512
  return Math.min(Math.max(size, 512), 1400)
}

function pack(query: Packet, reply: Reply, extra = 0): Buffer {
  const flags =
    ((query.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | extra | reply.code | (reply.authoritative ? AUTHORITATIVE : 0)
  return encode({ type: 'response', id: query.id ?? 0, flags, questions: query.questions ?? [], answers: [...reply.answers] })
}

function ask(upstream: string, question: Question): Promise<{ code: number; answers: Answer[] } | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    const id = Math.floor(Math.random() * 65536)
    let done = false
    const finish = (value: { code: number; answers: Answer[] } | undefined) => {
      if (done) return
      done = true
      clearTimeout(timer)
      socket.close()
      resolve(value)
    }
    const timer = setTimeout(() => finish(undefined), UPSTREAM_MS)
    socket.once('error', () => finish(undefined))
    socket.on('message', (message) => {
      try {
        const answer = decode(message)
        if (answer.id === id)
          finish({ code: (answer.flags ?? 0) & 15, answers: (answer.answers ?? []).filter(({ type }) => type !== 'OPT') })
      } catch {
        finish(undefined)
      }
    })
    // A network that cannot be reached fails here, at once.
    socket.send(encode({ type: 'query', id, flags: RECURSION_DESIRED, questions: [question] }), 53, upstream, (error) => {
      if (error) finish(undefined)
    })
  })
}
