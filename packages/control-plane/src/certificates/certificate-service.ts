/** `istio.v1.auth.IstioCertificateService/CreateCertificate`: signs a workload's key for the identity that the caller has proven. */
import { type handleUnaryCall, type Server, type ServerUnaryCall, type ServiceDefinition, status as Status } from '@grpc/grpc-js'
import { logger } from '@lateen/base'
import { refusalLog } from '@lateen/base/connections'
import { CaError, type PeerLabels } from '@lateen/ca'
import type { CallerProofs } from '@lateen/xds'
import type { Authenticator } from '../identity/authenticator.ts'
import { urisOf } from '../identity/subject-alternative-names.ts'
import { ReviewUnavailable } from '../identity/token-reviewer.ts'
import { type CertificateRequest, MalformedMessage, readCertificateRequest, writeCertificateResponse } from './certificate-messages.ts'
import { labelsOfUnits } from './peer-labels.ts'
import type { UnservedCallers } from './unserved-callers.ts'
import type { WorkloadSigner } from './workload-signer.ts'

export type CertificateFailure = 'authentication' | 'parsing' | 'identity' | 'signing'

/** Counted by whoever keeps metrics. */
export interface CertificateObserver {
  requested(): void
  issued(): void
  failed(why: CertificateFailure, kind: SigningFailure): void
}

/** Kinds of failed signing, in the words of Istio's metric. */
export type SigningFailure = 'CA_NOT_READY' | 'CERT_GEN_ERROR'

export interface CertificateServiceOptions {
  readonly signer: WorkloadSigner
  readonly authenticator: Authenticator
  readonly observer: CertificateObserver
  readonly unserved: UnservedCallers
  /** What a pod's certificate says of it beside its identity. */
  readonly labelsOf: (pod: { readonly namespace: string; readonly name: string }) => Promise<PeerLabels>
  /** Told which callers have proven who they are. */
  readonly proofs: CallerProofs
}

const log = logger('ca')
const tellRefusal = refusalLog(log, 'refused to sign a certificate')
/** A CSR of an RSA key of 8192 bits is under 3 KiB. */
const MAX_REQUEST_BYTES = 64 << 10
const ANSWER_MS = 1_000

const SERVICE: ServiceDefinition = {
  CreateCertificate: {
    path: '/istio.v1.auth.IstioCertificateService/CreateCertificate',
    requestStream: false,
    responseStream: false,
    // Parsed in the call, after the caller is known.
    requestDeserialize: (bytes: Buffer) => bytes,
    requestSerialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
}

/** Adds the service to a gRPC server whose listeners have TLS. */
export function registerCertificateService(server: Server, options: CertificateServiceOptions): void {
  const createCertificate: handleUnaryCall<Buffer, Buffer> = (call, respond) => {
    options.observer.requested()
    sign(call, options).then(
      (response) => {
        options.observer.issued()
        respond(null, response)
      },
      (error: unknown) => {
        const failure = failureOf(error)
        options.observer.failed(failure.why, error instanceof CaError && error.code === 'CA_UNUSABLE' ? 'CA_NOT_READY' : 'CERT_GEN_ERROR')
        if (failure.code === Status.INTERNAL) log.error('a certificate could not be signed', { error })
        tellRefusal(call.getPeer(), failure.details)
        respond({ code: failure.code, details: failure.details })
      },
    )
  }
  server.addService(SERVICE, { CreateCertificate: createCertificate })
}

async function sign(
  call: ServerUnaryCall<Buffer, Buffer>,
  { signer, authenticator, labelsOf, proofs, unserved }: CertificateServiceOptions,
): Promise<Buffer> {
  if (call.request.length > MAX_REQUEST_BYTES) throw new MalformedMessage(`the request is longer than ${MAX_REQUEST_BYTES} bytes`)
  const [authorization] = call.metadata.get('authorization')
  const certificate = call.getAuthContext().sslPeerCertificate
  const examined = proofs.examine(call.getPeer())
  const asked = authenticator.authenticate({
    certificateIdentities: urisOf(certificate?.subjectaltname),
    certificate: certificate?.raw,
    authorization: typeof authorization === 'string' ? authorization : undefined,
  })
  const caller = await asked.finally(examined)
  if ('refused' in caller) throw new Unauthenticated(caller.refused)
  proofs.prove(call.getPeer())
  const [identity = ''] = caller.identities
  try {
    const request: CertificateRequest = readCertificateRequest(call.request)
    // A renewal carries on what the certificate that it renews says.
    const labels = caller.pod ? await labelsOf(caller.pod) : caller.by === 'certificate' ? labelsOfUnits(certificate?.subject.OU) : {}
    const chain = await signer.sign({
      csr: request.csr,
      identities: caller.identities,
      ttlMs: Math.max(0, request.validitySeconds) * 1000,
      labels,
      signer: request.signer,
      waitMs: timeLeft(call.getDeadline()),
    })
    unserved.issued(identity)
    log.debug('signed a certificate', { identity, by: caller.by })
    return writeCertificateResponse(chain)
  } catch (error) {
    unserved.refused(identity, failureOf(error).details)
    throw error
  }
}

/** So long the caller still waits for an answer, less the time that the answer takes; never less than a second. */
const timeLeft = (deadline: Date | number): number => Math.max(1_000, Number(deadline) - Date.now() - ANSWER_MS)

class Unauthenticated extends Error {}

interface Failure {
  readonly code: Status
  readonly details: string
  readonly why: CertificateFailure
}

function failureOf(error: unknown): Failure {
  if (error instanceof Unauthenticated) return { code: Status.UNAUTHENTICATED, details: error.message, why: 'authentication' }
  if (error instanceof ReviewUnavailable) return { code: Status.UNAVAILABLE, details: error.message, why: 'authentication' }
  if (error instanceof MalformedMessage) return { code: Status.INVALID_ARGUMENT, details: error.message, why: 'parsing' }
  if (error instanceof CaError) {
    if (error.code === 'SUBJECT_REFUSED') return { code: Status.INVALID_ARGUMENT, details: error.message, why: 'identity' }
    const isCallers = error.code === 'REQUEST_INVALID' || error.code === 'KEY_REFUSED'
    return {
      code: isCallers ? Status.INVALID_ARGUMENT : Status.UNAVAILABLE,
      details: error.message,
      why: isCallers ? 'parsing' : 'signing',
    }
  }
  return { code: Status.INTERNAL, details: 'the certificate could not be signed; see the log of the control plane', why: 'signing' }
}
