/**
 * Small constructors over the generated messages. Message schemas are imported by file, so that a program loads only what it
 * uses: `import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'`.
 */
import { create, type DescMessage, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf'
import { type Any, AnySchema, type Duration, DurationSchema } from '@bufbuild/protobuf/wkt'

/** `type.googleapis.com/` and the message's full name: how Envoy names a type. */
export function typeUrl(schema: DescMessage): string {
  return `type.googleapis.com/${schema.typeName}`
}

/**
 * Packs a message into an Any. Map fields are written in key order, so that equal messages have equal bytes.
 */
export function packAny<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any {
  return packMessage(schema, create(schema, init))
}

/** Packs a message that is already made. */
export function packMessage<D extends DescMessage>(schema: D, message: MessageShape<D>): Any {
  return create(AnySchema, { typeUrl: typeUrl(schema), value: toBinary(schema, message) })
}

/** A protobuf duration of milliseconds. */
export function duration(milliseconds: number): Duration {
  const seconds = Math.trunc(milliseconds / 1000)
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1e6) })
}

/** The type URLs of the discovery services, by the short name that Istio's tables use. */
export const TYPE_URL = {
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RDS: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  VHDS: 'type.googleapis.com/envoy.config.route.v3.VirtualHost',
  SDS: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
  ECDS: 'type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig',
  NDS: 'type.googleapis.com/istio.networking.nds.v1.NameTable',
  PCDS: 'type.googleapis.com/istio.mesh.v1alpha1.ProxyConfig',
} as const

/** Requests of this type are an agent's word on the health of its workload: healthy, or with an error that says why not. */
export const HEALTH_REPORT = 'type.googleapis.com/istio.v1.HealthInformation'

/**
 * Whether an acknowledgement of a type says that it is in force, and so may take a minute: what agents are told of trust. Nobody waits
 * for it who waits for configuration.
 */
export const isAnsweredLater = (typeUrl: string): boolean => typeUrl.startsWith('type.googleapis.com/lateen.trust.')

export type { Resource, ResourceSet } from './resource.ts'
