/**
 * A mesh made of nothing: resources of realistic size for many services, and the four changes that the load generator makes, as
 * a ResourceSource. It stands in for the whole control plane when only the xDS server is measured.
 */
import { createHash } from 'node:crypto'
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { duration, packAny, type Resource, type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { Cluster_DiscoveryType, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { HttpConnectionManagerSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { ResourceSource, Session } from '@lateen/xds'

const ROUTE = '80'
const ads = { configSourceSpecifier: { case: 'ads' as const, value: {} }, resourceApiVersion: 2, initialFetchTimeout: duration(0) }

/** How many services, and endpoints for each. */
export interface MeshSize {
  readonly services: number
  readonly endpoints: number
  readonly namespaces: number
}

export class SyntheticMesh implements ResourceSource {
  readonly #size: MeshSize
  readonly #parts = new Map<string, Map<number, ReadonlyMap<string, Resource>>>()
  readonly #sets = new Map<string, ResourceSet>()
  readonly #listeners = new Set<() => void>()

  constructor(size: MeshSize) {
    this.#size = size
    for (let i = 0; i < size.services; i++) this.addService(this.name(i), this.namespace(i), this.#endpoints(i))
    this.#put(TYPE_URL.LDS, -1, this.#listener())
    this.#put(TYPE_URL.RDS, -1, this.#route())
  }

  name(i: number): string {
    return `svc-${String(i).padStart(5, '0')}`
  }

  namespace(i: number): string {
    return `bench-${String(i % this.#size.namespaces).padStart(3, '0')}`
  }

  addService(name: string, namespace: string, endpoints: readonly string[]): void {
    const host = `${name}.${namespace}.svc.cluster.local`
    const part = Number(namespace.slice(-3))
    this.#put(TYPE_URL.CDS, part, this.#cluster(host, ''))
    this.#put(TYPE_URL.EDS, part, this.#assignment(host, endpoints))
    this.#put(TYPE_URL.VHDS, part, this.#virtualHost(host, ''))
  }

  setEndpoints(name: string, namespace: string, endpoints: readonly string[]): void {
    this.#put(TYPE_URL.EDS, Number(namespace.slice(-3)), this.#assignment(`${name}.${namespace}.svc.cluster.local`, endpoints))
  }

  setHeader(host: string, value: string): void {
    this.#put(TYPE_URL.VHDS, Number(host.split('.')[1]?.slice(-3)), this.#virtualHost(host, value))
  }

  addSubset(host: string, subset: string): void {
    const part = Number(host.split('.')[1]?.slice(-3))
    this.#put(TYPE_URL.CDS, part, this.#cluster(host, subset))
    this.#put(TYPE_URL.EDS, part, this.#assignment(host, ['10.16.0.1'], subset))
  }

  /** Tells all sessions; a batch of changes ends with it. */
  publish(): void {
    this.#sets.clear()
    for (const listener of this.#listeners) listener()
  }

  open(node: { readonly id: string }, _peer: unknown, _options: unknown, onChange: () => void): Session {
    this.#listeners.add(onChange)
    // As in a real mesh, each proxy has clusters of its own, for what it serves itself.
    const own = this.#cluster(`inbound.${node.id}`, '')
    const ownPart = new Map([[own.name, own]])
    let shared: ResourceSet | undefined
    let clusters: ResourceSet = { parts: [] }
    const resources = (typeUrl: string): ResourceSet => {
      const set = this.#set(typeUrl)
      if (typeUrl !== TYPE_URL.CDS) return set
      if (set !== shared) {
        shared = set
        clusters = { parts: [...set.parts, ownPart] }
      }
      return clusters
    }
    return { resources, close: () => void this.#listeners.delete(onChange) }
  }

  rejected(): void {}
  accepted(): void {}

  #set(typeUrl: string): ResourceSet {
    let set = this.#sets.get(typeUrl)
    if (!set) this.#sets.set(typeUrl, (set = { parts: [...(this.#parts.get(typeUrl)?.values() ?? [])] }))
    return set
  }

  #put(typeUrl: string, part: number, resource: Resource): void {
    let parts = this.#parts.get(typeUrl)
    if (!parts) this.#parts.set(typeUrl, (parts = new Map()))
    parts.set(part, new Map(parts.get(part) ?? []).set(resource.name, resource))
  }

  #endpoints(i: number): string[] {
    const { endpoints, services } = this.#size
    return Array.from({ length: endpoints }, (_, e) => podAddress(e * services + i))
  }

  #cluster(host: string, subset: string): Resource {
    const name = `outbound|80|${subset}|${host}`
    return resource(name, ClusterSchema, {
      name,
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
      edsClusterConfig: { edsConfig: ads, serviceName: name },
      connectTimeout: duration(10_000),
      metadata: {
        filterMetadata: { istio: { services: [{ host, name: host.split('.')[0] ?? '', namespace: host.split('.')[1] ?? '' }] } },
      },
      transportSocketMatches: ['tlsMode-istio', 'tlsMode-disabled'].map((match) => ({
        name: match,
        match: { tlsMode: match },
        transportSocket: {
          name: 'envoy.transport_sockets.tls',
          configType: { case: 'typedConfig' as const, value: { typeUrl: 'type.googleapis.com/bench.Tls', value: Buffer.alloc(320, host) } },
        },
      })),
    })
  }

  #assignment(host: string, addresses: readonly string[], subset = ''): Resource {
    const clusterName = `outbound|80|${subset}|${host}`
    return resource(clusterName, ClusterLoadAssignmentSchema, {
      clusterName,
      endpoints: [
        {
          loadBalancingWeight: addresses.length,
          lbEndpoints: addresses.map((address) => ({
            loadBalancingWeight: 1,
            hostIdentifier: {
              case: 'endpoint' as const,
              value: {
                address: {
                  address: {
                    case: 'socketAddress' as const,
                    value: { address, portSpecifier: { case: 'portValue' as const, value: 8080 } },
                  },
                },
              },
            },
            metadata: { filterMetadata: { istio: { workload: `${host};bench;v1` } } },
          })),
        },
      ],
    })
  }

  #virtualHost(host: string, header: string): Resource {
    const [service = '', namespace = ''] = host.split('.')
    const short = [host, `${service}.${namespace}`, `${service}.${namespace}.svc`]
    const name = `${ROUTE}/${host}:80`
    return resource(name, VirtualHostSchema, {
      name,
      domains: short.flatMap((domain) => [domain, `${domain}:80`]),
      routes: [
        {
          name: 'default',
          match: { pathSpecifier: { case: 'prefix', value: '/' } },
          requestHeadersToAdd: header ? [{ header: { key: 'x-bench', value: header } }] : [],
          action: {
            case: 'route',
            value: {
              clusterSpecifier: { case: 'cluster', value: `outbound|80||${host}` },
              timeout: duration(0),
              retryPolicy: { retryOn: 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes', numRetries: 2 },
            },
          },
        },
      ],
    })
  }

  #route(): Resource {
    return resource(ROUTE, RouteConfigurationSchema, { name: ROUTE, vhds: { configSource: ads }, virtualHosts: [] })
  }

  #listener(): Resource {
    const manager = packAny(HttpConnectionManagerSchema, {
      statPrefix: 'outbound_0.0.0.0_80',
      routeSpecifier: { case: 'rds', value: { routeConfigName: ROUTE, configSource: ads } },
    })
    const filter = { name: 'envoy.filters.network.http_connection_manager', configType: { case: 'typedConfig' as const, value: manager } }
    return resource('0.0.0.0_80', ListenerSchema, { name: '0.0.0.0_80', filterChains: [{ filters: [filter] }] })
  }
}

function resource<D extends DescMessage>(name: string, schema: D, init: MessageInitShape<D>): Resource {
  const bytes = toBinary(schema, create(schema, init))
  return { name, version: createHash('sha256').update(bytes).digest('base64url').slice(0, 16), bytes }
}

function podAddress(pod: number): string {
  return `10.${16 + Math.floor(pod / 62_500)}.${Math.floor(pod / 250) % 250}.${1 + (pod % 250)}`
}
