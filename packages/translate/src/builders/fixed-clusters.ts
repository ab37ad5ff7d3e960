/** Clusters that every proxy has: for destinations outside the mesh, and for those that must lead nowhere. */
import { duration, packAny, type Resource } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { MeshSettings } from '@lateen/model'
import { connectTimeout, keepalive, unlimited } from '../features/connection-pool/connection-pool.ts'
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts'
import { encode } from '../resource.ts'
import { HTTP_OPTIONS } from './cluster.ts'

export const blackHoleCluster = (settings: MeshSettings): Resource =>
  encode(ClusterSchema, BLACK_HOLE, {
    name: BLACK_HOLE,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: connectTimeout(settings),
  })

/** How long a connection to somewhere unknown stays open without requests (milliseconds). */
const PASSTHROUGH_IDLE = 300_000

/** To the address that the application dialled, in the protocol that it speaks. */
export const passthroughCluster = (settings: MeshSettings): Resource =>
  encode(ClusterSchema, PASSTHROUGH, {
    name: PASSTHROUGH,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: connectTimeout(settings),
    circuitBreakers: unlimited(),
    ...keepalive(undefined, settings),
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, {
        commonHttpProtocolOptions: { idleTimeout: duration(PASSTHROUGH_IDLE) },
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
      }),
    },
  })
