/** A workload that calls over mutual TLS and keeps its connection. */
import { once } from 'node:events'
import tls from 'node:tls'
import { type CertificateAuthority, generateKey, keyToPem, makeRequest } from '@lateen/ca'
import type { ControlPlane } from './control-plane.ts'

export interface MeshConnection {
  /** Serial of the certificate that the server showed. */
  readonly serial: string
  /** One HTTP request on this connection; the status line and body. */
  get(path: string): Promise<string>
  close(): void
}

export interface MeshClient {
  /** `false` for a client without one. */
  readonly certificate?: boolean
  readonly identity?: string
  /** Who signed the client's certificate; else the CA of the control plane. */
  readonly signedBy?: CertificateAuthority
}

/** Connects with a certificate of its own, or with none. */
export async function connectToMesh(plane: Pick<ControlPlane, 'ca' | 'rootPem'>, port: number, options: MeshClient = {}): Promise<MeshConnection> {
  const key = generateKey()
  const { certificate = true, identity = 'spiffe://cluster.local/ns/shop/sa/client', signedBy = plane.ca } = options
  const signed = signedBy.signWorkload(makeRequest(key), { identities: [identity] })
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    ca: plane.rootPem,
    ...(certificate ? { key: keyToPem(key), cert: signed.chainPem } : {}),
    // The identity is a URI, which Node does not match; the chain is still verified.
    checkServerIdentity: () => undefined,
  })
  await once(socket, 'secureConnect')
  return {
    serial: socket.getPeerX509Certificate()?.serialNumber ?? '',
    close: () => void socket.destroy(),
    get: (path) =>
      new Promise((resolve, reject) => {
        let text = ''
        const take = (chunk: Buffer) => {
          text += chunk.toString()
          const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN)
          const body = text.slice(text.indexOf('\r\n\r\n') + 4)
          if (body.length < length || Number.isNaN(length)) return
          socket.off('data', take)
          resolve(`${text.slice(9, 12)} ${body}`)
        }
        socket.on('data', take)
        socket.once('error', reject)
        socket.once('close', () => reject(new Error('the connection was closed')))
        socket.write(`GET ${path} HTTP/1.1\r\nhost: cart\r\n\r\n`)
      }),
  }
}
