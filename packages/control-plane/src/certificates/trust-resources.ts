/** What proxies are told of trust, as xDS resources: the same for every proxy, in sets that stay the same object while nothing changes. */
import { createHash } from 'node:crypto'
import { encodeTrust, splitCertificates, TRUST_NAME, TRUST_TYPE, type TrustIssuer, type TrustRoots } from '@lateen/ca'
import { type ResourceSet, TYPE_URL } from '@lateen/envoy'

export interface TrustResources {
  /** `undefined` for a type that is not of trust. */
  resources(typeUrl: string): ResourceSet | undefined
  /** When what is served of a type now was put in force, in milliseconds since 1970. */
  since(typeUrl: string): number
  /** @returns whether anything has changed */
  set(roots: TrustRoots | undefined, issuer: TrustIssuer): boolean
}

const NOTHING: ResourceSet = { parts: [] }

export function createTrustResources(now: () => number = Date.now): TrustResources {
  const sets = new Map<string, ResourceSet>([TRUST_TYPE.roots, TRUST_TYPE.issuer, TYPE_URL.PCDS].map((typeUrl) => [typeUrl, NOTHING]))
  const versions = new Map<string, string>()
  const since = new Map<string, number>()
  const put = (typeUrl: string, bytes: Buffer | undefined): boolean => {
    const version = bytes ? createHash('sha256').update(bytes).digest('base64url').slice(0, 16) : ''
    if ((versions.get(typeUrl) ?? '') === version) return false
    versions.set(typeUrl, version)
    since.set(typeUrl, now())
    sets.set(typeUrl, bytes ? { parts: [new Map([[TRUST_NAME, { name: TRUST_NAME, version, bytes }]])] } : NOTHING)
    return true
  }
  return {
    resources: (typeUrl) => sets.get(typeUrl),
    since: (typeUrl) => since.get(typeUrl) ?? 0,
    set: (roots, issuer) => {
      const rootsChanged = put(TRUST_TYPE.roots, roots && encodeTrust(roots))
      put(TYPE_URL.PCDS, roots && proxyConfig(roots))
      return put(TRUST_TYPE.issuer, encodeTrust(issuer)) || rootsChanged
    },
  }
}

/** Istio's ProxyConfig with `ca_certificates_pem` (34) alone, which is what its agents take of it. */
function proxyConfig({ rootsPem, domains }: TrustRoots): Buffer {
  const tag = Buffer.from([0x92, 0x02])
  const all = [rootsPem, ...Object.values(domains)].flatMap((pem) => splitCertificates(pem, 'the roots'))
  return Buffer.concat(all.flatMap((pem) => [tag, varint(Buffer.byteLength(pem)), Buffer.from(pem)]))
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
