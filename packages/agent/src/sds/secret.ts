/** Envoy's Secret message, encoded: envoy.extensions.transport_sockets.tls.v3.Secret. */
import { createHash } from 'node:crypto'
import type { TrustRoots } from '@lateen/ca'
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
// CertificateValidationContext: trusted_ca = 1, crl = 7, custom_validator_config = 12. DataSource: inline_bytes = 2.
// TypedExtensionConfig: name = 1, typed_config = 2. Any: type_url = 1, value = 2.
// SPIFFECertValidatorConfig: trust_domains = 1; TrustDomain: name = 1, trust_bundle = 2.
const inline = (text: string): Buffer => lengthField(2, text)

/** A certificate chain with its key. */
export function certificateSecret(name: string, chainPem: string, keyPem: string): EncodedSecret {
  return secret(name, lengthField(2, Buffer.concat([lengthField(1, inline(chainPem)), lengthField(2, inline(keyPem))])))
}

/**
 * What peers are checked by. Where other trust domains have roots of their own, Envoy's SPIFFE validator keeps the domains apart: a
 * root of one domain cannot vouch for an identity of another.
 *
 * @param ownDomain the trust domain that the roots without a domain are for
 */
export function rootSecret(name: string, trust: TrustRoots, ownDomain: string): EncodedSecret {
  const { rootsPem, domains, crlPem } = trust
  const others = Object.entries(domains).filter(([domain]) => domain !== ownDomain)
  if (others.length === 0) {
    const crl = crlPem ? lengthField(7, inline(crlPem)) : Buffer.alloc(0)
    return secret(name, lengthField(4, Buffer.concat([lengthField(1, inline(rootsPem)), crl])))
  }
  // This validator passes over the context's own lists, and takes those that stand among the roots of a domain, for that domain alone.
  const config = Buffer.concat(
    [[ownDomain, crlPem ? `${rootsPem}\n${crlPem}` : rootsPem] as const, ...others].map(([domain, pem]) =>
      lengthField(1, trustDomain(domain, pem)),
    ),
  )
  const any = Buffer.concat([lengthField(1, `type.googleapis.com/${SPIFFE_VALIDATOR}`), lengthField(2, config)])
  const validator = Buffer.concat([lengthField(1, 'envoy.tls.cert_validator.spiffe'), lengthField(2, any)])
  return secret(name, lengthField(4, lengthField(12, validator)))
}

const SPIFFE_VALIDATOR = 'envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig'

const trustDomain = (name: string, pem: string): Buffer => Buffer.concat([lengthField(1, name), lengthField(2, inline(pem))])

function secret(name: string, content: Buffer): EncodedSecret {
  const bytes = Buffer.concat([lengthField(1, name), content])
  return { name, bytes, version: createHash('sha256').update(bytes).digest('base64url').slice(0, 16) }
}
