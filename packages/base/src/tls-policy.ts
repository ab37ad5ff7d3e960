/** What `COMPLIANCE_POLICY` asks of every TLS connection: of proxies, of the control plane and of agents. */

export const TLS_POLICY_VARIABLE = 'COMPLIANCE_POLICY'

export const TLS_POLICIES = ['fips-140-2', 'fips-140-3', 'pqc'] as const

export type TlsPolicy = (typeof TLS_POLICIES)[number]

export type TlsProtocolVersion = 'TLSv1.2' | 'TLSv1.3'

export interface TlsLimits {
  readonly minVersion: TlsProtocolVersion
  readonly maxVersion: TlsProtocolVersion
  /** Suites of TLS 1.2 and of TLS 1.3 by OpenSSL's names; others are not taken. */
  readonly ciphers: readonly string[]
  /** Groups of the key exchange, best first. */
  readonly groups: readonly string[]
}

const AEAD_1_2 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
]
const AEAD_1_3 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384']

/** They stand above whatever the mesh, a rule or a flag says. */
export const TLS_LIMITS: Readonly<Record<TlsPolicy, TlsLimits>> = {
  'fips-140-2': { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: AEAD_1_2, groups: ['P-256'] },
  'fips-140-3': { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: [...AEAD_1_3, ...AEAD_1_2], groups: ['P-256', 'P-384'] },
  pqc: { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ciphers: AEAD_1_3, groups: ['X25519MLKEM768'] },
}
