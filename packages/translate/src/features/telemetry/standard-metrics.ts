/**
 * Istio's standard metrics: access loggers that count instead of writing. Each direction has one logger for requests and two for
 * connections, the same bytes for every proxy: what differs between proxies is known to their agents.
 *
 * Envoy formats the labels of each metric anew at each call, so that there is one label, a record of the call, of which the agent makes
 * Istio's labels (`@lateen/base/call-record`, docs/decisions/0012-metrics.md).
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { defaultMeshConfig } from '@lateen/api'
import {
  type CallSide,
  END_FIELDS,
  PEER_FIELDS,
  RECORD_LABEL,
  RECORD_SEPARATOR,
  REQUEST_FIELDS,
  type RecordField,
} from '@lateen/base/call-record'
import { packAny } from '@lateen/envoy'
import type { AccessLogFilterSchema, AccessLogSchema } from '@lateen/envoy/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { AccessLogType } from '@lateen/envoy/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { ExpressionFilterSchema } from '@lateen/envoy/gen/envoy/extensions/access_loggers/filters/cel/v3/cel_pb.js'
import { ConfigSchema, Config_Histogram_Unit as Unit } from '@lateen/envoy/gen/envoy/extensions/access_loggers/stats/v3/stats_pb.js'
import type { MeshSettings } from '@lateen/model'

type LogInit = Exclude<MessageInitShape<typeof AccessLogSchema>, { $typeName: string }>
type FilterInit = Exclude<MessageInitShape<typeof AccessLogFilterSchema>, { $typeName: string }>
type ConfigInit = Exclude<MessageInitShape<typeof ConfigSchema>, { $typeName: string }>

/** Whether proxies count calls: unless the mesh says that metrics have other providers than a Prometheus, or none. */
export function countsCalls({ mesh }: Pick<MeshSettings, 'mesh'>): boolean {
  const known = [...(mesh.extensionProviders ?? []), ...(defaultMeshConfig().extensionProviders ?? [])]
  const isPrometheus = (name: string) => known.find((provider) => provider.name === name)?.prometheus !== undefined
  return mesh.defaultProviders?.metrics?.some(isPrometheus) ?? true
}

/** The loggers of connection managers. */
export const requestMetrics = (settings: Pick<MeshSettings, 'mesh'>, side: CallSide): readonly LogInit[] =>
  countsCalls(settings) ? REQUESTS[side] : []

/** The loggers of proxies of bytes, which must log connections made ({@link CONNECTIONS_LOGGED}). */
export const connectionMetrics = (settings: Pick<MeshSettings, 'mesh'>, side: CallSide): readonly LogInit[] =>
  countsCalls(settings) ? CONNECTIONS[side] : []

/** Envoy logs a connection when it has one to the upstream too, not only when it ends. */
export const CONNECTIONS_LOGGED = { flushAccessLogOnConnected: true } as const

const COMMON = { flags: '%RESPONSE_FLAGS%', code: '%RESPONSE_CODE%', grpcStatus: '%GRPC_STATUS_NUMBER%' } as const

/** A condition is the one way to ask for the beginning of a header: the whole of it would be a caller's to choose. */
const IS_GRPC = "%CEL(request.headers['content-type'].startsWith('application/grpc'))%"

type FieldsOf<S extends CallSide> = (typeof PEER_FIELDS)[S][number] | (typeof END_FIELDS)[number] | (typeof REQUEST_FIELDS)[number]

const FORMATS: { readonly [S in CallSide]: Readonly<Record<FieldsOf<S>, string>> } = {
  outbound: {
    ...COMMON,
    isGrpc: IS_GRPC,
    service: '%METADATA(ROUTE:istio:service)%',
    cluster: '%UPSTREAM_CLUSTER_RAW%',
    endpoint: '%METADATA(UPSTREAM_HOST:istio:workload)%',
    localPrincipal: '%UPSTREAM_LOCAL_URI_SAN%',
    peerPrincipal: '%UPSTREAM_PEER_URI_SAN%',
  },
  inbound: {
    ...COMMON,
    isGrpc: IS_GRPC,
    service: '%METADATA(CLUSTER:istio:service)%',
    localPrincipal: '%DOWNSTREAM_LOCAL_URI_SAN%',
    peerPrincipal: '%DOWNSTREAM_PEER_URI_SAN%',
    subject: '%DOWNSTREAM_PEER_SUBJECT%',
  },
}

function record(side: CallSide, fields: readonly RecordField[]): string {
  const formats: Partial<Record<RecordField, string>> = FORMATS[side]
  return fields.map((field) => formats[field] ?? '').join(RECORD_SEPARATOR)
}

const stat = (name: string, side: CallSide, valueFormat: string) => ({ name, tags: [{ name: RECORD_LABEL[side], valueFormat }] })

/**
 * Series that one logger may have: what a peer can make it count must not fill the proxy's memory. A proxy has a few loggers for every
 * chain; a scope that they share (`sharing_name`) would bound them together, but Envoy 1.40 crashes when it ends with one.
 */
const LIMITS = { maxCounters: 5_000, maxHistograms: 7_500 } as const

function logger(config: ConfigInit): LogInit {
  return {
    name: 'envoy.access_loggers.stats',
    configType: { case: 'typedConfig', value: packAny(ConfigSchema, { statsScope: LIMITS, ...config }) },
  }
}

function requests(side: CallSide): readonly LogInit[] {
  const call = record(side, [...PEER_FIELDS[side], ...END_FIELDS, ...REQUEST_FIELDS])
  const sized = (name: string, unit: Unit, valueFormat: string) => ({ stat: stat(name, side, call), unit, valueFormat })
  return [
    logger({
      counters: [{ stat: stat('istio_requests_total', side, call), valueFixed: 1n }],
      histograms: [
        sized('istio_request_duration_milliseconds', Unit.Milliseconds, '%DURATION%'),
        sized('istio_request_bytes', Unit.Bytes, '%DOWNSTREAM_WIRE_BYTES_RECEIVED%'),
        sized('istio_response_bytes', Unit.Bytes, '%DOWNSTREAM_WIRE_BYTES_SENT%'),
      ],
    }),
  ]
}

const at = (type: AccessLogType): FilterInit => ({ filterSpecifier: { case: 'logTypeFilter', value: { types: [type] } } })

/** A connection that ends without ever having had one to the upstream, refused or failed, was one as well. */
const OPENED: FilterInit = anyOf([
  at(AccessLogType.TcpUpstreamConnected),
  {
    filterSpecifier: {
      case: 'andFilter',
      value: { filters: [at(AccessLogType.TcpConnectionEnd), where('!has(upstream.local_address)')] },
    },
  },
])

function anyOf(filters: FilterInit[]): FilterInit {
  return { filterSpecifier: { case: 'orFilter', value: { filters } } }
}

function where(expression: string): FilterInit {
  const typedConfig = packAny(ExpressionFilterSchema, { expression })
  const name = 'envoy.access_loggers.extension_filters.cel'
  return { filterSpecifier: { case: 'extensionFilter', value: { name, configType: { case: 'typedConfig', value: typedConfig } } } }
}

function connections(side: CallSide): readonly LogInit[] {
  const call = record(side, [...PEER_FIELDS[side], ...END_FIELDS])
  const counter = (name: string, value: { readonly valueFixed: bigint } | { readonly valueFormat: string }) => ({
    stat: stat(name, side, call),
    ...value,
  })
  return [
    {
      filter: OPENED,
      ...logger({ counters: [counter('istio_tcp_connections_opened_total', { valueFixed: 1n })] }),
    },
    {
      filter: at(AccessLogType.TcpConnectionEnd),
      ...logger({
        counters: [
          counter('istio_tcp_connections_closed_total', { valueFixed: 1n }),
          counter('istio_tcp_sent_bytes_total', { valueFormat: '%BYTES_SENT%' }),
          counter('istio_tcp_received_bytes_total', { valueFormat: '%BYTES_RECEIVED%' }),
        ],
      }),
    },
  ]
}

const REQUESTS = { outbound: requests('outbound'), inbound: requests('inbound') } as const
const CONNECTIONS = { outbound: connections('outbound'), inbound: connections('inbound') } as const
