/** A policy of TLS as options of `node:tls`, and in force for a whole process. */
import tls from 'node:tls'
import { TLS_LIMITS, type TlsPolicy, type TlsProtocolVersion } from './tls-policy.ts'

export interface NodeTlsOptions {
  readonly minVersion: TlsProtocolVersion
  readonly maxVersion: TlsProtocolVersion
  readonly ciphers: string
  readonly ecdhCurve: string
}

export function nodeTlsOptions(policy: TlsPolicy): NodeTlsOptions {
  const { minVersion, maxVersion, ciphers, groups } = TLS_LIMITS[policy]
  return { minVersion, maxVersion, ciphers: ciphers.join(':'), ecdhCurve: groups.join(':') }
}

/**
 * Every connection and server that this process makes from now on keeps to the policy, whichever library makes it, unless it names
 * versions, ciphers or groups itself.
 */
export function limitProcessTls(policy: TlsPolicy): void {
  const { minVersion, maxVersion, ciphers, ecdhCurve } = nodeTlsOptions(policy)
  tls.DEFAULT_MIN_VERSION = minVersion
  tls.DEFAULT_MAX_VERSION = maxVersion
  tls.DEFAULT_CIPHERS = ciphers
  tls.DEFAULT_ECDH_CURVE = ecdhCurve
}
