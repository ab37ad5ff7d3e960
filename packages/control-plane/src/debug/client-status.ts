/**
 * `envoy.service.status.v3.ClientConfig`: what istioctl reads of each proxy for `proxy-status`. Written field by field, since Envoy's own
 * messages of this service are used for nothing else. Source: `envoy/service/status/v3/csds.proto`.
 */
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { TimestampSchema, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { TYPE_URL } from '@lateen/envoy'
import { NodeSchema } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import type { ConnectionStatus, TypeStatus } from '@lateen/xds'
import { proxyName, proxysOwn } from './connection-pages.ts'

export const CLIENT_CONFIG_TYPE = 'type.googleapis.com/envoy.service.status.v3.ClientConfig'

/** `ConfigStatus`. */
const STATUS = { unknown: 0, synced: 1, notSent: 2, stale: 3, error: 4 } as const
/** Fields of ClientConfig, of GenericXdsConfig in it, and of UpdateFailureState in that. */
const CLIENT = { node: 1, configs: 3 } as const
const CONFIG = { typeUrl: 1, lastUpdated: 5, status: 6, errorState: 8 } as const
const FAILURE = { details: 3 } as const

/** Types that istioctl has columns for: they are told as unknown where a proxy does not ask for them. */
const ALWAYS = [TYPE_URL.CDS, TYPE_URL.LDS, TYPE_URL.EDS, TYPE_URL.RDS, TYPE_URL.ECDS]

/** The message about one connection. */
export function clientConfig(connection: ConnectionStatus, clusterId: string): Uint8Array {
  const { metadata } = connection.node
  const node = create(NodeSchema, {
    id: proxyName(connection),
    metadata: { CLUSTER_ID: clusterId, ...jsonObject(metadata) },
  })
  const writer = new BinaryWriter()
  writer.tag(CLIENT.node, WireType.LengthDelimited).bytes(toBinary(NodeSchema, node))
  const asked = new Map(proxysOwn(connection.types).map((type) => [type.typeUrl, type]))
  for (const typeUrl of new Set([...ALWAYS, ...asked.keys()])) {
    writer.tag(CLIENT.configs, WireType.LengthDelimited).bytes(genericConfig(typeUrl, asked.get(typeUrl)))
  }
  return writer.finish()
}

function genericConfig(typeUrl: string, type: TypeStatus | undefined): Uint8Array {
  const writer = new BinaryWriter()
  writer.tag(CONFIG.typeUrl, WireType.LengthDelimited).string(typeUrl)
  if (type && type.sentAt > 0) {
    const time = toBinary(TimestampSchema, timestampFromMs(type.sentAt))
    writer.tag(CONFIG.lastUpdated, WireType.LengthDelimited).bytes(time)
  }
  writer.tag(CONFIG.status, WireType.Varint).int32(statusOf(type))
  if (type?.error) {
    const failure = new BinaryWriter().tag(FAILURE.details, WireType.LengthDelimited).string(type.error).finish()
    writer.tag(CONFIG.errorState, WireType.LengthDelimited).bytes(failure)
  }
  return writer.finish()
}

function statusOf(type: TypeStatus | undefined): number {
  if (!type) return STATUS.unknown
  if (type.error !== '') return STATUS.error
  if (type.state === 'NOT SENT') return STATUS.notSent
  return type.state === 'SYNCED' ? STATUS.synced : STATUS.stale
}

/** What came as a protobuf struct is JSON. */
const jsonObject = (metadata: ConnectionStatus['node']['metadata']): JsonObject => metadata as JsonObject
