/** What stands behind a cluster: endpoints, how they are chosen, and the TLS that each of them gets. */
import type { JsonObject } from '@bufbuild/protobuf'
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type Cluster,
  Cluster_DiscoveryType as Discovery,
  Cluster_LbPolicy as LbPolicy,
} from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { TransportSocket } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { HealthStatus } from '@lateen/envoy/gen/envoy/config/core/v3/health_check_pb.js'
import type { LbEndpoint, LocalityLbEndpoints } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import { type UpstreamTlsContext, UpstreamTlsContextSchema } from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { Configuration } from '../configuration.ts'
import { shares } from './endpoint-shares.ts'
import { type Origin, originsOf, type ServiceRef, servicesOf } from './origin.ts'

export interface Upstream {
  readonly cluster: string
  /** `endpoints`: told by the control plane; `name`: looked up in DNS; `address dialled`: no choice is made. */
  readonly found: 'endpoints' | 'name' | 'address dialled'
  readonly loadBalancing: string
  readonly subset: string
  readonly services: readonly ServiceRef[]
  readonly origins: readonly Origin[]
  readonly endpoints: readonly UpstreamEndpoint[]
  /** What connections get where the endpoint does not matter. */
  readonly tls: UpstreamTls
}

export interface UpstreamEndpoint {
  /** An IP, a DNS name or the path of a socket. */
  readonly address: string
  readonly port: number
  readonly locality: string
  readonly priority: number
  readonly healthy: boolean
  /** The share of requests that it gets, from 0 to 1, if all connections and requests are alike. */
  readonly share: number
  readonly workload: string
  readonly tls: UpstreamTls
}

/** `mesh`: mutual TLS with the certificate of the workload; `mutual` and `tls`: what a rule says. */
export interface UpstreamTls {
  readonly mode: 'plaintext' | 'mesh' | 'mutual' | 'tls'
  readonly sni: string
  /** Application protocols offered. */
  readonly alpn: readonly string[]
}

const PLAINTEXT: UpstreamTls = { mode: 'plaintext', sni: '', alpn: [] }

/** The cluster of a name; undefined when the proxy has none of it. */
export function upstreamOf(configuration: Configuration, name: string): Upstream | undefined {
  const cluster = configuration.clusters.get(name)
  if (!cluster) return undefined
  const discovery = cluster.clusterDiscoveryType.case === 'type' ? cluster.clusterDiscoveryType.value : Discovery.STATIC
  const assignment =
    discovery === Discovery.EDS
      ? configuration.assignments.get(cluster.edsClusterConfig?.serviceName || cluster.name)
      : cluster.loadAssignment
  const byName = discovery === Discovery.STRICT_DNS || discovery === Discovery.LOGICAL_DNS
  const subset = cluster.metadata?.filterMetadata['istio']?.['subset']
  return {
    cluster: name,
    found: discovery === Discovery.ORIGINAL_DST ? 'address dialled' : byName ? 'name' : 'endpoints',
    loadBalancing: LOAD_BALANCING[cluster.lbPolicy],
    subset: typeof subset === 'string' ? subset : '',
    services: servicesOf(cluster.metadata),
    origins: originsOf(cluster.metadata),
    endpoints: endpointsOf(cluster, assignment?.endpoints ?? []),
    tls: tlsFor(cluster, undefined),
  }
}

const LOAD_BALANCING: Readonly<Record<LbPolicy, string>> = {
  [LbPolicy.ROUND_ROBIN]: 'round robin',
  [LbPolicy.LEAST_REQUEST]: 'least requests',
  [LbPolicy.RING_HASH]: 'ring hash',
  [LbPolicy.RANDOM]: 'random',
  [LbPolicy.MAGLEV]: 'maglev hash',
  [LbPolicy.CLUSTER_PROVIDED]: 'address dialled',
  [LbPolicy.LOAD_BALANCING_POLICY_CONFIG]: 'by extension',
}

function endpointsOf(cluster: Cluster, groups: readonly LocalityLbEndpoints[]): UpstreamEndpoint[] {
  const weighted = cluster.commonLbConfig?.localityConfigSpecifier.case === 'localityWeightedLbConfig'
  const share = shares(groups, isHealthy, weighted)
  return groups.flatMap((group) =>
    group.lbEndpoints.map((endpoint): UpstreamEndpoint => {
      const { locality } = group
      return {
        ...addressOf(endpoint),
        locality: [locality?.region, locality?.zone, locality?.subZone].filter((part) => part).join('/'),
        priority: group.priority,
        healthy: isHealthy(endpoint),
        share: share.get(endpoint) ?? 0,
        workload: workloadOf(endpoint),
        tls: tlsFor(cluster, endpoint.metadata?.filterMetadata['envoy.transport_socket_match']),
      }
    }),
  )
}

const isHealthy = ({ healthStatus }: LbEndpoint): boolean => healthStatus === HealthStatus.UNKNOWN || healthStatus === HealthStatus.HEALTHY

function addressOf({ hostIdentifier }: LbEndpoint): { readonly address: string; readonly port: number } {
  const address = hostIdentifier.case === 'endpoint' ? hostIdentifier.value.address?.address : undefined
  switch (address?.case) {
    case 'socketAddress':
      return {
        address: address.value.address,
        port: address.value.portSpecifier.case === 'portValue' ? address.value.portSpecifier.value : 0,
      }
    case 'pipe':
      return { address: address.value.path, port: 0 }
    default:
      return { address: '', port: 0 }
  }
}

/** `workload;namespace;…` as `namespace/workload`. */
function workloadOf({ metadata }: LbEndpoint): string {
  const text = metadata?.filterMetadata['istio']?.['workload']
  const [name = '', namespace = ''] = typeof text === 'string' ? text.split(';') : []
  return name === '' ? '' : `${namespace}/${name}`
}

/** The first match that an endpoint's metadata fulfils gives the socket; without one, the cluster's own. */
function tlsFor(cluster: Cluster, labels: JsonObject | undefined): UpstreamTls {
  const matched = cluster.transportSocketMatches.find(({ match }) =>
    Object.entries(match ?? {}).every(([key, value]) => JSON.stringify(labels?.[key]) === JSON.stringify(value)),
  )
  return tlsOfSocket(matched?.transportSocket ?? cluster.transportSocket)
}

function tlsOfSocket(socket: TransportSocket | undefined): UpstreamTls {
  const any = socket?.configType.case === 'typedConfig' ? socket.configType.value : undefined
  const context = any && anyIs(any, UpstreamTlsContextSchema) ? anyUnpack(any, UpstreamTlsContextSchema) : undefined
  return context ? { mode: modeOf(context), sni: context.sni, alpn: context.commonTlsContext?.alpnProtocols ?? [] } : PLAINTEXT
}

/** The workload's own certificate is the secret `default`. */
function modeOf({ commonTlsContext: common }: UpstreamTlsContext): UpstreamTls['mode'] {
  const shown = common?.tlsCertificateSdsSecretConfigs ?? []
  if (shown.some(({ name }) => name === 'default')) return 'mesh'
  return shown.length + (common?.tlsCertificates.length ?? 0) > 0 ? 'mutual' : 'tls'
}
