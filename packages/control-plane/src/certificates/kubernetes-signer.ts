/**
 * Registration authority: certificates are signed by a signer of the Kubernetes API (CertificateSigningRequest), such as cert-manager's
 * or a company's own. The control plane proves who the workload is, checks that the request asks for nothing else, and approves it.
 */
import { randomBytes } from 'node:crypto'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
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
import { type KubeClient, listWatch } from '@lateen/kube'
import { isFields } from '../mesh-config/mesh-documents.ts'
import type { KeyAndChain } from './server-certificate.ts'
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

const log = logger('pkira')
const TIMEOUT_MS = 30_000
/** The least that the API takes. */
const SHORTEST_TTL_S = 600
const SIGNER_NAME = /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/
const USAGES = ['digital signature', 'key encipherment', 'server auth', 'client auth']
const CSR = RESOURCE_TYPES.CertificateSigningRequest

export function kubernetesSigner(options: KubernetesSignerOptions): WorkloadSigner {
  return {
    sign: async (request) => {
      const signer = signerOf(request.signer, options)
      const identity = checkNames(request, options.formerTrustDomains())
      const ttlMs = ttlOf(request.ttlMs, options)
      const certificate = await signByApi(
        { csr: request.csr, signerName: signer, ttlMs, prefix: 'csr-workload-', waitMs: request.waitMs },
        options,
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
  const certificate = await signByApi({ csr, signerName: signer, ttlMs: options.defaultTtlMs, prefix: 'csr-istiod-' }, options)
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

interface ApiRequest {
  readonly csr: string
  readonly signerName: string
  readonly ttlMs: number
  /** How the name of its CertificateSigningRequest begins. */
  readonly prefix: string
  /** So many milliseconds anybody waits for the answer. */
  readonly waitMs?: number
}

async function signByApi(
  { csr, signerName, ttlMs, prefix, waitMs = TIMEOUT_MS }: ApiRequest,
  { client }: Pick<KubernetesSignerOptions, 'client'>,
): Promise<string> {
  const name = `${prefix}${randomBytes(8).toString('hex')}`
  const expirationSeconds = Math.max(SHORTEST_TTL_S, Math.round(ttlMs / 1000))
  const request: KubeObject = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: { signerName, request: Buffer.from(csr).toString('base64'), usages: USAGES, expirationSeconds },
  }
  const created = await client.create(CSR, request).catch((cause: unknown) => {
    throw unavailable(`the request to ${signerName} could not be made`, cause)
  })
  try {
    await approve(client, created)
    return await answered(client, { name, signer: signerName, timeoutMs: Math.min(waitMs, TIMEOUT_MS) })
  } finally {
    client
      .delete(CSR, undefined, name)
      .catch((error: unknown) => log.warn(`CertificateSigningRequest ${name} was not deleted: ${String(error)}`))
  }
}

async function approve(client: KubeClient, created: KubeObject): Promise<void> {
  const condition = {
    type: 'Approved',
    status: 'True',
    reason: 'IdentityProven',
    message: 'the control plane has proven the identity that the request is for',
    lastUpdateTime: new Date().toISOString(),
  }
  const status = isFields(created.status) ? created.status : {}
  const conditions = [...(Array.isArray(status.conditions) ? status.conditions : []), condition]
  try {
    await client.update(CSR, { ...created, status: { ...status, conditions } }, { subresource: 'approval' })
  } catch (cause) {
    throw unavailable(`CertificateSigningRequest ${created.metadata.name} could not be approved`, cause)
  }
}

/** Waits for the signer. */
async function answered(
  client: KubeClient,
  { name, signer, timeoutMs }: { readonly name: string; readonly signer: string; readonly timeoutMs: number },
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const look = (object: KubeObject | undefined) => {
    const status = isFields(object?.status) ? object.status : {}
    if (typeof status.certificate === 'string' && status.certificate !== '')
      return resolve(Buffer.from(status.certificate, 'base64').toString('utf8'))
    for (const condition of Array.isArray(status.conditions) ? status.conditions.filter(isFields) : []) {
      if (condition.type === 'Denied' || condition.type === 'Failed') {
        reject(
          new CaError(
            'SIGNER_FAILED',
            `the signer ${signer} answered ${condition.type}: ${String(condition.message ?? condition.reason ?? '')}`,
          ),
        )
      }
    }
  }
  const watch = listWatch(
    client,
    CSR,
    { fieldSelector: `metadata.name=${name}`, log },
    {
      replace: ([object]) => look(object),
      set: look,
      delete: () => reject(new CaError('SIGNER_FAILED', `CertificateSigningRequest ${name} was deleted before it was signed`)),
    },
  )
  const timer = setTimeout(
    () =>
      reject(
        new CaError(
          'SIGNER_FAILED',
          `the signer ${signer} did not answer CertificateSigningRequest ${name} within ${Math.round(timeoutMs / 1000)} s; is its controller running?`,
        ),
      ),
    timeoutMs,
  )
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    watch.stop()
  }
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

const unavailable = (what: string, cause: unknown): CaError =>
  new CaError('SIGNER_FAILED', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
