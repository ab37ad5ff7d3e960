/** Clusters: one for each port of a service and for each of its subsets. */
import type { TrafficPolicy } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration, packAny, type Resource } from '@lateen/envoy'
import {
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_LbPolicy,
  ClusterSchema,
} from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { EffectiveRule, MeshSettings, Service, ServicePort } from '@lateen/model'
import type { ClusterContext, ClusterInit, HttpOptionsInit } from '../features/cluster-feature.ts'
import { CLUSTER_FEATURES } from '../features/order.ts'
import { clusterName } from '../names.ts'
import { encode } from '../resource.ts'
import { ads } from './config-source.ts'
import type { LoadAssignmentInit } from './endpoints.ts'
import { structOf } from './struct.ts'
import { mergePolicies } from './traffic-policy.ts'
import { upstreamVersion } from './upstream-protocol.ts'

export interface ClusterInput {
  readonly service: Service
  readonly port: ServicePort
  readonly rule: EffectiveRule | undefined
  readonly settings: MeshSettings
  readonly gateway: boolean
  readonly identities: readonly string[]
  readonly allMutual: boolean
  /** Endpoints for clusters that carry them inline (names resolved by the proxy). */
  readonly assignment: (subset: string) => LoadAssignmentInit
}

export const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** The cluster of a port and those of its subsets. */
export function outboundClusters(input: ClusterInput): Resource[] {
  const base = mergePolicies(input.rule?.trafficPolicy, undefined, input.port.number)
  const subsets = input.rule?.subsets ?? []
  return [
    outboundCluster(input, '', base),
    ...subsets.map((subset) =>
      outboundCluster(input, subset.name, mergePolicies(input.rule?.trafficPolicy, subset.trafficPolicy, input.port.number)),
    ),
  ]
}

function outboundCluster(input: ClusterInput, subset: string, policy: TrafficPolicy): Resource {
  const { service, port, settings } = input
  const name = clusterName('outbound', port.number, subset, service.host)
  const at: ClusterContext = {
    service,
    port,
    subset,
    settings,
    gateway: input.gateway,
    identities: input.identities,
    allMutual: input.allMutual,
    ruleNamespace: input.rule?.namespace ?? '',
  }
  const contributions = CLUSTER_FEATURES.map((feature) => feature(policy, at))
  const cluster: ClusterInit = Object.assign({}, ...contributions.map((contribution) => contribution?.cluster ?? {}))
  const http: HttpOptionsInit = Object.assign({}, ...contributions.map((contribution) => contribution?.http ?? {}))
  const commonLb = Object.assign({}, ...contributions.map((contribution) => contribution?.commonLb ?? {}))
  return encode(ClusterSchema, name, {
    name,
    ...cluster,
    ...discovery(input, subset, name, cluster),
    commonLbConfig: {
      ...commonLb,
      ...(sharesByLocality(policy, settings) && { localityConfigSpecifier: { case: 'localityWeightedLbConfig' as const, value: {} } }),
    },
    metadata: { filterMetadata: { istio: structOf(clusterMetadata(input, subset)) } },
    ...protocolOptions(input, policy, http),
  })
}

function discovery(input: ClusterInput, subset: string, name: string, cluster: ClusterInit): ClusterInit {
  const { service, settings } = input
  const type = (value: Cluster_DiscoveryType) => ({ clusterDiscoveryType: { case: 'type' as const, value } })
  switch (service.resolution) {
    case 'dns':
    case 'dns-round-robin': {
      const loadAssignment = input.assignment(subset)
      // Envoy's logical DNS takes exactly one name; a subset may have none.
      const names = (loadAssignment.endpoints ?? []).flatMap((group) => group.lbEndpoints ?? [])
      const logical = service.resolution === 'dns-round-robin' && names.length === 1
      return {
        ...type(logical ? Cluster_DiscoveryType.LOGICAL_DNS : Cluster_DiscoveryType.STRICT_DNS),
        dnsLookupFamily: Cluster_DnsLookupFamily.V4_ONLY,
        dnsRefreshRate: duration(parseDuration(settings.mesh.dnsRefreshRate ?? '60s') ?? 60_000),
        respectDnsTtl: true,
        loadAssignment,
      }
    }
    case 'passthrough':
      // A gateway has no address that the application dialled: it needs the endpoints.
      if (!input.gateway) return { ...type(Cluster_DiscoveryType.ORIGINAL_DST), lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }
      break
    case 'static':
      if (cluster.lbPolicy === Cluster_LbPolicy.CLUSTER_PROVIDED) return type(Cluster_DiscoveryType.ORIGINAL_DST)
  }
  return { ...type(Cluster_DiscoveryType.EDS), edsClusterConfig: { edsConfig: ads(), serviceName: name } }
}

function protocolOptions({ port, settings }: ClusterInput, policy: TrafficPolicy, http: HttpOptionsInit): ClusterInit {
  const version = upstreamVersion(port, policy, settings)
  const streams = policy.connectionPool?.http?.maxConcurrentStreams
  const http2 = { maxConcurrentStreams: streams || MAX_STREAMS }
  const empty = Object.values(http).every((value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  if (version === 'http1' && empty) return {}
  const upstreamProtocolOptions: HttpOptionsInit['upstreamProtocolOptions'] =
    version === 'caller'
      ? { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: http2 } }
      : {
          case: 'explicitHttpConfig',
          value: {
            protocolConfig:
              version === 'http1' ? { case: 'httpProtocolOptions', value: {} } : { case: 'http2ProtocolOptions', value: http2 },
          },
        }
  return { typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, { ...http, upstreamProtocolOptions }) } }
}

/** Shares of localities are weights that Envoy looks at only when told to. */
function sharesByLocality(policy: TrafficPolicy, settings: MeshSettings): boolean {
  const setting = policy.loadBalancer?.localityLbSetting ?? settings.mesh.localityLbSetting
  return setting?.enabled !== false && Boolean(setting?.distribute?.length)
}

/** Istio's bound for streams of one upstream connection: as many as HTTP/2 allows. */
const MAX_STREAMS = 2147483647

function clusterMetadata(input: ClusterInput, subset: string) {
  const { service, port, rule } = input
  const first = rule?.rules[0]
  return {
    ...(first && { config: `/apis/networking.istio.io/v1/namespaces/${first.namespace}/destination-rule/${first.name}` }),
    default_original_port: port.number,
    services: [{ host: service.host, name: service.name, namespace: service.namespace }],
    ...(subset && { subset }),
  }
}
