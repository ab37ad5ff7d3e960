/** Who is at the other end of a call, as far as the transport has proven it. */
import { X509Certificate } from 'node:crypto'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { PeerIdentity } from '../resource-source.ts'

/**
 * Reads the verified client certificate of a call; without one there are no identities.
 *
 * @param encrypted whether the call came in on a listener with TLS, which a call without a client certificate does not tell
 */
export function peerOf(call: Pick<ServerDuplexStream<Buffer, Buffer>, 'getPeer' | 'getAuthContext'>, encrypted: boolean): PeerIdentity {
  // Empty unless the certificate was verified against the trusted roots.
  const certificate = call.getAuthContext().sslPeerCertificate
  const { raw } = certificate ?? {}
  return {
    identities: raw ? urisOf(new X509Certificate(raw)) : [],
    address: call.getPeer(),
    encrypted,
    ...(raw ? { certificate: raw } : {}),
  }
}

/** The URIs among the subject alternative names. Node prints a name with unusual characters as a JSON string. */
export function urisOf(certificate: X509Certificate): string[] {
  const uris: string[] = []
  for (const [, quoted, plain] of (certificate.subjectAltName ?? '').matchAll(/(?:^|, )URI:(?:("(?:[^"\\]|\\.)*")|([^,]*))/g)) {
    if (plain !== undefined) uris.push(plain)
    else if (quoted !== undefined) {
      const parsed: unknown = JSON.parse(quoted)
      if (typeof parsed === 'string') uris.push(parsed)
    }
  }
  return uris
}
