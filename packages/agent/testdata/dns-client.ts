/** A DNS client of another making than the server. */
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import packet from 'dns-packet'

export interface DnsResult {
  readonly rcode: string
  readonly truncated: boolean
  readonly answers: readonly { readonly name: string; readonly type: string; readonly data: unknown }[]
  readonly bytes: Buffer
}

type RecordType = 'A' | 'AAAA' | 'SRV' | 'TXT'

/** Asks over UDP or TCP. */
export async function queryDns(port: number, name: string, type: RecordType, options: { readonly tcp?: boolean; readonly udpSize?: number; readonly id?: number } = {}): Promise<DnsResult> {
  const query: packet.Packet = {
    type: 'query',
    id: options.id ?? 4711,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type, name }],
    ...(options.udpSize ? { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: options.udpSize, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] }] } : {}),
  }
  const bytes = options.tcp ? await overTcp(port, packet.encode(query)) : await overUdp(port, packet.encode(query))
  const answer = packet.decode(bytes)
  if (answer.id !== query.id) throw new Error(`the answer has the id ${answer.id}`)
  const rcode = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'][(answer.flags ?? 0) & 15] ?? ''
  const answers = (answer.answers ?? []).map((record) => ({ name: record.name, type: record.type, data: 'data' in record ? record.data : undefined }))
  return { rcode, truncated: ((answer.flags ?? 0) & packet.TRUNCATED_RESPONSE) !== 0, answers, bytes }
}

function overUdp(port: number, query: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const timer = setTimeout(() => {
      socket.close()
      reject(new Error('no answer'))
    }, 3000)
    socket.once('message', (message) => {
      clearTimeout(timer)
      socket.close()
      resolve(message)
    })
    socket.send(query, port, '127.0.0.1')
  })
}

function overTcp(port: number, query: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let received: Buffer = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      socket.destroy()
      resolve(received.subarray(2))
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.length)
    socket.write(Buffer.concat([length, query]))
  })
}
