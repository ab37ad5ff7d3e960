/** Forwarding queries to the pod's own resolvers. */
import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import { isAnswerTo } from './message.ts'

export interface UpstreamOptions {
  /** Addresses, each with an optional port: `10.96.0.10`, `127.0.0.1:5353`, `[::1]:53`. */
  readonly nameservers: readonly string[]
  readonly timeoutMs: number
  /** Ports to send from, where capture tells the agent's queries by them; else any. */
  readonly sourcePorts?: { readonly from: number; readonly to: number }
}

/** Ports are tried again in this many steps when one is taken. */
const BIND_ATTEMPTS = 16
const MAX_TCP_ANSWER = 65535

/**
 * Asks one server after the other until one answers; each gets its share of the time.
 *
 * @returns the answer under the query's own id, or nothing
 */
export async function forward(
  query: Buffer,
  question: Buffer,
  transport: 'udp' | 'tcp',
  options: UpstreamOptions,
): Promise<Buffer | undefined> {
  const each = Math.max(1000, options.timeoutMs / Math.max(1, options.nameservers.length))
  for (const server of options.nameservers) {
    const id = randomInt(0x10000)
    const sent = Buffer.from(query)
    sent.writeUInt16BE(id, 0)
    const target = splitAddress(server)
    const attempt = { sent, id, question, target, timeoutMs: each, ...(options.sourcePorts ? { sourcePorts: options.sourcePorts } : {}) }
    const answer = await (transport === 'udp' ? askUdp(attempt) : askTcp(attempt))
    if (!answer) continue
    query.copy(answer, 0, 0, 2)
    return answer
  }
  return undefined
}

interface Attempt {
  readonly sent: Buffer
  readonly id: number
  readonly question: Buffer
  readonly target: { readonly host: string; readonly port: number }
  readonly timeoutMs: number
  readonly sourcePorts?: { readonly from: number; readonly to: number }
}

/** A socket of its own for each query: its port is one more number that a forger would have to guess. */
async function askUdp(attempt: Attempt): Promise<Buffer | undefined> {
  const { sent, id, question, target, timeoutMs } = attempt
  const socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4')
  try {
    if (!(await bind(socket, attempt.sourcePorts))) return undefined
    return await new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, undefined)
      const done = (answer?: Buffer) => {
        clearTimeout(timer)
        resolve(answer)
      }
      socket.on('message', (message, from) => {
        // Anything else may be forged, or the late answer to an earlier query; the right one may still come.
        if (from.port === target.port && isAnswerTo(message, id, question)) done(Buffer.from(message))
      })
      socket.on('error', () => done())
      socket.connect(target.port, target.host, () => socket.send(sent, (error) => error && done()))
    })
  } finally {
    socket.close()
  }
}

async function bind(socket: Socket, ports: Attempt['sourcePorts']): Promise<boolean> {
  for (let attempt = 0; attempt < BIND_ATTEMPTS; attempt++) {
    const port = ports ? randomInt(ports.from, ports.to + 1) : 0
    const bound = await new Promise<boolean>((resolve) => {
      const failed = () => resolve(false)
      socket.once('error', failed)
      socket.bind(port, () => {
        socket.off('error', failed)
        resolve(true)
      })
    })
    if (bound) return true
  }
  return false
}

async function askTcp({ sent, id, question, target, timeoutMs, sourcePorts }: Attempt): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...target, ...(sourcePorts ? { localPort: randomInt(sourcePorts.from, sourcePorts.to + 1) } : {}) })
    let received: Buffer = Buffer.alloc(0)
    const done = (answer?: Buffer) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(timeoutMs, () => done())
    socket.on('error', () => done())
    socket.on('end', () => done())
    socket.on('connect', () => socket.write(withLength(sent)))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length > MAX_TCP_ANSWER + 2) return done()
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const answer = Buffer.from(received.subarray(2, 2 + received.readUInt16BE(0)))
      done(isAnswerTo(answer, id, question) ? answer : undefined)
    })
  })
}

/** DNS over TCP puts the length before each message. */
export function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(message.length, 0)
  return Buffer.concat([length, message])
}

function splitAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(address)
  return match ? { host: match[1] ?? match[2] ?? '', port: Number(match[3]) } : { host: address, port: 53 }
}
