/** Where a chain of certificates ends. */
import type { X509Certificate } from 'node:crypto'
import { CaError } from './errors.ts'
import { parseCertificates } from './inspect.ts'

const MAX_CHAIN = 10

/**
 * Whether a leaf, with the intermediates that follow it, was issued under a root. Lifetimes are not looked at.
 *
 * @throws CaError when a text holds no certificate
 */
export function leadsTo(chainPem: string, rootPem: string): boolean {
  const chain = parseCertificates(chainPem, 'the chain').slice(0, MAX_CHAIN)
  const roots = parseCertificates(rootPem, 'the root')
  let current = chain[0]
  for (const next of [...chain.slice(1), undefined]) {
    if (!current) return false
    const at: X509Certificate = current
    if (roots.some((root) => isIssuer(root, at))) return true
    current = next && isIssuer(next, at) ? next : undefined
  }
  return false
}

/** Whether `issuer` issued `of`: by name, key identifier and signature. */
export const isIssuer = (issuer: X509Certificate, of: X509Certificate): boolean => of.checkIssued(issuer) && of.verify(issuer.publicKey)

/**
 * The certificates that an `IstioCertificateService` answered with, parted into what a TLS peer is sent and what it is checked by.
 * The last entry holds the roots; where there is one entry alone, as from signers of the Kubernetes API, the roots are the self-signed
 * certificates at its end.
 *
 * @throws CaError with code CERTIFICATE_INVALID when there is no leaf or no root
 */
export function partChain(entries: readonly string[]): { readonly chainPem: string; readonly rootsPem: string } {
  const texts = entries.map((entry) => parseCertificates(entry, 'the answer of the CA'))
  const all = texts.flat()
  const last = texts.length > 1 ? (texts.at(-1)?.length ?? 0) : trailingRoots(all)
  const chain = all.slice(0, all.length - last)
  const roots = all.slice(all.length - last)
  if (chain.length === 0 || roots.length === 0) {
    throw new CaError('CERTIFICATE_INVALID', `the CA answered with ${all.length} certificates; expected a leaf and a root`)
  }
  return { chainPem: chain.map(pemOf).join(''), rootsPem: roots.map(pemOf).join('') }
}

function trailingRoots(all: readonly X509Certificate[]): number {
  const firstLeaf = all.findLastIndex((certificate) => !isIssuer(certificate, certificate))
  return all.length - 1 - firstLeaf
}

const pemOf = (certificate: X509Certificate): string => `${certificate.toString().trim()}\n`
