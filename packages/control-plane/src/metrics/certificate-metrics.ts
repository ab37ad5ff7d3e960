/** Certificates asked for and issued, and how long the CA lasts. */
import { type CertificateAuthority, inspect } from '@lateen/ca'
import type { CertificateObserver } from '../certificates/certificate-service.ts'
import type { Instruments } from './instruments.ts'

export interface CertificateMetrics extends CertificateObserver {
  /** This CA is now in force. */
  authority(authority: CertificateAuthority): void
}

export function createCertificateMetrics({ counter, gauge, read }: Instruments): CertificateMetrics {
  const requests = counter('citadel_server_csr_count', 'Certificate requests received')
  const issued = counter('citadel_server_success_cert_issuance_count', 'Certificates issued')
  const failures = {
    authentication: counter('citadel_server_authentication_failure_count', 'Certificate requests of unproven callers'),
    parsing: counter('citadel_server_csr_parsing_err_count', 'Certificate requests that could not be read'),
    identity: counter('citadel_server_id_extraction_err_count', 'Certificate requests that ask for another identity than the caller has'),
  }
  const unsigned = counter('citadel_server_csr_sign_err_count', 'Certificates that could not be signed', 'error')
  const rootExpiry = gauge('citadel_server_root_cert_expiry_timestamp', 'When the root expires, in seconds since 1970')
  const chainExpiry = gauge('citadel_server_cert_chain_expiry_timestamp', 'When the signing certificate expires, in seconds since 1970')
  const expiry = { root: 0, chain: 0 }
  const left = (seconds: number) => (seconds === 0 ? 0 : seconds - Date.now() / 1000)
  read('citadel_server_root_cert_expiry_seconds', 'Seconds until the root expires', () => left(expiry.root))
  read('citadel_server_cert_chain_expiry_seconds', 'Seconds until the signing certificate expires', () => left(expiry.chain))
  return {
    requested: () => requests.inc(),
    issued: () => issued.inc(),
    failed: (why, error) => (why === 'signing' ? unsigned.inc({ error }) : failures[why].inc()),
    authority: ({ material }) => {
      expiry.root = inspect(material.rootPem).notAfter.getTime() / 1000
      expiry.chain = inspect(material.certPem).notAfter.getTime() / 1000
      rootExpiry.set(expiry.root)
      chainExpiry.set(expiry.chain)
    },
  }
}
