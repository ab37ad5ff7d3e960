/** Envoy's Secret message, encoded: envoy.extensions.transport_sockets.tls.v3.Secret. */
import { createHash } from 'node:crypto'
import { lengthField } from '../grpc/protobuf.ts'

export const SECRET_TYPE = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'

export interface EncodedSecret {
  readonly name: string
  /** Hash of the bytes. */
  readonly version: string
  /** The message without the Any around it. */
  readonly bytes: Buffer
}

// Secret: name = 1, tls_certificate = 2, validation_context = 4. TlsCertificate: certificate_chain = 1, private_key = 2.
// CertificateValidationContext: trusted_ca = 1. DataSource: inline_bytes = 2.
const inline = (text: string): Buffer => lengthField(2, text)

/** A certificate chain with its key. */
export function certificateSecret(name: string, chainPem: string, keyPem: string): EncodedSecret {
  return secret(name, lengthField(2, Buffer.concat([lengthField(1, inline(chainPem)), lengthField(2, inline(keyPem))])))
}

/** Roots. */
export function rootSecret(name: string, rootsPem: string): EncodedSecret {
  return secret(name, lengthField(4, lengthField(1, inline(rootsPem))))
}

function secret(name: string, content: Buffer): EncodedSecret {
  const bytes = Buffer.concat([lengthField(1, name), content])
  return { name, bytes, version: createHash('sha256').update(bytes).digest('base64url').slice(0, 16) }
}
