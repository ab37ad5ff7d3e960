/** Connections that misuse HTTP/2 before anything is proven, frame by frame (RFC 9113). */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface FloodTarget {
  readonly port: number
  readonly tls: boolean
  /** Where it comes from: any address of 127.0.0.0/8. */
  readonly from: string
}

/** How far a connection goes by itself before a test writes to it. */
export type Stage = 'TCP' | 'TLS' | 'HTTP/2'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const TYPE = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, continuation: 9 } as const

export function frame(type: keyof typeof TYPE, stream: number, payload: Buffer = Buffer.alloc(0), flags = 0): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = TYPE[type]
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export const END_STREAM = 1
export const END_HEADERS = 4

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const rest = bytes.length - 127
  const length = [127]
  for (let left = rest; ; left >>= 7) {
    if (left < 128) {
      length.push(left)
      break
    }
    length.push((left & 127) | 128)
  }
  return Buffer.concat([Buffer.from(length), bytes])
}

/** A header field as a literal that is not indexed. */
export const literal = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0]), text(name), text(value)])
/** One that later requests name with one byte, as {@link INDEXED}. */
export const remembered = (name: string, value: string): Buffer => Buffer.concat([Buffer.from([0x40]), text(name), text(value)])
export const INDEXED = Buffer.from([0x80 | 62])

export const ADS_PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources'

export const request = (path: string = ADS_PATH): Buffer =>
  Buffer.concat([
    literal(':method', 'POST'),
    literal(':scheme', 'http'),
    literal(':authority', 'istiod'),
    literal(':path', path),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ])

export interface Attacker {
  /** Resolves when the other side has ended the connection. */
  readonly ended: Promise<void>
  /** Writes as long as the other side reads; resolves when all is written or the connection has ended. */
  write(...chunks: readonly Buffer[]): Promise<void>
  close(): void
}

/** @returns when the connection is as far as was asked for, or has ended before */
export async function attack(target: FloodTarget, stage: Stage): Promise<Attacker> {
  const raw = connect({ port: target.port, host: '127.0.0.1', localAddress: target.from })
  const ended = new Promise<void>((resolve) => {
    raw.on('close', () => resolve())
    raw.on('error', () => resolve())
  })
  let socket: Socket = raw
  await Promise.race([once(raw, 'connect').catch(() => undefined), ended])
  if (stage !== 'TCP' && target.tls) {
    socket = connectTls({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
    socket.on('error', () => undefined)
    await Promise.race([once(socket, 'secureConnect').catch(() => undefined), ended])
  }
  socket.resume()
  if (stage === 'HTTP/2') socket.write(Buffer.concat([PREFACE, frame('settings', 0)]))
  return {
    ended,
    write: async (...chunks) => {
      for (const chunk of chunks) {
        if (socket.destroyed) return
        if (!socket.write(chunk)) await Promise.race([once(socket, 'drain').catch(() => undefined), ended])
      }
    },
    close: () => raw.destroy(),
  }
}
