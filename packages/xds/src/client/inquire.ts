/** One question over the discovery protocol and its answer, as debug pages are asked for; nothing is subscribed to. */
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { readSotwResponse, type SotwResponse, writeSotwRequest } from '../protocol/messages.ts'
import { passThrough, SOTW_PATH } from '../protocol/service.ts'
import { textSize, WireWriter } from '../protocol/wire.ts'

export interface Asked {
  /** `host:port` of the control plane. */
  readonly address: string
  /** Plaintext without it. */
  readonly tls?: {
    /** PEM; the system's roots without it. */
    readonly roots?: string
    /** PEM, for who proves by a certificate who he is. */
    readonly certificate?: { readonly chain: string; readonly key: string }
    /** The name that the server's certificate must have. */
    readonly serverName: string
    /** Takes any certificate of the server. */
    readonly insecure?: boolean
  }
  readonly token?: string
  /** As a node would introduce itself: `sidecar~127.0.0.1~name.namespace~namespace.svc.cluster.local`. */
  readonly nodeId: string
  readonly timeoutMs: number
  readonly typeUrl: string
  readonly names: readonly string[]
}

export type Answered = Pick<SotwResponse, 'resources' | 'identifier'>

/** @throws Error with the words of the control plane, or that none came in time */
export async function inquire(asked: Asked): Promise<Answered> {
  const client = open(asked)
  try {
    return await roundTrip(client, asked)
  } finally {
    client.close()
  }
}

function open({ address, tls }: Asked): Client {
  if (!tls) return new Client(address, credentials.createInsecure(), LIMITS)
  const { roots, certificate, serverName, insecure = false } = tls
  const channel = credentials.createSsl(
    roots === undefined ? null : Buffer.from(roots),
    certificate ? Buffer.from(certificate.key) : null,
    certificate ? Buffer.from(certificate.chain) : null,
    { rejectUnauthorized: !insecure },
  )
  return new Client(address, channel, { ...LIMITS, 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName })
}

/** A dump of a large mesh is large. */
const LIMITS = { 'grpc.max_receive_message_length': 256 << 20, 'grpc.enable_retries': 0 }

function roundTrip(client: Client, { token, nodeId, timeoutMs, typeUrl, names }: Asked): Promise<Answered> {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  return new Promise((resolve, reject) => {
    const call = client.makeBidiStreamRequest(SOTW_PATH, passThrough, passThrough, metadata, { deadline: Date.now() + timeoutMs })
    call.once('data', (message: Buffer) => {
      try {
        resolve(readSotwResponse(message))
      } catch (error) {
        reject(error)
      }
      call.cancel()
    })
    // After the answer this is how the end is told, and changes nothing.
    call.on('error', (error) => reject(new Error('details' in error ? String(error.details) : error.message, { cause: error })))
    call.once('end', () => reject(new Error('the control plane ended the stream without an answer')))
    call.write(writeSotwRequest({ typeUrl, names, node: nodeOf(nodeId) }))
  })
}

/** A Node with nothing but an id. */
function nodeOf(id: string): Buffer {
  const writer = new WireWriter(textSize(id))
  writer.text(1, id)
  return writer.buffer
}
