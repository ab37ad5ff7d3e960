/** Limits of the control plane that stand above what any object says of TLS: the last word on the parameters of every TLS context. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { TLS_LIMITS, type TlsPolicy } from '@lateen/base'
import {
  TlsParameters_CompliancePolicy,
  TlsParameters_TlsProtocol,
  type TlsParametersSchema,
} from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import type { MeshSettings } from '@lateen/model'

export type TlsParametersInit = Exclude<MessageInitShape<typeof TlsParametersSchema>, { $typeName: string }>

const VERSIONS = { 'TLSv1.2': TlsParameters_TlsProtocol.TLSv1_2, 'TLSv1.3': TlsParameters_TlsProtocol.TLSv1_3 } as const

/** BoringSSL chooses among the suites of TLS 1.3 by itself, except where its own policies limit them. */
const ENVOYS_OWN: Readonly<Partial<Record<TlsPolicy, TlsParameters_CompliancePolicy>>> = {
  'fips-140-3': TlsParameters_CompliancePolicy.FIPS_202205,
}

/** What was asked for, as far as the policy allows it; all that the policy allows where none of it is. */
export function limitedTls(asked: TlsParametersInit, { switches }: Pick<MeshSettings, 'switches'>): TlsParametersInit {
  const policy = switches.tlsPolicy
  if (!policy) return asked
  const { minVersion, maxVersion, ciphers, groups } = TLS_LIMITS[policy]
  const [lowest, highest] = [VERSIONS[minVersion], VERSIONS[maxVersion]]
  const within = (version: TlsParameters_TlsProtocol) => Math.min(Math.max(version, lowest), highest)
  const own = ENVOYS_OWN[policy]
  return {
    tlsMinimumProtocolVersion: within(asked.tlsMinimumProtocolVersion ?? lowest),
    tlsMaximumProtocolVersion: within(asked.tlsMaximumProtocolVersion || highest),
    // A list of suites is one of TLS 1.2.
    cipherSuites: lowest === VERSIONS['TLSv1.3'] ? [] : allowed(asked.cipherSuites, ciphers.filter((name) => !name.startsWith('TLS_'))),
    ecdhCurves: allowed(asked.ecdhCurves, groups),
    ...(own !== undefined && { compliancePolicies: [own] }),
  }
}

function allowed(asked: readonly string[] | undefined, all: readonly string[]): string[] {
  const kept = (asked ?? []).filter((name) => all.includes(name))
  return kept.length > 0 ? kept : [...all]
}
