/**
 * Asks the control plane for a certificate: IstioCertificateService.CreateCertificate.
 *
 * The caller proves itself by the service account token, which is read anew for each call because the kubelet replaces it; or,
 * where there is none, by the certificate it holds.
 */
import { readFile } from 'node:fs/promises'
import { generateKey, identityUri, joinSecretName, type KeyKind, keyToPem, makeRequest, partChain } from '@lateen/ca'
import { lengthField, numberField, readFields } from '../grpc/protobuf.ts'
import { CallError, callUnary, STATUS } from '../grpc/unary-call.ts'
import type { WorkloadIdentity } from './identity.ts'

export interface CaClientSettings {
  /** `host:port`. */
  readonly address: string
  /** The name expected in the server's certificate. */
  readonly serverName: string
  /** The roots that the server is checked against; absent for the system's. @throws Error when they cannot be read */
  readonly roots?: () => string
  readonly tokenFile: string
  readonly clusterId: string
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
  readonly key: KeyKind
  /** Lifetime asked for. */
  readonly ttlMs: number
  readonly timeoutMs: number
  /** Fields that the CA may put into the certificate's subject for peers' metrics. */
  readonly labels: Readonly<Record<string, string>>
}

const METHOD = '/istio.v1.auth.IstioCertificateService/CreateCertificate'

/**
 * A new key, and its certificate from the CA. The key leaves this function only in the result.
 *
 * @throws CallError; Error when a file cannot be read
 */
export async function fetchIdentity(settings: CaClientSettings, held: WorkloadIdentity | undefined): Promise<WorkloadIdentity> {
  const token = await readToken(settings.tokenFile)
  const roots = settings.roots?.()
  // A join token is good for one certificate; from then on the certificate is.
  const byCertificate = held && (!token || joinSecretName(token) !== undefined)
  if (!token && !held) {
    throw new CallError(
      STATUS.unauthenticated,
      `cannot prove who this workload is: no token at ${settings.tokenFile} and no certificate yet`,
    )
  }
  const key = generateKey(settings.key)
  const request = makeRequest(key, { uris: [identityUri(settings.trustDomain, settings.namespace, settings.serviceAccount)] })
  const answer = await callUnary({
    address: settings.address,
    tls: {
      servername: settings.serverName,
      ...(roots ? { ca: roots } : {}),
      ...(byCertificate ? { key: held.keyPem, cert: held.chainPem } : {}),
    },
    method: METHOD,
    metadata: { ...(token && !byCertificate ? { authorization: `Bearer ${token}` } : {}), clusterid: settings.clusterId },
    message: encodeRequest(request, settings),
    timeoutMs: settings.timeoutMs,
  })
  const entries = [...readFields(answer)].filter((f) => f.number === 1).map((f) => withLineBreak(f.bytes.toString('utf8')))
  try {
    return { keyPem: keyToPem(key), ...partChain(entries) }
  } catch (cause) {
    throw new CallError(STATUS.internal, `${settings.address}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

function encodeRequest(csr: string, settings: CaClientSettings): Buffer {
  const labels = Object.entries(settings.labels).map(([key, value]) => structField(key, value))
  return Buffer.concat([
    lengthField(1, csr),
    numberField(3, Math.round(settings.ttlMs / 1000)),
    ...(labels.length > 0 ? [lengthField(4, Buffer.concat(labels))] : []),
  ])
}

/** One entry of google.protobuf.Struct with a text value. */
const structField = (key: string, value: string): Buffer =>
  lengthField(1, Buffer.concat([lengthField(1, key), lengthField(2, lengthField(3, value))]))

const withLineBreak = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`)

/** The token, or nothing where there is no such file. */
export async function readToken(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim() || undefined
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
