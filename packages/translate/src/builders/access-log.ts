/** Access logs: Istio's default line, or the format that the mesh configuration gives. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { packAny } from '@lateen/envoy'
import type { AccessLogSchema } from '@lateen/envoy/gen/envoy/config/accesslog/v3/accesslog_pb.js'
import { AccessLogType } from '@lateen/envoy/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { FileAccessLogSchema } from '@lateen/envoy/gen/envoy/extensions/access_loggers/file/v3/file_pb.js'
import type { MeshSettings } from '@lateen/model'
import { structOf } from './struct.ts'

export type AccessLogInit = MessageInitShape<typeof AccessLogSchema>
type LogInit = Exclude<AccessLogInit, { $typeName: string }>

const FIELDS = {
  start_time: '%START_TIME%',
  method: '%REQ(:METHOD)%',
  path: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%',
  protocol: '%PROTOCOL%',
  response_code: '%RESPONSE_CODE%',
  response_flags: '%RESPONSE_FLAGS%',
  response_code_details: '%RESPONSE_CODE_DETAILS%',
  connection_termination_details: '%CONNECTION_TERMINATION_DETAILS%',
  upstream_transport_failure_reason: '%UPSTREAM_TRANSPORT_FAILURE_REASON%',
  bytes_received: '%BYTES_RECEIVED%',
  bytes_sent: '%BYTES_SENT%',
  duration: '%DURATION%',
  upstream_service_time: '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%',
  x_forwarded_for: '%REQ(X-FORWARDED-FOR)%',
  user_agent: '%REQ(USER-AGENT)%',
  request_id: '%REQ(X-REQUEST-ID)%',
  authority: '%REQ(:AUTHORITY)%',
  upstream_host: '%UPSTREAM_HOST%',
  upstream_cluster: '%UPSTREAM_CLUSTER_RAW%',
  upstream_local_address: '%UPSTREAM_LOCAL_ADDRESS%',
  downstream_local_address: '%DOWNSTREAM_LOCAL_ADDRESS%',
  downstream_remote_address: '%DOWNSTREAM_REMOTE_ADDRESS%',
  requested_server_name: '%REQUESTED_SERVER_NAME%',
  route_name: '%ROUTE_NAME%',
} as const

type Field = keyof typeof FIELDS
const QUOTED: ReadonlySet<Field> = new Set([
  'upstream_transport_failure_reason',
  'x_forwarded_for',
  'user_agent',
  'request_id',
  'authority',
  'upstream_host',
])

/** Istio's default line: the fields in order, method, path and protocol as one quoted request line. */
function defaultLine(): string {
  const rest = (Object.keys(FIELDS) as Field[])
    .filter((name) => !['start_time', 'method', 'path', 'protocol'].includes(name))
    .map((name) => (QUOTED.has(name) ? `"${FIELDS[name]}"` : FIELDS[name]))
  return `[${FIELDS.start_time}] "${FIELDS.method} ${FIELDS.path} ${FIELDS.protocol}" ${rest.join(' ')}\n`
}

/** The access logs of listeners and connection managers; none when the mesh names no file. */
export function accessLogs(settings: MeshSettings): AccessLogInit[] {
  return logs(settings, {})
}

/** The same for connections of which Envoy is told to log more than the end. */
export function endLogs(settings: MeshSettings): AccessLogInit[] {
  return logs(settings, { filter: { filterSpecifier: { case: 'logTypeFilter', value: { types: [AccessLogType.TcpConnectionEnd] } } } })
}

/** The same for connections that no filter chain of a listener took. */
export function unroutedLogs(settings: MeshSettings): AccessLogInit[] {
  return logs(settings, { filter: { filterSpecifier: { case: 'responseFlagFilter', value: { flags: ['NR'] } } } })
}

function logs(settings: MeshSettings, when: Pick<LogInit, 'filter'>): AccessLogInit[] {
  const { accessLogFile, accessLogFormat, accessLogEncoding } = settings.mesh
  if (!accessLogFile) return []
  const format =
    accessLogEncoding === 'JSON'
      ? { case: 'jsonFormat' as const, value: structOf(parseFormat(accessLogFormat) ?? FIELDS) }
      : {
          case: 'textFormatSource' as const,
          value: { specifier: { case: 'inlineString' as const, value: accessLogFormat || defaultLine() } },
        }
  return [
    {
      ...when,
      name: 'envoy.access_loggers.file',
      configType: {
        case: 'typedConfig',
        value: packAny(FileAccessLogSchema, { path: accessLogFile, accessLogFormat: { case: 'logFormat', value: { format } } }),
      },
    },
  ]
}

/** A JSON format is an object written as text; anything else falls back to the default. */
function parseFormat(text: string | undefined): Record<string, unknown> | undefined {
  if (!text) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
