/** What a proxy was sent, decoded: the only thing that calls are walked through. */
import { fromBinary } from '@bufbuild/protobuf'
import { type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { type Listener, ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { type VirtualHost, VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { type RouteConfiguration, RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'

export interface Configuration {
  readonly listeners: readonly Listener[]
  readonly routes: ReadonlyMap<string, RouteConfiguration>
  /** Virtual hosts sent apart, by the name of their route configuration; named without it. */
  readonly virtualHosts: ReadonlyMap<string, readonly VirtualHost[]>
}

/** Decodes a proxy's listeners, routes and virtual hosts. */
export function configurationOf(resources: (typeUrl: string) => ResourceSet): Configuration {
  const all = (typeUrl: string) => resources(typeUrl).parts.flatMap((part) => [...part.values()])
  const virtualHosts = new Map<string, VirtualHost[]>()
  for (const { name, bytes } of all(TYPE_URL.VHDS)) {
    const slash = name.indexOf('/')
    const host = fromBinary(VirtualHostSchema, bytes)
    const list = virtualHosts.get(name.slice(0, slash)) ?? []
    virtualHosts.set(name.slice(0, slash), [...list, { ...host, name: name.slice(slash + 1) }])
  }
  return {
    listeners: all(TYPE_URL.LDS).map(({ bytes }) => fromBinary(ListenerSchema, bytes)),
    routes: new Map(all(TYPE_URL.RDS).map(({ name, bytes }) => [name, fromBinary(RouteConfigurationSchema, bytes)])),
    virtualHosts,
  }
}
