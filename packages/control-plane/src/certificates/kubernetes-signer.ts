/**
 * Registration authority: certificates are signed by a signer of the Kubernetes API (CertificateSigningRequest), such as cert-manager's
 * or a company's own. The control plane proves who the workload is, checks that the request asks for nothing else, and approves it.
 */
import {
  CaError,
  generateKey,
  identityUri,
  inspect,
  keyToPem,
  leadsTo,
  makeRequest,
  parseIdentity,
  partChain,
  requestedNames,
} from '@lateen/ca'
import type { KubeClient } from '@lateen/kube'
import type { KeyAndChain } from './server-certificate.ts'
import { signByApi } from './signing-request.ts'
import type { SigningRequest, WorkloadSigner } from './workload-signer.ts'

export interface KubernetesSignerOptions {
  readonly client: KubeClient
  /** Full name of the default signer (K8S_SIGNER). */
  readonly signer: string
  /** Put before the name that a proxy asks for (CERT_SIGNER_DOMAIN); without it proxies may not choose. */
  readonly signerDomain: string
  /** Roots under which a signer issues; empty when only its answers tell. */
  readonly rootsOf: (signer: string) => string
  /** Names by which this mesh was called before: proxies that were started then ask for identities of them. */
  readonly formerTrustDomains: () => readonly string[]
  readonly defaultTtlMs: number
  readonly maxTtlMs: number
}

const SIGNER_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/

export function kubernetesSigner(options: KubernetesSignerOptions): WorkloadSigner {
  return {
    sign: async (request) => {
      const signer = signerOf(request.signer, options)
      const identity = checkNames(request, options.formerTrustDomains())
      const ttlMs = ttlOf(request.ttlMs, options)
      const certificate = await signByApi(
        { csr: request.csr, signerName: signer, ttlMs, prefix: 'csr-workload-', waitMs: request.waitMs },
        options.client,
      )
      return checkAnswer(certificate, identity, signer, options.rootsOf(signer))
    },
  }
}

/**
 * A key and certificate for the control plane itself, by a signer of the API (PILOT_CERT_PROVIDER).
 *
 * @param rootsPem the root that the signer issues under, by which others check the control plane
 * @throws CaError when the signer does not answer, or issues under another root
 */
export async function serverCertificate(
  signer: string,
  { dnsNames, rootsPem }: { readonly dnsNames: readonly string[]; readonly rootsPem: string },
  options: Pick<KubernetesSignerOptions, 'client' | 'defaultTtlMs'>,
): Promise<KeyAndChain> {
  if (rootsPem === '') {
    throw new CaError(
      'SIGNER_FAILED',
      `PILOT_CERT_PROVIDER names the signer ${signer}, whose root is not known; name it in caCertificates with certSigners: [${signer}]`,
    )
  }
  const key = generateKey()
  const csr = makeRequest(key, { dnsNames })
  const certificate = await signByApi({ csr, signerName: signer, ttlMs: options.defaultTtlMs, prefix: 'csr-istiod-' }, options.client)
  const { chainPem } = partChain([withoutRoot(certificate), rootsPem])
  const names = inspect(chainPem).dnsNames
  const missing = dnsNames.filter((name) => !names.includes(name))
  if (missing.length > 0)
    throw new CaError('SIGNER_FAILED', `the signer ${signer} issued a certificate without the names ${missing.join(', ')}`)
  if (!leadsTo(chainPem, rootsPem)) throw otherRoot(signer)
  return { chainPem, keyPem: keyToPem(key) }
}

function signerOf(asked: string, { signer, signerDomain }: KubernetesSignerOptions): string {
  if (asked === '') {
    if (signer === '') throw new CaError('SUBJECT_REFUSED', 'no signer is named: set K8S_SIGNER, or ISTIO_META_CERT_SIGNER of the proxy')
    return signer
  }
  if (signerDomain === '') {
    throw new CaError('SUBJECT_REFUSED', `the proxy asks for the signer "${asked.slice(0, 64)}"; set CERT_SIGNER_DOMAIN to allow that`)
  }
  if (!SIGNER_NAME.test(asked)) throw new CaError('SUBJECT_REFUSED', `"${asked.slice(0, 64)}" is not the name of a signer`)
  return `${signerDomain}/${asked}`
}

/**
 * The signer copies what the request asks for, so the request may ask for nothing but the identity that was proven.
 *
 * @returns the identity that it asks for
 */
function checkNames({ csr, identities }: SigningRequest, formerTrustDomains: readonly string[]): string {
  const { uris, dnsNames, ips } = requestedNames(csr)
  const [uri, ...others] = [...uris, ...dnsNames, ...ips]
  const allowed = identities.flatMap((identity) => [identity, ...formerNames(identity, formerTrustDomains)])
  if (uri !== undefined && others.length === 0 && allowed.includes(uri)) return uri
  const asked = [...uris, ...dnsNames, ...ips].join(', ').slice(0, 300)
  throw new CaError('SUBJECT_REFUSED', `the certificate request asks for ${asked || 'no name'}; the caller is ${identities.join(', ')}`)
}

function formerNames(identity: string, trustDomains: readonly string[]): string[] {
  const parts = parseIdentity(identity)
  return parts ? trustDomains.map((domain) => identityUri(domain, parts.namespace, parts.serviceAccount)) : []
}

function ttlOf(asked: number, { defaultTtlMs, maxTtlMs }: KubernetesSignerOptions): number {
  if (asked > maxTtlMs) {
    throw new CaError(
      'SUBJECT_REFUSED',
      `a lifetime of ${asked / 3_600_000} h is asked for; at most ${maxTtlMs / 3_600_000} h are granted (MAX_WORKLOAD_CERT_TTL)`,
    )
  }
  return asked > 0 ? asked : defaultTtlMs
}

/** A signer may answer with or without its root, and with or without intermediates. */
function checkAnswer(certificate: string, identity: string, signer: string, configuredRoots: string): readonly string[] {
  const entries = configuredRoots ? [withoutRoot(certificate), configuredRoots] : [certificate]
  const { chainPem, rootsPem } = partChain(entries)
  const { uris } = inspect(chainPem)
  if (uris.length !== 1 || uris[0] !== identity) {
    throw new CaError(
      'SIGNER_FAILED',
      `the signer ${signer} issued a certificate for ${uris.join(', ') || 'nobody'} instead of ${identity}`,
    )
  }
  if (!leadsTo(chainPem, rootsPem)) throw otherRoot(signer)
  return [chainPem, rootsPem]
}

const otherRoot = (signer: string): CaError =>
  new CaError(
    'SIGNER_FAILED',
    `the certificate of the signer ${signer} does not lead to its root; name the root in caCertificates with certSigners: [${signer}]`,
  )

function withoutRoot(certificate: string): string {
  try {
    return partChain([certificate]).chainPem
  } catch {
    // There is none in it.
    return certificate
  }
}
