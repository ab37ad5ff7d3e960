/** `caCertificates` of the mesh configuration: roots beside the mesh's own CA, for signers of Kubernetes and for other trust domains. */
import { CaError, joinTrustBundle } from '@lateen/ca'
import { isFields, type MeshDocuments } from '../mesh-config/mesh-documents.ts'

export interface FurtherRoots {
  /** Trusted for identities of this mesh. */
  readonly ownPem: string
  /** By trust domain, and trusted for it alone. */
  readonly domains: Readonly<Record<string, string>>
  /** By the full name of the signer that issues under them. */
  readonly bySigner: Readonly<Record<string, string>>
}

export const NO_FURTHER_ROOTS: FurtherRoots = { ownPem: '', domains: {}, bySigner: {} }

export interface FurtherEntry {
  readonly pem: string
  readonly bundleUrl: string
  readonly certSigners: readonly string[]
  readonly trustDomains: readonly string[]
}

const MAX_ENTRIES = 64

/** The entries as written. */
export function furtherEntries({ mesh }: MeshDocuments): FurtherEntry[] {
  const list = Array.isArray(mesh.caCertificates) ? mesh.caCertificates.filter(isFields).slice(0, MAX_ENTRIES) : []
  return list.map(({ pem, spiffeBundleUrl, certSigners, trustDomains }) => ({
    pem: textOf(pem),
    bundleUrl: textOf(spiffeBundleUrl),
    certSigners: textsOf(certSigners),
    trustDomains: textsOf(trustDomains),
  }))
}

/**
 * The roots of the entries.
 *
 * @param fetched what the bundles at URLs hold, by URL; an entry whose bundle is not there yet adds nothing
 * @param report told of entries that cannot be used
 */
export function furtherRoots(
  entries: readonly FurtherEntry[],
  fetched: ReadonlyMap<string, string>,
  report: (message: string) => void,
): FurtherRoots {
  const roots = { ownPem: '', domains: {} as Record<string, string>, bySigner: {} as Record<string, string> }
  for (const [index, entry] of entries.entries()) {
    const pem = entry.pem || fetched.get(entry.bundleUrl) || ''
    if (pem === '') continue
    try {
      for (const signer of entry.certSigners) roots.bySigner[signer] = append(roots.bySigner[signer], pem)
      for (const domain of entry.trustDomains) roots.domains[domain] = append(roots.domains[domain], pem)
      if (entry.certSigners.length === 0 && entry.trustDomains.length === 0) roots.ownPem = append(roots.ownPem, pem)
    } catch (error) {
      if (!(error instanceof CaError)) throw error
      report(`caCertificates[${index}] of the mesh configuration is left out: ${error.message}`)
    }
  }
  return roots
}

const append = (bundle: string | undefined, pem: string): string => joinTrustBundle(...(bundle ? [bundle] : []), pem)
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [])
