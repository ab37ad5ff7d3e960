/** What follows from a CA that was found and a change under way: who signs, and what is trusted. */
import {
  CaError,
  type CaFiles,
  type CaOptions,
  CertificateAuthority,
  inspect,
  joinTrustBundle,
  type RootFacts,
  type RotationRecord,
  splitCertificates,
} from '@lateen/ca'
import type { OfferedCa } from '../ca-source.ts'
import { casOf, type RotationKeys } from './store.ts'

export interface TrustView {
  /** Signs the control plane's own certificates. */
  readonly serving: CertificateAuthority
  /** Signs for workloads; absent while nobody would trust what it signs. */
  readonly signing: CertificateAuthority | undefined
  readonly rootsPem: string
  /** The root that workloads' certificates must lead to. */
  readonly issuerPem: string
  readonly crlPem: string
  /** The texts of what signs. */
  readonly files: CaFiles | undefined
}

/**
 * @param before what holds now, for a CA that has been replaced and whose change has not begun; absent at the start
 */
export function viewOf(
  offered: OfferedCa,
  { record, keys }: { readonly record: RotationRecord; readonly keys: RotationKeys | undefined },
  before: TrustView | undefined,
  options: CaOptions,
): TrustView {
  const { rotation, inForce } = record
  const cas = rotation && casOf(rotation, keys)
  // Of record and keys one is written first: nothing changes until both are there.
  if (rotation && !cas && before) return before
  if (!rotation || !cas) {
    if (!inForce || rootFacts(offered.authority).fingerprint === inForce.fingerprint) return steady(offered.authority, offered.files)
    if (before) return before
    // It was replaced while no control plane ran, and proxies know the old root alone.
    return { ...steady(offered.authority, undefined), signing: undefined, rootsPem: join(inForce.rootsPem, offered.authority.rootsPem) }
  }
  const next = CertificateAuthority.load(cas.next, options)
  const old = cas.old && loadIfUsable(cas.old, options)
  const both = join(old?.rootsPem ?? inForce?.rootsPem ?? '', next.rootsPem)
  const crlPem = listsOfBoth(old?.material.crlPem ?? '', next.material.crlPem)
  switch (rotation.phase) {
    case 'distribute':
      return { serving: old ?? next, signing: old, rootsPem: both, issuerPem: old?.material.rootPem ?? '', crlPem, files: cas.old }
    case 'issue':
      return { serving: next, signing: next, rootsPem: both, issuerPem: next.material.rootPem, crlPem, files: cas.next }
    case 'retire':
      return steady(next, cas.next)
  }
}

/** Proxies have certificates of both CAs, and Envoy refuses everybody under a CA without lists once it has any: lists of one alone wait. */
const listsOfBoth = (old: string, next: string): string => (old === '' || next === '' ? '' : [...new Set([old, next])].join(''))

function steady(authority: CertificateAuthority, files: CaFiles | undefined): TrustView {
  const { rootPem, crlPem } = authority.material
  return { serving: authority, signing: authority, rootsPem: authority.rootsPem, issuerPem: rootPem, crlPem, files }
}

/** An old CA may have expired: that is one reason to replace it. */
function loadIfUsable(files: CaFiles, options: CaOptions): CertificateAuthority | undefined {
  try {
    return CertificateAuthority.load(files, options)
  } catch (error) {
    if (!(error instanceof CaError)) throw error
    const { crl, ...rest } = files
    return error.code === 'REVOCATION_UNUSABLE' && crl ? loadIfUsable(rest, options) : undefined
  }
}

/** In an order of their own: a change that turns back is no change of the roots. */
function join(...bundles: readonly string[]): string {
  const roots = splitCertificates(joinTrustBundle(...bundles.filter((text) => text.trim() !== '')), 'the roots')
  return roots.toSorted((a, b) => (inspect(a).fingerprint < inspect(b).fingerprint ? -1 : 1)).join('')
}

/** The root that a CA signs under. */
export function rootFacts({ material }: CertificateAuthority): RootFacts {
  return factsOf(material.rootPem)
}

/** A certificate, as it is shown. */
export function factsOf(pem: string): RootFacts {
  const { fingerprint, subject, notAfter } = inspect(pem)
  return { fingerprint, subject, expires: notAfter.toISOString() }
}
