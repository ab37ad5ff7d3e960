/** TLS that ends at a proxy with a certificate of the user's: servers of gateways, ingress listeners of Sidecars. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { CIPHER_SUITES, type ServerTLSSettings } from '@lateen/api'
import { packAny } from '@lateen/envoy'
import { QuicDownstreamTransportSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/quic/v3/quic_transport_pb.js'
import { TlsParameters_TlsProtocol } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  type CommonTlsContextSchema,
  DownstreamTlsContextSchema,
} from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { MeshSettings } from '@lateen/model'
import { AGENT_SECRETS, fileAuthorities, fileCertificate } from './config-source.ts'
import { authoritiesOf, BUILT_IN, credentialSource } from './credentials.ts'
import { exactNames, ROOT_CERTIFICATE, socket, type TransportSocketInit, tlsVersion, WORKLOAD_CERTIFICATE } from './tls-context.ts'
import { limitedTls, type TlsParametersInit } from './tls-limits.ts'

type CommonInit = MessageInitShape<typeof CommonTlsContextSchema>
type ContextInit = MessageInitShape<typeof DownstreamTlsContextSchema>
type Validation = Pick<Exclude<CommonInit, { $typeName: string }>, 'validationContextType'>

const QUIC_SOCKET = 'envoy.transport_sockets.quic'

const CURVES: ReadonlySet<string> = new Set(['P-256', 'P-384', 'P-521', 'X25519', 'X25519MLKEM768'])

/** The TLS context of a server; undefined when it names no certificate. */
export function serverSocket(
  tls: ServerTLSSettings | undefined,
  settings: MeshSettings,
  alpn: readonly string[],
): TransportSocketInit | undefined {
  const context = serverContext(tls, settings, alpn)
  return context && socket(packAny(DownstreamTlsContextSchema, context))
}

/** The same for HTTP/3: QUIC has TLS of its own, always 1.3. */
export function quicServerSocket(tls: ServerTLSSettings | undefined, settings: MeshSettings): TransportSocketInit | undefined {
  const { cipherSuites: _, maxProtocolVersion: __, ...rest } = tls ?? {}
  const context = tls && serverContext({ ...rest, minProtocolVersion: 'TLSV1_3', maxProtocolVersion: 'TLSV1_3' }, settings, ['h3'])
  return (
    context && {
      name: QUIC_SOCKET,
      configType: { case: 'typedConfig', value: packAny(QuicDownstreamTransportSchema, { downstreamTlsContext: context }) },
    }
  )
}

function serverContext(tls: ServerTLSSettings | undefined, settings: MeshSettings, alpn: readonly string[]): ContextInit | undefined {
  const certificates = tls && certificatesOf(tls, settings)
  if (!tls || !certificates) return undefined
  const mutual = tls.mode === 'MUTUAL' || tls.mode === 'ISTIO_MUTUAL' || tls.mode === 'OPTIONAL_MUTUAL'
  return {
    ...(mutual && { requireClientCertificate: tls.mode !== 'OPTIONAL_MUTUAL' }),
    commonTlsContext: {
      tlsParams: limitedTls(parametersOf(tls, settings), settings),
      alpnProtocols: [...alpn],
      tlsCertificateSdsSecretConfigs: certificates,
      ...(mutual && validationOf(tls, settings)),
    },
  }
}

/** What the server itself says, over the mesh's `tlsDefaults`, over TLS 1.2 and newer with Envoy's ciphers. */
function parametersOf(tls: ServerTLSSettings, settings: MeshSettings): TlsParametersInit {
  const defaults = settings.mesh.tlsDefaults
  const given = (version: string | undefined) => (version && version !== 'TLS_AUTO' ? version : undefined)
  const maximum = given(tls.maxProtocolVersion)
  const own = known(tls.cipherSuites, CIPHER_SUITES)
  const ciphers = own.length > 0 ? own : known(defaults?.cipherSuites, CIPHER_SUITES)
  const curves = known(defaults?.ecdhCurves, CURVES)
  return {
    tlsMinimumProtocolVersion: tlsVersion(given(tls.minProtocolVersion) ?? defaults?.minProtocolVersion, TlsParameters_TlsProtocol.TLSv1_2),
    ...(maximum && { tlsMaximumProtocolVersion: tlsVersion(maximum, TlsParameters_TlsProtocol.TLSv1_3) }),
    ...(ciphers.length > 0 && { cipherSuites: ciphers }),
    ...(curves.length > 0 && { ecdhCurves: curves }),
  }
}

const known = (names: readonly string[] | undefined, all: ReadonlySet<string>): string[] => [
  ...new Set((names ?? []).filter((name) => all.has(name))),
]

/** Certificates to show: from the agent, from Secrets, or from files of the proxy's; undefined when none is named. */
function certificatesOf(tls: ServerTLSSettings, settings: MeshSettings): CommonInit['tlsCertificateSdsSecretConfigs'] {
  const names = tls.credentialNames?.length ? tls.credentialNames : tls.credentialName ? [tls.credentialName] : []
  if (tls.mode === 'ISTIO_MUTUAL' || names[0]?.startsWith(BUILT_IN)) return [{ name: WORKLOAD_CERTIFICATE, sdsConfig: AGENT_SECRETS }]
  if (names.length > 0) return names.map((name) => credentialSource(name, settings))
  const pairs = tls.tlsCertificates?.length ? tls.tlsCertificates : [tls]
  const files = pairs.flatMap(({ serverCertificate, privateKey }) =>
    serverCertificate && privateKey ? [fileCertificate(serverCertificate, privateKey)] : [],
  )
  return files.length > 0 ? files : undefined
}

/** How a client's certificate is checked. */
function validationOf(tls: ServerTLSSettings, settings: MeshSettings): Validation {
  const credential = tls.caCertCredentialName || tls.credentialNames?.[0] || tls.credentialName
  const authorities = tls.caCertificates ?? tls.tlsCertificates?.find(({ caCertificates }) => caCertificates)?.caCertificates
  const source =
    tls.mode === 'ISTIO_MUTUAL' || credential?.startsWith(BUILT_IN)
      ? { name: ROOT_CERTIFICATE, sdsConfig: AGENT_SECRETS }
      : credential
        ? credentialSource(authoritiesOf(credential), settings)
        : authorities && fileAuthorities(authorities)
  if (!source) return {}
  return {
    validationContextType: {
      case: 'combinedValidationContext',
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: exactNames(tls.subjectAltNames ?? []),
          verifyCertificateSpki: [...(tls.verifyCertificateSpki ?? [])],
          verifyCertificateHash: [...(tls.verifyCertificateHash ?? [])],
          ...(tls.caCrl && { crl: { specifier: { case: 'filename' as const, value: tls.caCrl } } }),
        },
        validationContextSdsSecretConfig: source,
      },
    },
  }
}
