/**
 * `tls` of a DestinationRule, and automatic mutual TLS where no rule speaks of TLS: each endpoint whose workload can terminate it
 * gets mutual TLS, the others plain text, inside one cluster.
 */
import type { ClientTLSSettings, TrafficPolicy } from '@lateen/api'
import { packAny } from '@lateen/envoy'
import { RawBufferSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.js'
import { UpstreamTlsContextSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import { isHttp } from '@lateen/model'
import { ads, fileAuthorities, fileCertificate } from '../../builders/config-source.ts'
import { exactNames, MESH_ALPN, meshClientSocket, socket, type TransportSocketInit } from '../../builders/tls-context.ts'
import { type UpstreamVersion, upstreamVersion } from '../../builders/upstream-protocol.ts'
import { clusterSni } from '../../names.ts'
import type { ClusterContext, ClusterContribution, ClusterFeature } from '../cluster-feature.ts'

export const clientTls: ClusterFeature = (policy, at) => {
  const tls = policy.tls
  if (!tls) return automatic(policy, at)
  switch (tls.mode ?? 'DISABLE') {
    case 'DISABLE':
      return undefined
    case 'ISTIO_MUTUAL':
      return { cluster: { transportSocket: meshSocket(policy, at, tls) } }
    default:
      return originate(tls, policy, at)
  }
}

function automatic(policy: TrafficPolicy, at: ClusterContext): ClusterContribution | undefined {
  if (at.settings.mesh.enableAutoMtls === false || at.service.external) return undefined
  const keepsAddress = (at.service.resolution === 'passthrough' && !at.gateway) || policy.loadBalancer?.simple === 'PASSTHROUGH'
  if (keepsAddress) return at.allMutual ? { cluster: { transportSocket: meshSocket(policy, at, undefined) } } : undefined
  return {
    cluster: {
      transportSocketMatches: [
        { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: meshSocket(policy, at, undefined) },
        { name: 'tlsMode-disabled', match: {}, transportSocket: RAW },
      ],
    },
  }
}

const RAW: TransportSocketInit = {
  name: 'envoy.transport_sockets.raw_buffer',
  configType: { case: 'typedConfig', value: packAny(RawBufferSchema, {}) },
}

function meshSocket(policy: TrafficPolicy, at: ClusterContext, tls: ClientTLSSettings | undefined): TransportSocketInit {
  const names = tls?.subjectAltNames?.length
    ? tls.subjectAltNames
    : at.service.subjectAltNames.length > 0
      ? at.service.subjectAltNames
      : at.identities
  return meshClientSocket({
    sni: tls?.sni || clusterSni(at.port.number, at.subset, at.service.host),
    alpn: alpnOf(policy, at),
    names,
  })
}

/** What a cluster offers by itself; where it follows the caller, routes say what the caller speaks. */
function alpnOf(policy: TrafficPolicy, at: ClusterContext): readonly string[] {
  if (upstreamVersion(at.port, policy, at.settings) === 'http2') return MESH_ALPN.http2
  return isHttp(at.port.protocol) ? MESH_ALPN.http1 : MESH_ALPN.tcp
}

/** SIMPLE and MUTUAL: TLS towards a server that is not of the mesh. */
function originate(tls: ClientTLSSettings, policy: TrafficPolicy, at: ClusterContext): ClusterContribution {
  const mutual = tls.mode === 'MUTUAL'
  const names = exactNames(tls.subjectAltNames ?? at.service.subjectAltNames)
  const sni = tls.sni ?? ''
  const alpn = ALPN[upstreamVersion(at.port, policy, at.settings)]
  const certificates = mutual ? certificateSecrets(tls) : {}
  return {
    cluster: {
      transportSocket: socket(
        packAny(UpstreamTlsContextSchema, {
          sni,
          commonTlsContext: {
            alpnProtocols: alpn,
            ...certificates,
            ...validation(tls, names),
          },
        }),
      ),
    },
    // Without a name of its own, the server is asked and checked by the host of the request.
    ...(sni === '' && { http: { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: names.length === 0 && verifies(tls) } } }),
  }
}

/** Offered to servers outside the mesh; `http1` may be bytes of any kind, for which nothing is offered. */
const ALPN: Readonly<Record<UpstreamVersion, string[]>> = { caller: ['h2', 'http/1.1'], http2: ['h2'], http1: [] }

const verifies = (tls: ClientTLSSettings): boolean => !tls.insecureSkipVerify

function certificateSecrets(tls: ClientTLSSettings) {
  if (tls.credentialName)
    return { tlsCertificateSdsSecretConfigs: [{ name: `kubernetes://${tls.credentialName}`, sdsConfig: ads(CREDENTIAL_WAIT) }] }
  return { tlsCertificateSdsSecretConfigs: [fileCertificate(tls.clientCertificate ?? '', tls.privateKey ?? '')] }
}

function validation(tls: ClientTLSSettings, names: ReturnType<typeof exactNames>) {
  if (!verifies(tls)) return {}
  if (tls.credentialName) {
    return {
      validationContextType: {
        case: 'combinedValidationContext' as const,
        value: {
          defaultValidationContext: { matchTypedSubjectAltNames: names },
          validationContextSdsSecretConfig: { name: `kubernetes://${tls.credentialName}-cacert`, sdsConfig: ads(CREDENTIAL_WAIT) },
        },
      },
    }
  }
  if (!tls.caCertificates || tls.caCertificates === 'system') {
    return {
      validationContextType: {
        case: 'validationContext' as const,
        value: { trustedCa: { specifier: { case: 'filename' as const, value: SYSTEM_ROOTS } }, matchTypedSubjectAltNames: names },
      },
    }
  }
  return {
    validationContextType: {
      case: 'combinedValidationContext' as const,
      value: {
        defaultValidationContext: { matchTypedSubjectAltNames: names },
        validationContextSdsSecretConfig: fileAuthorities(tls.caCertificates),
      },
    },
  }
}

/** How long a cluster waits for a credential that may never come, before it refuses connections instead (milliseconds). */
const CREDENTIAL_WAIT = 1000

/** The proxy's own certificate store. */
const SYSTEM_ROOTS = '/etc/ssl/certs/ca-certificates.crt'
