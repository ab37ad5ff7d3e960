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

/**
 * BoringSSL chooses among the suites of TLS 1.3 by itself, except where a policy of its own limits them; such a policy then replaces all
 * other parameters, also narrower ones: TLS 1.2 is taken again where 1.3 alone was asked for.
 */
const ENVOYS_OWN: Readonly<Partial<Record<TlsPolicy, TlsParameters_CompliancePolicy>>> = {
  'fips-140-3': TlsParameters_CompliancePolicy.FIPS_202205,
}

/** What was asked for, as far as the policy allows it; all that the policy allows where none of it is. */
export function limitedTls(asked: TlsParametersInit, { switches }: Pick<MeshSettings, 'switches'>): TlsParametersInit {
  const policy = switches.tlsPolicy
  if (!policy) return asked
  const { minVersion, maxVersion, ciphers, groups } = TLS_LIMITS[policy]
  const [lowest, highest] = [VERSIONS[minVersion], VERSIONS[maxVersion]]
  const own = ENVOYS_OWN[policy]
  const wanted = own === undefined ? asked : {}
  const within = (version: TlsParameters_TlsProtocol) => Math.min(Math.max(version, lowest), highest)
  return {
    tlsMinimumProtocolVersion: within(wanted.tlsMinimumProtocolVersion ?? lowest),
    tlsMaximumProtocolVersion: within(wanted.tlsMaximumProtocolVersion || highest),
    // A list of suites is one of TLS 1.2.
    cipherSuites:
      lowest === VERSIONS['TLSv1.3']
        ? []
        : allowed(
            wanted.cipherSuites,
            ciphers.filter((name) => !name.startsWith('TLS_')),
          ),
    ecdhCurves: allowed(wanted.ecdhCurves, groups),
    ...(own !== undefined && { compliancePolicies: [own] }),
  }
}

function allowed(asked: readonly string[] | undefined, all: readonly string[]): string[] {
  const kept = (asked ?? []).filter((name) => all.includes(name))
  return kept.length > 0 ? kept : [...all]
}
