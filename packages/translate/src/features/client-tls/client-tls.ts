/**
 * `tls` of a DestinationRule, and automatic mutual TLS where no rule speaks of TLS: each endpoint whose workload can terminate it
 * gets mutual TLS, the others plain text, inside one cluster.
 */
import type { ClientTLSSettings, TrafficPolicy } from '@lateen/api'
import { isHttp } from '@lateen/model'
import { needsRight } from '../../builders/credentials.ts'
import { MESH_ALPN, meshClientSocket, RAW_SOCKET, type TransportSocketInit } from '../../builders/tls-context.ts'
import { upstreamVersion } from '../../builders/upstream-protocol.ts'
import { clusterSni } from '../../names.ts'
import type { ClusterContext, ClusterContribution, ClusterFeature } from '../cluster-feature.ts'
import { originate } from './originate.ts'

export const clientTls: ClusterFeature = (policy, at) => {
  const tls = policy.tls
  if (!tls) return automatic(policy, at)
  switch (tls.mode ?? 'DISABLE') {
    case 'DISABLE':
      return undefined
    case 'ISTIO_MUTUAL':
      return meshMutual(tls, policy, at)
    default:
      return servesCredential(tls, at) ? originate(tls, policy, at) : undefined
  }
}

function meshMutual(tls: ClientTLSSettings, policy: TrafficPolicy, at: ClusterContext): ClusterContribution {
  return { cluster: { transportSocket: meshSocket(policy, at, tls) } }
}

/**
 * Secrets go to sidecars by rules that select them only: a rule for everyone would have every sidecar wait for a Secret that it may
 * not read. To the others such a rule says nothing of TLS, as in Istio. Authorities in a ConfigMap are no secret.
 */
const servesCredential = (tls: ClientTLSSettings, at: ClusterContext): boolean =>
  !tls.credentialName || at.gateway || at.ruleSelects || !needsRight(tls.credentialName)

function automatic(policy: TrafficPolicy, at: ClusterContext): ClusterContribution | undefined {
  if (at.settings.mesh.enableAutoMtls === false || at.service.external) return undefined
  const keepsAddress = (at.service.resolution === 'passthrough' && !at.gateway) || policy.loadBalancer?.simple === 'PASSTHROUGH'
  if (keepsAddress) return at.allMutual ? { cluster: { transportSocket: meshSocket(policy, at, undefined) } } : undefined
  return {
    cluster: {
      transportSocketMatches: [
        { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: meshSocket(policy, at, undefined) },
        { name: 'tlsMode-disabled', match: {}, transportSocket: RAW_SOCKET },
      ],
    },
  }
}

function meshSocket(policy: TrafficPolicy, at: ClusterContext, tls: ClientTLSSettings | undefined): TransportSocketInit {
  const names = tls?.subjectAltNames?.length ? tls.subjectAltNames : [...new Set([...at.service.subjectAltNames, ...at.identities])].sort()
  return meshClientSocket({
    sni: tls?.sni || clusterSni(at.port.number, at.subset, at.service.host),
    alpn: alpnOf(policy, at),
    names,
    settings: at.settings,
  })
}

/** What a cluster offers by itself; where it follows the caller, routes say what the caller speaks. */
function alpnOf(policy: TrafficPolicy, at: ClusterContext): readonly string[] {
  if (upstreamVersion(at.port, policy, at) === 'http2') return MESH_ALPN.http2
  return isHttp(at.port.protocol) ? MESH_ALPN.http1 : MESH_ALPN.tcp
}
