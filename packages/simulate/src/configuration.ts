/** What a proxy was sent, decoded: the only thing that calls are walked through. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf'
import { type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { type Cluster, ClusterSchema } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { type ClusterLoadAssignment, ClusterLoadAssignmentSchema } from '@lateen/envoy/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { type Listener, ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { type VirtualHost, VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { type RouteConfiguration, RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'

/** Finds by name; what is never asked for is never decoded. */
export interface Lookup<T> {
  get(name: string): T | undefined
}

export interface Configuration {
  readonly listeners: readonly Listener[]
  readonly routes: ReadonlyMap<string, RouteConfiguration>
  /** Virtual hosts sent apart, by the name of their route configuration; named without it. */
  readonly virtualHosts: ReadonlyMap<string, readonly VirtualHost[]>
  readonly clusters: Lookup<Cluster>
  /** Endpoints of clusters that get them apart, by the name under which the cluster asks for them. */
  readonly assignments: Lookup<ClusterLoadAssignment>
}

/** Decodes a proxy's listeners, routes and virtual hosts; clusters and endpoints when they are asked for. */
export function configurationOf(resources: (typeUrl: string) => ResourceSet): Configuration {
  const all = (typeUrl: string) => resources(typeUrl).parts.flatMap((part) => [...part.values()])
  const virtualHosts = new Map<string, VirtualHost[]>()
  for (const { name, bytes } of all(TYPE_URL.VHDS)) {
    const slash = name.indexOf('/')
    const host = fromBinary(VirtualHostSchema, bytes)
    const list = virtualHosts.get(name.slice(0, slash)) ?? []
    list.push({ ...host, name: name.slice(slash + 1) })
    virtualHosts.set(name.slice(0, slash), list)
  }
  return {
    listeners: all(TYPE_URL.LDS).map(({ bytes }) => fromBinary(ListenerSchema, bytes)),
    routes: new Map(all(TYPE_URL.RDS).map(({ name, bytes }) => [name, fromBinary(RouteConfigurationSchema, bytes)])),
    virtualHosts,
    clusters: decoding(resources(TYPE_URL.CDS), ClusterSchema),
    assignments: decoding(resources(TYPE_URL.EDS), ClusterLoadAssignmentSchema),
  }
}

function decoding<D extends DescMessage>({ parts }: ResourceSet, schema: D): Lookup<MessageShape<D>> {
  const decoded = new Map<string, MessageShape<D>>()
  return {
    get(name) {
      const known = decoded.get(name)
      if (known) return known
      const resource = parts.find((part) => part.has(name))?.get(name)
      if (!resource) return undefined
      const message = fromBinary(schema, resource.bytes)
      decoded.set(name, message)
      return message
    },
  }
}
