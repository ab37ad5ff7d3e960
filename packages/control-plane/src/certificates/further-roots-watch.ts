/** Follows the roots that the mesh configuration adds; bundles at URLs are fetched, and fetched again from time to time. */
import { logger } from '@lateen/base'
import { boundedFetch } from '../keys/bounded-fetch.ts'
import { addressCheck } from '../keys/forbidden-addresses.ts'
import { isFields, type MeshDocuments } from '../mesh-config/mesh-documents.ts'
import { type FurtherEntry, type FurtherRoots, furtherEntries, furtherRoots } from './further-roots.ts'

export interface FurtherRootsWatch {
  /** Takes what the mesh configuration says now. */
  read(documents: MeshDocuments): void
  stop(): void
}

const log = logger('ca')
const REFRESH_MS = 5 * 60_000
const RETRY_MS = 10_000
const TIMEOUT_MS = 10_000

/** @param onRoots called with each new set of roots, and once at the start if there are any */
export function followFurtherRoots(onRoots: (roots: FurtherRoots) => void): FurtherRootsWatch {
  const mayCall = addressCheck({ blocked: [], allowed: [] })
  const fetched = new Map<string, string>()
  const told = new Set<string>()
  let entries: readonly FurtherEntry[] = []
  let last = ''
  let timer: NodeJS.Timeout | undefined
  const report = (message: string) => {
    if (!told.has(message)) log.warn(message)
    told.add(message)
  }
  const publish = () => {
    const roots = furtherRoots(entries, fetched, report)
    const text = JSON.stringify(roots)
    if (text === last || (last === '' && entries.length === 0)) return
    last = text
    onRoots(roots)
  }
  const fetchAll = async () => {
    const urls = [...new Set(entries.map(({ bundleUrl }) => bundleUrl).filter((url) => url !== ''))]
    let failed = false
    for (const url of urls) {
      try {
        fetched.set(url, certificatesOfBundle(await boundedFetch(url, { mayCall, timeoutMs: TIMEOUT_MS, tls: { insecure: false } })))
      } catch (error) {
        failed = true
        log.warn(`the trust bundle at ${url} could not be fetched; what was fetched before stays`, { error })
      }
    }
    publish()
    if (urls.length === 0) return
    timer = setTimeout(() => void fetchAll(), failed ? RETRY_MS : REFRESH_MS)
    timer.unref()
  }
  return {
    read: (documents) => {
      const next = furtherEntries(documents)
      if (JSON.stringify(next) === JSON.stringify(entries)) return
      entries = next
      told.clear()
      clearTimeout(timer)
      publish()
      void fetchAll()
    },
    stop: () => clearTimeout(timer),
  }
}

/**
 * The certificates of a SPIFFE bundle: a JSON Web Key Set whose keys with `use: x509-svid` carry one in `x5c`.
 *
 * @throws SyntaxError or Error when it is none
 */
export function certificatesOfBundle(text: string): string {
  const value: unknown = JSON.parse(text)
  const keys = isFields(value) && Array.isArray(value.keys) ? value.keys.filter(isFields) : []
  const certificates = keys.flatMap(({ use, x5c }) =>
    use === 'x509-svid' && Array.isArray(x5c) && typeof x5c[0] === 'string' ? [x5c[0]] : [],
  )
  if (certificates.length === 0) throw new Error('the bundle holds no key of use x509-svid with a certificate')
  return certificates
    .map(
      (base64) => `-----BEGIN CERTIFICATE-----\n${(base64.match(/[A-Za-z0-9+/=]{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`,
    )
    .join('')
}
