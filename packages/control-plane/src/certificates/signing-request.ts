/** One CertificateSigningRequest of the Kubernetes API: made, approved, waited for, and taken away again. */
import { randomBytes } from 'node:crypto'
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { logger } from '@lateen/base'
import { CaError } from '@lateen/ca'
import { type KubeClient, listWatch } from '@lateen/kube'
import { isFields } from '../mesh-config/mesh-documents.ts'

const log = logger('pkira')
const TIMEOUT_MS = 30_000
/** The least that the API takes. */
const SHORTEST_TTL_S = 600
const USAGES = ['digital signature', 'key encipherment', 'server auth', 'client auth']
const CSR = RESOURCE_TYPES.CertificateSigningRequest

export interface ApiRequest {
  readonly csr: string
  readonly signerName: string
  readonly ttlMs: number
  /** How the name of its CertificateSigningRequest begins. */
  readonly prefix: string
  /** So many milliseconds anybody waits for the answer. */
  readonly waitMs?: number
}

/**
 * What a signer makes of a request, as PEM text.
 *
 * @throws CaError with code SIGNER_FAILED when it refuses, is silent or cannot be asked
 */
export async function signByApi({ csr, signerName, ttlMs, prefix, waitMs = TIMEOUT_MS }: ApiRequest, client: KubeClient): Promise<string> {
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

const unavailable = (what: string, cause: unknown): CaError =>
  new CaError('SIGNER_FAILED', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
