/** Secrets of gateways: key pairs and authorities out of Kubernetes Secrets, authorities out of ConfigMaps too, under the names that TLS contexts ask for. */
import type { KubeObject } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import { SecretSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { encode } from '../resource.ts'

/** Keys of a Secret's data: Kubernetes' own for TLS secrets, then the generic ones of Istio. */
const CERTIFICATE = ['tls.crt', 'cert']
const KEY = ['tls.key', 'key']
const AUTHORITIES = ['ca.crt', 'cacert']

/** Revoked certificates. */
const REVOKED = ['ca.crl', 'crl']

/**
 * The resources `name` and `name-cacert`, for `name` as TLS contexts write it (`kubernetes://door`). The authorities come from the
 * object itself or from one whose name ends in `-cacert`. Nothing for what is missing: Envoy keeps waiting for it, and refuses
 * connections meanwhile.
 */
export function secretResources(name: string, secret: KubeObject | undefined, authorities: KubeObject | undefined): Resource[] {
  const certificate = field(secret, CERTIFICATE)
  const key = field(secret, KEY)
  const ca = field(authorities, [...AUTHORITIES, ...CERTIFICATE]) ?? field(secret, AUTHORITIES)
  const bytes = (value: Uint8Array) => ({ specifier: { case: 'inlineBytes' as const, value } })
  const resources: Resource[] = []
  if (certificate && key) {
    resources.push(
      encode(SecretSchema, name, {
        name,
        type: { case: 'tlsCertificate', value: { certificateChain: bytes(certificate), privateKey: bytes(key) } },
      }),
    )
  }
  if (ca) {
    const full = `${name}-cacert`
    const revoked = field(authorities, REVOKED) ?? field(secret, REVOKED)
    const value = { trustedCa: bytes(ca), ...(revoked && { crl: bytes(revoked) }) }
    resources.push(encode(SecretSchema, full, { name: full, type: { case: 'validationContext', value } }))
  }
  return resources
}

function field(secret: KubeObject | undefined, names: readonly string[]): Uint8Array | undefined {
  const data = secret?.['data']
  if (typeof data !== 'object' || data === null) return undefined
  for (const name of names) {
    const value: unknown = Reflect.get(data, name)
    if (typeof value === 'string' && value !== '') return secret?.kind === 'ConfigMap' ? new TextEncoder().encode(value) : decode(value)
  }
  return undefined
}

/** Undefined for texts that are not base64. */
function decode(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.codePointAt(0) ?? 0)
  } catch {
    return undefined
  }
}
