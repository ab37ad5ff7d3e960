/** Who signs for workloads: the mesh's own CA, or a signer of the Kubernetes API. */
import { CaError, type CertificateAuthority, type PeerLabels } from '@lateen/ca'

export interface SigningRequest {
  readonly csr: string
  /** As proven by the caller. */
  readonly identities: readonly string[]
  /** Lifetime asked for; 0 for the default. */
  readonly ttlMs: number
  readonly labels: PeerLabels
  /** The signer that the workload's proxy asks for (ISTIO_META_CERT_SIGNER); empty for the default. */
  readonly signer: string
  /** So many milliseconds the caller waits for an answer. */
  readonly waitMs: number
}

export interface WorkloadSigner {
  /**
   * Certificates for `IstioCertificateResponse`: leaf, intermediates, and all roots in one text last.
   *
   * @throws CaError
   */
  sign(request: SigningRequest): Promise<readonly string[]>
}

/** The mesh's own CA: the one that is in force when it is asked. */
export function ownSigner(authority: () => CertificateAuthority | undefined): WorkloadSigner {
  return {
    sign: async ({ csr, identities, ttlMs, labels }) => {
      const signing = authority()
      if (!signing) throw new CaError('CA_UNUSABLE', 'the root has been replaced, and proxies do not trust the new one yet; try again')
      return signing.signWorkload(csr, { identities, ttlMs, labels }).chain
    },
  }
}
