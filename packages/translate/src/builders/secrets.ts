/** Secrets of gateways: key pairs and authorities out of Kubernetes Secrets, authorities out of ConfigMaps too, under the names that TLS contexts ask for. */
import type { KubeObject } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import { SecretSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { encode } from '../resource.ts'

/** Keys of a Secret's data: Istio's generic ones before those of Kubernetes' TLS secrets; each form stands for itself. */
const PAIRS = [
  { certificate: 'cert', key: 'key', staple: [] },
  // What an OCSP responder last said of the certificate, to be shown with it.
  { certificate: 'tls.crt', key: 'tls.key', staple: ['tls.ocsp-staple'] },
] as const
const AUTHORITIES = ['cacert', 'ca.crt']

/** What an object of authorities alone may call them. */
const CERTIFICATES = ['cert', 'tls.crt']

/** Revoked certificates. */
const REVOKED = ['crl', 'ca.crl']

/**
 * The resources `name` and `name-cacert`, for `name` as TLS contexts write it (`kubernetes://door`). The authorities come from the
 * object itself or from one whose name ends in `-cacert`. Nothing for what is missing: Envoy keeps waiting for it, and refuses
 * connections meanwhile.
 */
export function secretResources(name: string, secret: KubeObject | undefined, authorities: KubeObject | undefined): Resource[] {
  const pair = pairOf(secret)
  const ca = field(authorities, [...AUTHORITIES, ...CERTIFICATES]) ?? field(secret, AUTHORITIES)
  const resources: Resource[] = []
  if (pair) {
    const { certificate, key, staple } = pair
    const value = { certificateChain: bytes(certificate), privateKey: bytes(key), ...(staple && { ocspStaple: bytes(staple) }) }
    resources.push(encode(SecretSchema, name, { name, type: { case: 'tlsCertificate', value } }))
  }
  if (ca) {
    const full = `${name}-cacert`
    const revoked = field(authorities, REVOKED) ?? field(secret, REVOKED)
    const value = { trustedCa: bytes(ca), ...(revoked && { crl: bytes(revoked) }) }
    resources.push(encode(SecretSchema, full, { name: full, type: { case: 'validationContext', value } }))
  }
  return resources
}

const bytes = (value: Uint8Array) => ({ specifier: { case: 'inlineBytes' as const, value } })

/** The first form of which a Secret has both certificate and key. */
function pairOf(secret: KubeObject | undefined) {
  for (const names of PAIRS) {
    const [certificate, key] = [field(secret, [names.certificate]), field(secret, [names.key])]
    if (certificate && key) return { certificate, key, staple: field(secret, names.staple) }
  }
  return undefined
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
