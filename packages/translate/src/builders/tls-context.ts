/** TLS contexts: mutual TLS inside the mesh with the agent's certificate, and the contexts of gateways and of TLS origination. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '@lateen/envoy'
import type { TransportSocketSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { RawBufferSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import {
  SubjectAltNameMatcher_SanType,
  type SubjectAltNameMatcherSchema,
  TlsParameters_TlsProtocol,
} from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { MeshSettings } from '@lateen/model'
import { AGENT_SECRETS } from './config-source.ts'
import { limitedTls } from './tls-limits.ts'

export type TransportSocketInit = MessageInitShape<typeof TransportSocketSchema>
type CommonInit = MessageInitShape<typeof CommonTlsContextSchema>
type NameMatcherInit = MessageInitShape<typeof SubjectAltNameMatcherSchema>

export const TLS_SOCKET = 'envoy.transport_sockets.tls'

/** Bytes as they are. */
export const RAW_SOCKET: TransportSocketInit = {
  name: 'envoy.transport_sockets.raw_buffer',
  configType: { case: 'typedConfig', value: packAny(RawBufferSchema, {}) },
}

/** Names of the agent's secrets: the workload's certificate and the roots it trusts. */
export const WORKLOAD_CERTIFICATE = 'default'
export const ROOT_CERTIFICATE = 'ROOTCA'

/**
 * Protocols that a client offers inside the mesh. The `istio…` names only tell the server's listener which filter chain to
 * take; what the server's TLS context negotiates is `h2` or `http/1.1`, because Envoy's codec knows no others.
 */
export const MESH_ALPN = {
  http1: ['istio-http/1.1', 'istio', 'http/1.1'],
  http2: ['istio-h2', 'istio', 'h2'],
  tcp: ['istio'],
} as const

const MESH_CIPHERS = [
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-GCM-SHA256',
]

export type TlsVersion = 'TLSV1_0' | 'TLSV1_1' | 'TLSV1_2' | 'TLSV1_3'

const VERSIONS: Readonly<Record<string, TlsParameters_TlsProtocol>> = {
  TLSV1_0: TlsParameters_TlsProtocol.TLSv1_0,
  TLSV1_1: TlsParameters_TlsProtocol.TLSv1_1,
  TLSV1_2: TlsParameters_TlsProtocol.TLSv1_2,
  TLSV1_3: TlsParameters_TlsProtocol.TLSv1_3,
}

/** Envoy's value of Istio's name for a TLS version; `fallback` for TLS_AUTO and unset. */
export function tlsVersion(name: string | undefined, fallback: TlsParameters_TlsProtocol): TlsParameters_TlsProtocol {
  return VERSIONS[name ?? ''] ?? fallback
}

/** Exact subject alternative names as matchers: URIs for SPIFFE identities, DNS names otherwise. */
export function exactNames(names: readonly string[]): NameMatcherInit[] {
  return names.flatMap((name) => {
    const types = name.includes('://')
      ? [SubjectAltNameMatcher_SanType.URI]
      : [SubjectAltNameMatcher_SanType.DNS, SubjectAltNameMatcher_SanType.URI]
    return types.map((sanType) => ({ sanType, matcher: { matchPattern: { case: 'exact' as const, value: name } } }))
  })
}

/** A client's side of mutual TLS in the mesh: own certificate from the agent, server's identity one of `names` (any when empty). */
export function meshClientSocket(options: {
  readonly sni: string
  readonly alpn: readonly string[]
  readonly names: readonly string[]
  readonly settings: MeshSettings
}): TransportSocketInit {
  const uris = options.names.map((value) => ({
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern: { case: 'exact' as const, value } },
  }))
  return socket(
    packAny(UpstreamTlsContextSchema, {
      sni: options.sni,
      commonTlsContext: {
        tlsParams: limitedTls(
          {
            tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
            tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
          },
          options.settings,
        ),
        alpnProtocols: [...options.alpn],
        ...meshSecrets(uris),
      },
    }),
  )
}

/** A server's side of mutual TLS in the mesh: a certificate of one of the trust domains is asked for and checked. */
export function meshServerSocket(options: {
  readonly trustDomains: readonly string[]
  readonly settings: MeshSettings
}): TransportSocketInit {
  const { minProtocolVersion, cipherSuites } = options.settings.mesh.meshMTLS ?? {}
  const domains = options.trustDomains.map((domain) => ({
    sanType: SubjectAltNameMatcher_SanType.URI,
    matcher: { matchPattern: { case: 'prefix' as const, value: `spiffe://${domain}/` } },
  }))
  return socket(
    packAny(DownstreamTlsContextSchema, {
      requireClientCertificate: true,
      commonTlsContext: {
        tlsParams: limitedTls(
          {
            tlsMinimumProtocolVersion: tlsVersion(minProtocolVersion, TlsParameters_TlsProtocol.TLSv1_2),
            tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
            cipherSuites: [...(cipherSuites?.length ? cipherSuites : MESH_CIPHERS)],
          },
          options.settings,
        ),
        alpnProtocols: ['h2', 'http/1.1'],
        ...meshSecrets(domains),
      },
    }),
  )
}

function meshSecrets(names: NameMatcherInit[]): Pick<CommonInit, 'tlsCertificateSdsSecretConfigs' | 'validationContextType'> {
  return {
    tlsCertificateSdsSecretConfigs: [{ name: WORKLOAD_CERTIFICATE, sdsConfig: AGENT_SECRETS }],
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: { matchTypedSubjectAltNames: names },
        validationContextSdsSecretConfig: { name: ROOT_CERTIFICATE, sdsConfig: AGENT_SECRETS },
      },
    },
  }
}

/** Wraps a packed TLS context. */
export function socket(typedConfig: ReturnType<typeof packAny>): TransportSocketInit {
  return { name: TLS_SOCKET, configType: { case: 'typedConfig', value: typedConfig } }
}
