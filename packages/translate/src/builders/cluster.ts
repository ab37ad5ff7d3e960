/** Clusters: one for each port of a service and for each of its subsets. */
import type { TrafficPolicy } from '@lateen/api'
import { packAny, type Resource } from '@lateen/envoy'
import { ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { type AddressFamilies, type EffectiveRule, isHttp, type MeshSettings, type Service, type ServicePort } from '@lateen/model'
import type { ClusterContext, ClusterInit, HttpOptionsInit } from '../features/cluster-feature.ts'
import { weighsLocalities } from '../features/locality/locality.ts'
import { CLUSTER_FEATURES } from '../features/order.ts'
import { proxyProtocolSockets } from '../features/proxy-protocol/proxy-protocol.ts'
import { clusterName } from '../names.ts'
import { encode } from '../resource.ts'
import { discovery } from './cluster-discovery.ts'
import type { LoadAssignmentInit } from './endpoints.ts'
import { PRESERVED_CASE } from './proxy-headers.ts'
import { statName } from './stat-name.ts'
import { structOf } from './struct.ts'
import { policyOf } from './traffic-policy.ts'
import { upstreamVersion } from './upstream-protocol.ts'

export interface ClusterInput {
  readonly service: Service
  readonly port: ServicePort
  readonly rule: EffectiveRule | undefined
  readonly settings: MeshSettings
  readonly gateway: boolean
  /** What the client can reach. */
  readonly families: AddressFamilies
  /** Upper and lower case of HTTP/1 header names are kept. */
  readonly keepsCase: boolean
  readonly identities: readonly string[]
  readonly allMutual: boolean
  /** Endpoints for clusters that carry them inline (names resolved by the proxy). */
  readonly assignment: (subset: string) => LoadAssignmentInit
}

export const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** The cluster of a port and those of its subsets; none for a port whose names cannot be found out. */
export function outboundClusters(input: ClusterInput): Resource[] {
  const { protocol } = input.port
  if (input.service.resolution === 'dynamic-dns' && !isHttp(protocol) && protocol !== 'tls') return []
  return ['', ...(input.rule?.subsets ?? []).map((subset) => subset.name)].map((subset) =>
    outboundCluster(input, subset, policyOf(input.rule, subset, input.port.number)),
  )
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
    ruleSelects: input.rule?.selects ?? false,
  }
  const contributions = CLUSTER_FEATURES.map((feature) => feature(policy, at))
  const cluster: ClusterInit = Object.assign({}, ...contributions.map((contribution) => contribution?.cluster ?? {}))
  const http: HttpOptionsInit = Object.assign({}, ...contributions.map((contribution) => contribution?.http ?? {}))
  const commonLb = Object.assign({}, ...contributions.map((contribution) => contribution?.commonLb ?? {}))
  return encode(ClusterSchema, name, {
    name,
    ...statName(settings.mesh.outboundClusterStatName, { service, port, subset }),
    ...cluster,
    ...proxyProtocolSockets(policy, cluster),
    ...discovery(input, subset, name, cluster, policy),
    commonLbConfig: {
      ...commonLb,
      // Hosts that are not ready are there to be seen, not to be tried.
      ...(settings.switches.sendsUnhealthy && { healthyPanicThreshold: { value: 0 } }),
      // Shares of localities are weights that Envoy looks at only when told to.
      ...((settings.switches.weighsLocalities || weighsLocalities(policy, service, settings)) && {
        localityConfigSpecifier: { case: 'localityWeightedLbConfig' as const, value: {} },
      }),
    },
    metadata: { filterMetadata: { istio: structOf(clusterMetadata(input, subset)) } },
    ...protocolOptions(input, policy, http),
  })
}

function protocolOptions(input: ClusterInput, policy: TrafficPolicy, http: HttpOptionsInit): ClusterInit {
  const { port, service } = input
  const version = upstreamVersion(port, policy, input)
  const http1 = input.keepsCase && (isHttp(port.protocol) || port.protocol === 'auto') ? { headerKeyFormat: PRESERVED_CASE } : {}
  const streams = policy.connectionPool?.http?.maxConcurrentStreams
  const http2 = { maxConcurrentStreams: streams || MAX_STREAMS }
  const empty = Object.values(http).every((value) => typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  // A name that is resolved for each request is also the one to ask the server for; Envoy insists on it.
  const byName = service.resolution === 'dynamic-dns' && !http.upstreamHttpProtocolOptions
  if (version === 'http1' && empty && !byName && Object.keys(http1).length === 0) return {}
  const upstreamProtocolOptions: HttpOptionsInit['upstreamProtocolOptions'] =
    version === 'caller'
      ? { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: http1, http2ProtocolOptions: http2 } }
      : {
          case: 'explicitHttpConfig',
          value: {
            protocolConfig:
              version === 'http1' ? { case: 'httpProtocolOptions', value: http1 } : { case: 'http2ProtocolOptions', value: http2 },
          },
        }
  const options = {
    ...http,
    ...(byName && { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } }),
    upstreamProtocolOptions,
  }
  return { typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, options) } }
}

/** Istio's bound for streams of one upstream connection: as many as HTTP/2 allows. */
const MAX_STREAMS = 2147483647

function clusterMetadata(input: ClusterInput, subset: string) {
  const { service, port, rule } = input
  const first = rule?.rules[0]
  return {
    ...(first && { config: `/apis/networking.istio.io/v1/namespaces/${first.namespace}/destination-rule/${first.name}` }),
    default_original_port: port.number,
    ...(service.external && { external: true }),
    services: [{ host: service.host, name: service.name, namespace: service.namespace }],
    ...(subset && { subset }),
  }
}
