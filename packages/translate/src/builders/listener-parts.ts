/** Pieces that listeners of every kind share. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import type { AddressSchema } from '@lateen/envoy/gen/envoy/config/core/v3/address_pb.js'
import { SocketAddress_Protocol as SocketProtocol } from '@lateen/envoy/gen/envoy/config/core/v3/address_pb.js'
import type { FilterChainSchema, ListenerFilterSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { HttpInspectorSchema } from '@lateen/envoy/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'
import { OriginalDstSchema } from '@lateen/envoy/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { OriginalSrcSchema } from '@lateen/envoy/gen/envoy/extensions/filters/listener/original_src/v3/original_src_pb.js'
import { TlsInspectorSchema } from '@lateen/envoy/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import type { AddressFamilies, MeshSettings } from '@lateen/model'

export type ListenerInit = Partial<Exclude<MessageInitShape<typeof ListenerSchema>, { $typeName: string }>>
export type FilterChainInit = Partial<Exclude<MessageInitShape<typeof FilterChainSchema>, { $typeName: string }>>
export type ListenerFilterInit = Exclude<MessageInitShape<typeof ListenerFilterSchema>, { $typeName: string }>

/** A listener filter by its name in Envoy. */
export const listenerFilter = (name: string, value: ReturnType<typeof packAny>): ListenerFilterInit => ({
  name,
  configType: { case: 'typedConfig', value },
})

export const ORIGINAL_DST = listenerFilter('envoy.filters.listener.original_dst', packAny(OriginalDstSchema, {}))
export const TLS_INSPECTOR = listenerFilter('envoy.filters.listener.tls_inspector', packAny(TlsInspectorSchema, {}))
export const HTTP_INSPECTOR = listenerFilter('envoy.filters.listener.http_inspector', packAny(HttpInspectorSchema, {}))
/** Keeps the caller's address towards the application; the mark is the one that capture rules of this kind expect. */
export const ORIGINAL_SRC = listenerFilter('envoy.filters.listener.original_src', packAny(OriginalSrcSchema, { mark: 1337 }))

/** What the HTTP inspector says of plain HTTP; HTTP/1.0 counts as bytes where it is not taken. */
export const plainHttp = ({ switches }: MeshSettings): string[] => [...(switches.http10 ? ['http/1.0'] : []), ...PLAIN_HTTP]

const PLAIN_HTTP = ['http/1.1', 'h2c'] as const

/** Whether a chain is for plain HTTP, which has to be found out. */
export const looksForHttp = ({ filterChainMatch }: FilterChainInit): boolean =>
  PLAIN_HTTP.some((name) => filterChainMatch?.applicationProtocols?.includes(name))

/** How long sniffing may take before the connection is treated as bytes; 0 waits for ever (Istio's default). */
export function detection(settings: MeshSettings): ListenerInit {
  return {
    listenerFiltersTimeout: duration(parseDuration(settings.mesh.protocolDetectionTimeout ?? '0s') ?? 0),
    continueOnListenerFiltersTimeout: true,
  }
}

export function socketAddress(address: string, port: number, protocol = SocketProtocol.TCP): MessageInitShape<typeof AddressSchema> {
  return {
    address: { case: 'socketAddress', value: { address, protocol, portSpecifier: { case: 'portValue', value: port } } },
  }
}

/** Addresses of a listener: the first is the one that it is named by. */
export function listenAt([first = '0.0.0.0', ...others]: readonly string[], port: number, protocol = SocketProtocol.TCP): ListenerInit {
  const at = (address: string) => socketAddress(address, port, protocol)
  return {
    address: at(first),
    ...(others.length > 0 && { additionalAddresses: others.map((address) => ({ address: at(address) })) }),
  }
}

/** Every address of a proxy, and its loopback addresses: of the family that it has, of both where it listens on both. */
export function ownAddresses(families: AddressFamilies, { switches }: Pick<MeshSettings, 'switches'>) {
  if (families === 'v6') return { wildcards: ['::'], loopbacks: ['::1'] }
  if (families === 'v4' || !switches.dualStack) return { wildcards: ['0.0.0.0'], loopbacks: ['127.0.0.1'] }
  return { wildcards: ['0.0.0.0', '::'], loopbacks: ['127.0.0.1', '::1'] }
}

/** How many connections a listener of all ports takes before it looks at others. */
export const acceptedAtOnce = ({ switches }: MeshSettings): ListenerInit =>
  switches.acceptedAtOnce > 0 ? { maxConnectionsToAcceptPerSocketEvent: switches.acceptedAtOnce } : {}

/** New connections go to the worker that has the fewest, where the proxy asks for that. */
export const balanced = (exact: boolean): ListenerInit =>
  exact ? { connectionBalanceConfig: { balanceType: { case: 'exactBalance', value: {} } } } : {}
