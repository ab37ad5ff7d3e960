/** Clusters that every proxy has: for destinations outside the mesh, and for those that must lead nowhere. */
import { duration, packAny, type Resource } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts'
import { encode } from '../resource.ts'
import { HTTP_OPTIONS } from './cluster.ts'

const UNLIMITED = 4294967295

export const blackHoleCluster = (): Resource =>
  encode(ClusterSchema, BLACK_HOLE, {
    name: BLACK_HOLE,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(10_000),
  })

/** To the address that the application dialled, in the protocol that it speaks. */
export const passthroughCluster = (): Resource =>
  encode(ClusterSchema, PASSTHROUGH, {
    name: PASSTHROUGH,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(10_000),
    circuitBreakers: {
      thresholds: [
        { maxConnections: UNLIMITED, maxPendingRequests: UNLIMITED, maxRequests: UNLIMITED, maxRetries: UNLIMITED, trackRemaining: true },
      ],
    },
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, {
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
      }),
    },
  })
