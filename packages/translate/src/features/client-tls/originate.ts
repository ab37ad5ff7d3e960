/** `tls` modes SIMPLE and MUTUAL of a DestinationRule: TLS towards a server that is not of the mesh. */
import type { ClientTLSSettings, TrafficPolicy } from '@lateen/api'
import { packAny } from '@lateen/envoy'
import { TlsParameters_TlsProtocol } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { UpstreamTlsContextSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { fileAuthorities, fileCertificate } from '../../builders/config-source.ts'
import { authoritiesOf, credentialSource } from '../../builders/credentials.ts'
import { exactNames, socket } from '../../builders/tls-context.ts'
import { limitedTls } from '../../builders/tls-limits.ts'
import { type UpstreamVersion, upstreamVersion } from '../../builders/upstream-protocol.ts'
import type { ClusterContext, ClusterContribution } from '../cluster-feature.ts'

export function originate(tls: ClientTLSSettings, policy: TrafficPolicy, at: ClusterContext): ClusterContribution {
  const accepted = tls.subjectAltNames?.length ? tls.subjectAltNames : ownNames(at)
  const sni = tls.sni ?? ''
  const verifies = tls.insecureSkipVerify !== true
  return {
    cluster: {
      transportSocket: socket(
        packAny(UpstreamTlsContextSchema, {
          sni,
          commonTlsContext: {
            tlsParams: limitedTls(parameters(at), at.settings),
            alpnProtocols: ALPN[upstreamVersion(at.port, policy, at)],
            ...(tls.mode === 'MUTUAL' && certificate(tls, at)),
            ...(verifies && validation(tls, exactNames(accepted), at)),
          },
        }),
      ),
    },
    // Without a name of its own, the server is asked and checked by the host of the request. Where the proxy resolves the name
    // that it is asked for, that is the name to check.
    ...(sni === '' && {
      http: {
        upstreamHttpProtocolOptions: {
          autoSni: true,
          autoSanValidation: verifies && (accepted.length === 0 || at.service.resolution === 'dynamic-dns'),
        },
      },
    }),
  }
}

/** Names that the service itself says its servers have; those of Kubernetes Services are identities of the mesh. */
const ownNames = ({ service, identities }: ClusterContext): readonly string[] =>
  service.origin.kind === 'ServiceEntry' ? [...new Set([...service.subjectAltNames, ...identities])] : []

/** Offered to servers outside the mesh; `http1` may be bytes of any kind, for which nothing is offered; what follows the caller says it by route. */
const ALPN: Readonly<Record<UpstreamVersion, string[]>> = { caller: [], http2: ['h2'], http1: [] }

function parameters({ settings }: ClusterContext) {
  const { cipherSuites, ecdhCurves } = settings.mesh.tlsDefaults ?? {}
  return {
    tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
    tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    ...(cipherSuites?.length && { cipherSuites: [...cipherSuites] }),
    ...(ecdhCurves?.length && { ecdhCurves: [...ecdhCurves] }),
  }
}

function certificate(tls: ClientTLSSettings, { settings }: ClusterContext) {
  const { credentialName } = tls
  if (credentialName) return { tlsCertificateSdsSecretConfigs: [credentialSource(credentialName, settings)] }
  return { tlsCertificateSdsSecretConfigs: [fileCertificate(tls.clientCertificate ?? '', tls.privateKey ?? '')] }
}

function validation(tls: ClientTLSSettings, names: ReturnType<typeof exactNames>, { settings }: ClusterContext) {
  const { credentialName, caCertificates, caCrl } = tls
  const own = {
    matchTypedSubjectAltNames: names,
    ...(caCrl && { crl: { specifier: { case: 'filename' as const, value: caCrl } } }),
  }
  if (!credentialName && (!caCertificates || caCertificates === 'system')) {
    return {
      validationContextType: {
        case: 'validationContext' as const,
        value: { ...own, trustedCa: { specifier: { case: 'filename' as const, value: SYSTEM_ROOTS } } },
      },
    }
  }
  return {
    validationContextType: {
      case: 'combinedValidationContext' as const,
      value: {
        defaultValidationContext: own,
        validationContextSdsSecretConfig: credentialName
          ? credentialSource(authoritiesOf(credentialName.replace(/-cacert$/, '')), settings)
          : fileAuthorities(caCertificates ?? ''),
      },
    },
  }
}

/** The proxy's own certificate store. */
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt'
