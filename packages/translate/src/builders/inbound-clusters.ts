/** Clusters that lead from the proxy to the application: one for each port, and one for ports that no service names. */
import type { ConnectionPoolSettings } from '@lateen/api'
import { duration, packAny, type Resource } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { isHttp2, type Protocol } from '@lateen/model'
import type { ClusterInit, HttpOptionsInit } from '../features/cluster-feature.ts'
import { connectTimeout, poolSettings, unlimited } from '../features/connection-pool/connection-pool.ts'
import { INBOUND_PASSTHROUGH } from '../names.ts'
import { encode } from '../resource.ts'
import { HTTP_OPTIONS } from './cluster.ts'
import type { ApplicationEndpoint, InboundInput, InboundPort } from './inbound.ts'
import { PRESERVED_CASE } from './proxy-headers.ts'
import { filledName } from './stat-name.ts'
import { structOf } from './struct.ts'

/** Traffic from the proxy to the application leaves from here; the capture rules let it pass. */
const PASSTHROUGH_SOURCE = { v4: '127.0.0.6', v6: '::6' }
const LOOPBACK = { v4: '127.0.0.1', v6: '::1' }

type InboundClusterInput = Omit<InboundInput, 'filters'>

export function inboundClusters(input: InboundClusterInput): Resource[] {
  return [...input.ports.map((port) => applicationCluster(input, port)), passthroughCluster(input)]
}

function applicationCluster(input: InboundClusterInput, entry: InboundPort): Resource {
  const { port, protocol, services, pool } = entry
  const name = `inbound|${port}||`
  const settings = pool ? poolSettings({ connectionPool: pool }, input.settings) : undefined
  const endpoint = endpointOf(entry, input)
  const [first] = services
  return encode(ClusterSchema, name, {
    name,
    ...toApplication(input),
    ...settings?.cluster,
    ...(endpoint && toEndpoint(name, endpoint, input)),
    ...(first &&
      input.settings.mesh.inboundClusterStatName && {
        altStatName: filledName(input.settings.mesh.inboundClusterStatName, {
          service: first,
          port: { number: entry.servicePort, name: entry.portName, target: port },
          subset: '',
        }),
      }),
    metadata: {
      filterMetadata: {
        istio: structOf({
          services: services.map(({ host, name, namespace }) => ({ host, name, namespace })),
          ...(first && { service: first.host }),
        }),
      },
    },
    ...httpOptions(input, protocol, pool, settings?.http ?? {}),
  })
}

/** Where the application listens, if not at the address and port that the caller dialled. */
function endpointOf({ port, ingress }: InboundPort, input: InboundClusterInput): ApplicationEndpoint | undefined {
  if (ingress?.endpoint) return ingress.endpoint
  const loopback = { address: input.families === 'v6' ? LOOPBACK.v6 : LOOPBACK.v4, port, ownAddress: false }
  // Nothing was captured, so nobody knows an address that was dialled but the listener's own.
  if (ingress?.bound) return loopback
  return !ingress && input.settings.mesh.inboundTrafficPolicy?.mode === 'LOCALHOST' ? loopback : undefined
}

/** The HTTP version to the application: HTTP/2 where the port says so, the caller's where nothing says what it speaks, else HTTP/1. */
function httpOptions(
  input: InboundClusterInput,
  protocol: Protocol,
  pool: ConnectionPoolSettings | undefined,
  http: HttpOptionsInit,
): ClusterInit {
  const http1 = input.settings.traffic.headers.preserveHttp1HeaderCase ? { headerKeyFormat: PRESERVED_CASE } : {}
  const http2 = { ...(pool?.http?.maxConcurrentStreams && { maxConcurrentStreams: pool.http.maxConcurrentStreams }) }
  const explicit = (protocolConfig: NonNullable<ExplicitHttp['protocolConfig']>): HttpOptionsInit['upstreamProtocolOptions'] => ({
    case: 'explicitHttpConfig',
    value: { protocolConfig },
  })
  const upstreamProtocolOptions: HttpOptionsInit['upstreamProtocolOptions'] =
    protocol === 'auto' || pool?.http?.useClientProtocol
      ? { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: http1, http2ProtocolOptions: http2 } }
      : isHttp2(protocol)
        ? explicit({ case: 'http2ProtocolOptions', value: http2 })
        : Object.keys(http1).length > 0 || Object.keys(http.commonHttpProtocolOptions ?? {}).length > 0
          ? explicit({ case: 'httpProtocolOptions', value: http1 })
          : undefined
  return upstreamProtocolOptions
    ? { typedExtensionProtocolOptions: { [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, { ...http, upstreamProtocolOptions }) } }
    : {}
}

type ExplicitHttp = Extract<NonNullable<HttpOptionsInit['upstreamProtocolOptions']>, { case: 'explicitHttpConfig' }>['value']

function passthroughCluster(input: InboundClusterInput): Resource {
  return encode(ClusterSchema, INBOUND_PASSTHROUGH, {
    name: INBOUND_PASSTHROUGH,
    metadata: { filterMetadata: { istio: structOf({ service: INBOUND_PASSTHROUGH }) } },
    ...toApplication(input),
    ...httpOptions(input, 'auto', undefined, {}),
  })
}

/** Keeps the address dialled, so that applications bound to the pod's address are reached. */
function toApplication(input: InboundClusterInput) {
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: connectTimeout(input.settings),
    cleanupInterval: duration(60_000),
    circuitBreakers: unlimited(input.settings),
    upstreamBindConfig: {
      sourceAddress: passthroughSource(input.families === 'v6' ? 'v6' : 'v4'),
      // Envoy takes the one of the family that it connects to.
      ...(input.families === 'both' && { extraSourceAddresses: [{ address: passthroughSource('v6') }] }),
      ...(input.socketMark !== undefined && { socketOptions: [markOption(input.socketMark)] }),
    },
  }
}

const passthroughSource = (family: 'v4' | 'v6') => ({
  address: PASSTHROUGH_SOURCE[family],
  portSpecifier: { case: 'portValue' as const, value: 0 },
})

/** To where a Sidecar says that the application listens. */
function toEndpoint(name: string, endpoint: ApplicationEndpoint, input: InboundClusterInput) {
  const address =
    'path' in endpoint
      ? { case: 'pipe' as const, value: { path: endpoint.path } }
      : {
          case: 'socketAddress' as const,
          value: { address: endpoint.address, portSpecifier: { case: 'portValue' as const, value: endpoint.port } },
        }
  const local = 'path' in endpoint || !endpoint.ownAddress
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.STATIC },
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint' as const, value: { address: { address } } } }] }],
    },
    // The loopback address is never captured; the pod's own is, but for connections from the address that the rules let pass.
    ...(local && {
      upstreamBindConfig:
        input.socketMark === undefined || 'path' in endpoint ? undefined : { socketOptions: [markOption(input.socketMark)] },
    }),
  }
}

/** SOL_SOCKET, SO_MARK. */
const markOption = (mark: number) => ({ level: 1n, name: 36n, value: { case: 'intValue' as const, value: BigInt(mark) } })
