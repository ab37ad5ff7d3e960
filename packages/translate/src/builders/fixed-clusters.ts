/** Clusters that every proxy has: for destinations outside the mesh, and for those that must lead nowhere. */
import { duration, packAny, type Resource } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { HttpProtocolOptionsSchema } from '@lateen/envoy/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import type { AddressFamilies, MeshSettings, Service, ServicePort } from '@lateen/model'
import { clientTls } from '../features/client-tls/client-tls.ts'
import type { ClusterContext } from '../features/cluster-feature.ts'
import { connectTimeout, keepalive, unlimited } from '../features/connection-pool/connection-pool.ts'
import { BLACK_HOLE, PASSTHROUGH, RESOLVED } from '../names.ts'
import { encode } from '../resource.ts'
import { HTTP_OPTIONS } from './cluster.ts'
import { byName } from './cluster-discovery.ts'

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
    circuitBreakers: unlimited(settings),
    ...keepalive(undefined, settings),
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, {
        commonHttpProtocolOptions: { idleTimeout: duration(PASSTHROUGH_IDLE) },
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
      }),
    },
  })

/** To where DNS says that the host of a request is. */
export function resolvedCluster(settings: MeshSettings, families: AddressFamilies): Resource {
  const tls = settings.mesh.outboundTrafficPolicy?.tls
  const at: ClusterContext = {
    service: ANY_HOST,
    port: ANY_PORT,
    subset: '',
    settings,
    gateway: false,
    identities: [],
    allMutual: false,
    ruleSelects: true,
  }
  const policy = tls ? { tls } : {}
  const { cluster, http } = (tls ? clientTls(policy, at) : undefined) ?? {}
  return encode(ClusterSchema, RESOLVED, {
    name: RESOLVED,
    ...byName(settings, families, policy),
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: connectTimeout(settings),
    circuitBreakers: unlimited(settings),
    ...keepalive(undefined, settings),
    ...cluster,
    typedExtensionProtocolOptions: {
      [HTTP_OPTIONS]: packAny(HttpProtocolOptionsSchema, {
        commonHttpProtocolOptions: { idleTimeout: duration(PASSTHROUGH_IDLE) },
        // Envoy insists on asking a server for the name that was resolved, and on checking it.
        upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: tls?.insecureSkipVerify !== true },
        ...http,
        upstreamProtocolOptions: { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: {} } },
      }),
    },
  })
}

const ANY_PORT: ServicePort = { name: '', number: 80, protocol: 'auto', target: 80 }

/** What stands for a host that nobody knows. */
const ANY_HOST: Service = {
  key: '',
  host: '*',
  namespace: '',
  name: '*',
  resolution: 'dynamic-dns',
  external: true,
  addresses: [],
  autoAddresses: [],
  ports: [ANY_PORT],
  visibility: '*',
  labels: {},
  selector: undefined,
  headless: false,
  publishNotReady: false,
  externalName: undefined,
  internalTrafficPolicy: 'Cluster',
  trafficDistribution: undefined,
  subjectAltNames: [],
  listed: [],
  created: '',
  origin: { kind: 'ServiceEntry', namespace: '', name: '' },
}
