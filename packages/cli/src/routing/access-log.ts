/** Lines of an access log in Istio's default format, as text or JSON. */
import { fieldsOf } from './fields.ts'

export interface LogLine {
  readonly time: string
  /** Empty for connections that carry no HTTP. */
  readonly method: string
  readonly path: string
  readonly protocol: string
  readonly status: number
  readonly flags: string
  readonly details: string
  readonly failure: string
  readonly durationMs: number
  readonly authority: string
  readonly upstreamHost: string
  readonly upstreamCluster: string
  readonly downstreamLocal: string
  readonly downstreamRemote: string
  readonly serverName: string
  readonly routeName: string
}

const LONGEST = 64 * 1024

/** The line as fields; undefined when it is none of the two formats. Text in front of it, as of a log collector, is stepped over. */
export function parseLogLine(text: string): LogLine | undefined {
  const line = text.trim().split('\n').at(-1)?.slice(0, LONGEST).trim() ?? ''
  return line.includes('{') && line.endsWith('}') ? (fromJson(line) ?? fromText(line)) : fromText(line)
}

function fromJson(line: string): LogLine | undefined {
  let value: unknown
  try {
    value = JSON.parse(line.slice(line.indexOf('{')))
  } catch {
    // Braces occur in the text format too.
    return undefined
  }
  const fields = fieldsOf(value)
  if (fields['response_code'] === undefined && fields['upstream_cluster'] === undefined) return undefined
  const read = (name: string): string => given(String(fields[name] ?? ''))
  return {
    time: read('start_time'),
    method: read('method'),
    path: read('path'),
    protocol: read('protocol'),
    status: Number(read('response_code')) || 0,
    flags: read('response_flags'),
    details: read('response_code_details'),
    failure: read('upstream_transport_failure_reason'),
    durationMs: Number(read('duration')) || 0,
    authority: read('authority'),
    upstreamHost: read('upstream_host'),
    upstreamCluster: read('upstream_cluster'),
    downstreamLocal: read('downstream_local_address'),
    downstreamRemote: read('downstream_remote_address'),
    serverName: read('requested_server_name'),
    routeName: read('route_name'),
  }
}

/** How many fields the format has; an older one lacks the termination details. */
const FIELDS = 22

function fromText(line: string): LogLine | undefined {
  const start = line.search(/\[\d{4}-\d\d-\d\dT/)
  if (start < 0) return undefined
  const found = [...line.slice(start).matchAll(/\[([^\]]*)\]|"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(
    ([, time, quoted, word]) => time ?? quoted ?? word ?? '',
  )
  const tokens = found.length === FIELDS - 1 ? found.toSpliced(5, 0, '-') : found
  if (tokens.length < FIELDS) return undefined
  const read = (index: number): string => given(tokens[index] ?? '')
  const [method = '', path = '', protocol = ''] = (tokens[1] ?? '').split(' ').map(given)
  return {
    time: read(0),
    method,
    path,
    protocol,
    status: Number(read(2)) || 0,
    flags: read(3),
    details: read(4),
    failure: read(6),
    durationMs: Number(read(9)) || 0,
    authority: read(14),
    upstreamHost: read(15),
    upstreamCluster: read(16),
    downstreamLocal: read(18),
    downstreamRemote: read(19),
    serverName: read(20),
    routeName: read(21),
  }
}

/** A dash stands for nothing. */
const given = (text: string): string => (text === '-' || text === 'null' || text === 'undefined' ? '' : text)
