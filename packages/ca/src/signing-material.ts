/**
 * The key and certificates that a CA signs with, checked.
 *
 * Enters: the PEM texts of Secret `cacerts` (plugged in) or of our own root. Leaves: material that is known to work, or one
 * message that says which text is wrong, why, and what to do.
 */
import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { keyWeakness } from './algorithms.ts'
import { type IssuerFields, issuerFields, maySignCertificates } from './certificate.ts'
import { isIssuer } from './chain.ts'
import { CaError } from './errors.ts'
import { parseCertificates } from './inspect.ts'
import { splitCertificates } from './pem.ts'
import { checkRevocationLists } from './revocation.ts'

/** The texts of Secret `cacerts`. */
export interface CaFiles {
  /** `ca-cert.pem`: the signing certificate. */
  readonly caCert: string
  /** `ca-key.pem`: its private key, PKCS #8, PKCS #1 or SEC 1, not encrypted. */
  readonly caKey: string
  /** `root-cert.pem`: one or more roots that workloads trust. */
  readonly rootCert: string
  /** `cert-chain.pem`: from the signing certificate up; may be left out where the root signs itself. */
  readonly certChain?: string
  /** `ca-crl.pem`: certificates that the CAs of the chain have revoked; one list of each, the root included. */
  readonly crl?: string
}

export interface SigningMaterial {
  readonly key: KeyObject
  readonly certificate: X509Certificate
  readonly issuer: IssuerFields
  /** The signing certificate. */
  readonly certPem: string
  /** What a server sends after the leaf: the signing certificate and those above it, without the root; empty when a root signs. */
  readonly intermediatesPem: readonly string[]
  /** All roots, as given. */
  readonly rootsPem: string
  /** The root that the signing certificate leads to. */
  readonly rootPem: string
  /** Revocation lists; empty for none. */
  readonly crlPem: string
}

const MAX_CHAIN = 10

/** Names of the entries of Secret `cacerts`, Istio's own and those that cert-manager writes. */
const ENTRY_NAMES = {
  caCert: ['ca-cert.pem', 'tls.crt'],
  caKey: ['ca-key.pem', 'tls.key'],
  rootCert: ['root-cert.pem', 'ca.crt'],
  certChain: ['cert-chain.pem', 'tls.crt'],
  crl: ['ca-crl.pem'],
} as const

/** Every name under which a plugged-in CA's Secret or folder may hold something. */
export const CA_ENTRY_NAMES: readonly string[] = [...new Set(Object.values(ENTRY_NAMES).flat())]

/**
 * The texts of a plugged-in CA from the entries of a Secret or a folder.
 *
 * @throws CaError with code CA_UNUSABLE naming all entries that are missing
 */
export function caFilesFromEntries(entries: Readonly<Record<string, string>>): CaFiles {
  const find = (field: keyof typeof ENTRY_NAMES) => ENTRY_NAMES[field].map((name) => entries[name]).find((text) => text?.trim())
  const [caCert, caKey, rootCert, certChain, crl] = [find('caCert'), find('caKey'), find('rootCert'), find('certChain'), find('crl')]
  if (caCert && caKey && rootCert) return { caCert, caKey, rootCert, ...(certChain ? { certChain } : {}), ...(crl ? { crl } : {}) }
  const missing = (['caCert', 'caKey', 'rootCert'] as const).filter((field) => !find(field)).map((field) => ENTRY_NAMES[field][0])
  throw new CaError(
    'CA_UNUSABLE',
    `the plugged-in CA lacks ${missing.join(' and ')}; give ca-cert.pem, ca-key.pem, root-cert.pem and cert-chain.pem (or tls.crt, tls.key and ca.crt)`,
  )
}

/**
 * Checks a CA and makes it ready to sign.
 *
 * @param now milliseconds of the epoch, against which lifetimes are checked
 * @throws CaError with code CA_UNUSABLE, KEY_REFUSED or, for the lists alone, REVOCATION_UNUSABLE
 */
export function loadSigningMaterial(files: CaFiles, now: number): SigningMaterial {
  const [certificate] = parseCertificates(files.caCert, 'ca-cert.pem', 'CA_UNUSABLE')
  if (!certificate) throw new CaError('CA_UNUSABLE', 'ca-cert.pem holds no certificate')
  const key = readKey(files.caKey)
  if (!certificate.checkPrivateKey(key)) {
    throw new CaError(
      'CA_UNUSABLE',
      `ca-key.pem is not the key of ca-cert.pem (${describe(certificate)}); give the key that this certificate was made for`,
    )
  }
  checkAuthority(certificate, 'ca-cert.pem', now)
  const roots = parseCertificates(files.rootCert, 'root-cert.pem', 'CA_UNUSABLE')
  const above = files.certChain?.trim() ? parseCertificates(files.certChain, 'cert-chain.pem', 'CA_UNUSABLE') : []
  const { intermediates, root } = pathToRoot(certificate, above, roots, now)
  return {
    key,
    certificate,
    issuer: issuerFields(certificate),
    certPem: pemOf(certificate),
    intermediatesPem: intermediates.map(pemOf),
    rootsPem: splitCertificates(files.rootCert, 'root-cert.pem').join(''),
    rootPem: pemOf(root),
    crlPem: files.crl?.trim() ? checkRevocationLists(files.crl, [...intermediates, root], now) : '',
  }
}

function readKey(pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch (cause) {
    const encrypted = pem.includes('ENCRYPTED')
    throw new CaError(
      'CA_UNUSABLE',
      encrypted
        ? 'ca-key.pem is encrypted; give it without a pass phrase'
        : 'ca-key.pem cannot be read; expected a private key as PEM text',
      { cause },
    )
  }
  const weakness = keyWeakness(key)
  if (weakness) throw new CaError('KEY_REFUSED', `ca-key.pem is ${weakness}`)
  return key
}

function checkAuthority(certificate: X509Certificate, file: string, now: number): void {
  if (!maySignCertificates(certificate)) {
    throw new CaError(
      'CA_UNUSABLE',
      `${file} (${describe(certificate)}) is not a CA certificate; it needs the basic constraint CA:TRUE and the key usage keyCertSign`,
    )
  }
  checkTime(certificate, file, now)
}

function checkTime(certificate: X509Certificate, file: string, now: number): void {
  if (certificate.validToDate.getTime() <= now) {
    throw new CaError(
      'CA_UNUSABLE',
      `${file} (${describe(certificate)}) expired at ${certificate.validToDate.toISOString()}; put a newer one in place`,
    )
  }
  if (certificate.validFromDate.getTime() > now) {
    throw new CaError(
      'CA_UNUSABLE',
      `${file} (${describe(certificate)}) is not valid before ${certificate.validFromDate.toISOString()}; check this machine's clock`,
    )
  }
}

/** Walks from the signing certificate up to one of the roots, by name and signature. */
function pathToRoot(
  certificate: X509Certificate,
  above: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  now: number,
): { intermediates: X509Certificate[]; root: X509Certificate } {
  const isSame = (a: X509Certificate, b: X509Certificate) => a.raw.equals(b.raw)
  const intermediates: X509Certificate[] = []
  let current = certificate
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    const at = current
    const self = roots.find((root) => isSame(root, at))
    if (self) return { intermediates, root: self }
    intermediates.push(at)
    const root = roots.find((candidate) => isIssuer(candidate, at))
    if (root) {
      checkTime(root, 'root-cert.pem', now)
      return { intermediates, root }
    }
    const next = above.find(
      (candidate) => !isSame(candidate, at) && isIssuer(candidate, at) && !intermediates.some((i) => isSame(i, candidate)),
    )
    if (!next) {
      throw new CaError(
        'CA_UNUSABLE',
        `the chain of ca-cert.pem does not lead to root-cert.pem: no certificate there or in cert-chain.pem issued "${describe(at)}" (its issuer is "${flat(at.issuer)}")`,
      )
    }
    checkAuthority(next, 'cert-chain.pem', now)
    current = next
  }
  throw new CaError('CA_UNUSABLE', `cert-chain.pem is longer than ${MAX_CHAIN} certificates`)
}

const flat = (name: string | undefined): string => (name ?? '').replaceAll('\n', ', ')
const describe = (certificate: X509Certificate): string => flat(certificate.subject) || `serial ${certificate.serialNumber}`
const pemOf = (certificate: X509Certificate): string => splitCertificates(certificate.toString(), 'the certificate').join('')
