/** TLS that ends at a proxy with a certificate of the user's: servers of gateways, ingress listeners of Sidecars. */
import type { ServerTLSSettings } from '@lateen/api'
import { packAny } from '@lateen/envoy'
import { TlsParameters_TlsProtocol } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { DownstreamTlsContextSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { MeshSettings } from '@lateen/model'
import { AGENT_SECRETS, ads, fileAuthorities, fileCertificate } from './config-source.ts'
import { exactNames, ROOT_CERTIFICATE, socket, type TransportSocketInit, tlsVersion, WORKLOAD_CERTIFICATE } from './tls-context.ts'

/** The TLS context of a server; undefined when it names no certificate. */
export function serverSocket(
  tls: ServerTLSSettings | undefined,
  settings: MeshSettings,
  alpn: readonly string[],
): TransportSocketInit | undefined {
  if (!tls) return undefined
  const mutual = tls.mode === 'MUTUAL' || tls.mode === 'ISTIO_MUTUAL' || tls.mode === 'OPTIONAL_MUTUAL'
  const names = exactNames(tls.subjectAltNames ?? [])
  const credential = tls.credentialNames?.[0] ?? tls.credentialName
  const parameters = {
    tlsMinimumProtocolVersion: tlsVersion(
      tls.minProtocolVersion ?? settings.mesh.tlsDefaults?.minProtocolVersion,
      TlsParameters_TlsProtocol.TLSv1_2,
    ),
    ...(tls.maxProtocolVersion &&
      tls.maxProtocolVersion !== 'TLS_AUTO' && {
        tlsMaximumProtocolVersion: tlsVersion(tls.maxProtocolVersion, TlsParameters_TlsProtocol.TLSv1_3),
      }),
    ...(tls.cipherSuites?.length && { cipherSuites: [...tls.cipherSuites] }),
  }
  const fromAds = (name: string) => ({ name: `kubernetes://${name}`, sdsConfig: ads() })
  const certificates =
    tls.mode === 'ISTIO_MUTUAL'
      ? { tlsCertificateSdsSecretConfigs: [{ name: WORKLOAD_CERTIFICATE, sdsConfig: AGENT_SECRETS }] }
      : credential
        ? { tlsCertificateSdsSecretConfigs: [...(tls.credentialNames ?? [credential])].map(fromAds) }
        : tls.serverCertificate && tls.privateKey
          ? { tlsCertificateSdsSecretConfigs: [fileCertificate(tls.serverCertificate, tls.privateKey)] }
          : undefined
  if (!certificates) return undefined
  const validation = !mutual
    ? {}
    : tls.mode === 'ISTIO_MUTUAL' || credential
      ? {
          validationContextType: {
            case: 'combinedValidationContext' as const,
            value: {
              defaultValidationContext: { matchTypedSubjectAltNames: names },
              validationContextSdsSecretConfig:
                tls.mode === 'ISTIO_MUTUAL' ? { name: ROOT_CERTIFICATE, sdsConfig: AGENT_SECRETS } : fromAds(`${credential ?? ''}-cacert`),
            },
          },
        }
      : tls.caCertificates
        ? {
            validationContextType: {
              case: 'combinedValidationContext' as const,
              value: {
                defaultValidationContext: { matchTypedSubjectAltNames: names },
                validationContextSdsSecretConfig: fileAuthorities(tls.caCertificates),
              },
            },
          }
        : {}
  return socket(
    packAny(DownstreamTlsContextSchema, {
      ...(mutual && { requireClientCertificate: tls.mode !== 'OPTIONAL_MUTUAL' }),
      commonTlsContext: { tlsParams: parameters, alpnProtocols: [...alpn], ...certificates, ...validation },
    }),
  )
}
