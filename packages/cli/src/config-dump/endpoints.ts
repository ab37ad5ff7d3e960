/** Endpoints: as configured (in a dump with `?include_eds`) and as Envoy sees them now (its `/clusters?format=json`). */
import { compareText } from '@lateen/base'
import { CommandError } from '../shell/exit-codes.ts'
import { compareClusterNames } from './cluster-name.ts'
import type { ConfigDump } from './dump.ts'
import { at, type Fields, fields, list, number, text } from './fields.ts'
import { objectIn } from './sections.ts'

export interface EndpointFilter {
  readonly address?: string | undefined
  readonly port?: number | undefined
  readonly cluster?: string | undefined
  readonly status?: string | undefined
}

/** What is shown of one endpoint, from either source. */
interface Endpoint {
  readonly address: string
  readonly port: number
  readonly status: string
}

function matches({ address, port, status }: Endpoint, cluster: string, filter: EndpointFilter): boolean {
  if (filter.address && ![address, `${address}:${port}`].some((each) => sameWord(each, filter.address))) return false
  if (filter.port && filter.port !== port) return false
  if (filter.cluster && !sameWord(filter.cluster, cluster)) return false
  return !filter.status || sameWord(filter.status, status)
}

const sameWord = (left: string, right: string | undefined): boolean => left.toLowerCase() === right?.toLowerCase()

/** Load assignments with the endpoints that `filter` lets through; empty ones are left out. */
export function assignmentsOf(dump: ConfigDump, filter: EndpointFilter = {}): Fields[] {
  const section = dump.section('EndpointsConfigDump')
  const entries = [...list(at(section, 'dynamic_endpoint_configs')), ...list(at(section, 'static_endpoint_configs'))]
  return entries
    .map((entry) => filtered(fields(at(entry, 'endpoint_config')), filter))
    .filter((assignment) => list(assignment['endpoints']).some((group) => list(at(group, 'lb_endpoints')).length > 0))
    .sort((a, b) => compareClusterNames(clusterOf(a), clusterOf(b)))
}

const clusterOf = (assignment: Fields): string => text(at(assignment, 'cluster_name'))

function filtered(assignment: Fields, filter: EndpointFilter): Fields {
  const endpoints = list(assignment['endpoints']).map((group) => {
    const kept = list(at(group, 'lb_endpoints')).filter((each) => matches(configured(each), clusterOf(assignment), filter))
    const { lbEndpoints: _, ...rest } = fields(group)
    return { ...rest, lb_endpoints: kept }
  })
  return { ...assignment, endpoints }
}

function configured(endpoint: unknown): Endpoint {
  const address = at(endpoint, 'endpoint', 'address')
  return {
    address: text(at(address, 'socket_address', 'address')) || configuredAddress(address),
    port: number(at(address, 'socket_address', 'port_value')),
    // In the dump of a live proxy the state is a word; a configuration that says nothing is UNKNOWN.
    status: text(at(endpoint, 'health_status')) || 'UNKNOWN',
  }
}

export const ASSIGNMENT_HEADINGS = ['NAME', 'STATUS', 'LOCALITY', 'CLUSTER']

/** Rows below {@link ASSIGNMENT_HEADINGS}. */
export function assignmentRows(assignment: Fields): string[][] {
  return list(assignment['endpoints']).flatMap((group) =>
    list(at(group, 'lb_endpoints')).map((each) => [
      configuredAddress(at(each, 'endpoint', 'address')),
      configured(each).status,
      localityText(at(group, 'locality')),
      clusterOf(assignment),
    ]),
  )
}

/** Up to the first part that is not known. */
function localityText(locality: unknown): string {
  const [region = '', zone = '', subZone = ''] = ['region', 'zone', 'sub_zone'].map((name) => text(at(locality, name)))
  if (zone === '') return region
  return subZone === '' ? `${region}/${zone}` : `${region}/${zone}/${subZone}`
}

function configuredAddress(address: unknown): string {
  const socket = at(address, 'socket_address')
  if (socket !== undefined) return `${text(at(socket, 'address'))}:${number(at(socket, 'port_value'))}`
  return text(at(address, 'pipe', 'path')) || (at(address, 'envoy_internal_address') === undefined ? '' : internalText(address))
}

/** What istioctl makes of a host's address: a port that is not there is not shown. */
function observedAddress(address: unknown): string {
  const socket = at(address, 'socket_address')
  const port = number(at(socket, 'port_value'))
  if (socket !== undefined) return `${text(at(socket, 'address'))}${port === 0 ? '' : `:${port}`}`
  const pipe = text(at(address, 'pipe', 'path'))
  return pipe ? `unix://${pipe}` : internalText(address)
}

function internalText(address: unknown): string {
  const internal = at(address, 'envoy_internal_address')
  const listener = text(at(internal, 'server_listener_name'))
  return listener ? `envoy://${listener}/${text(at(internal, 'endpoint_id'))}` : 'unknown'
}

export const HOST_HEADINGS = ['ENDPOINT', 'STATUS', 'OUTLIER CHECK', 'CLUSTER']

export interface ClusterAnswer {
  readonly answer: Fields
  /** What is missing of it, in a line; undefined when nothing is. */
  readonly damage?: string
}

/** @throws CommandError when `content` is no answer of `/clusters?format=json` */
export function readClusterStatuses(content: string | Buffer, origin: string): ClusterAnswer {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  try {
    return { answer: fields(JSON.parse(bytes.toString('utf8'))) }
  } catch {
    const { value, damage = 'it is no JSON' } = objectIn(bytes)
    if (Object.keys(value).length > 0) return { answer: value, damage: `${origin} is damaged: ${damage}; what is whole is shown` }
    throw new CommandError(`${origin} is no list of clusters: ${damage}. Get one with: pilot-agent request GET 'clusters?format=json'`)
  }
}

/** Whether the file is Envoy's other document, which people save first. */
export const isConfigDump = (answer: Fields): boolean => at(answer, 'cluster_statuses') === undefined && at(answer, 'configs') !== undefined

const statusesIn = (answer: Fields): Fields[] => list(at(answer, 'cluster_statuses')).map(fields)

/** The statuses that have at least one host that `filter` lets through. */
export function statusesOf(answer: Fields, filter: EndpointFilter): Fields[] {
  return statusesIn(answer).filter((status) =>
    list(at(status, 'host_statuses')).some((host) => matches(observed(host), text(status['name']), filter)),
  )
}

/** Rows below {@link HOST_HEADINGS}, by address, port and cluster. */
export function hostRows(answer: Fields, filter: EndpointFilter): string[][] {
  const hosts = statusesIn(answer).flatMap((status) =>
    list(at(status, 'host_statuses')).map((host) => ({ host, cluster: text(status['name']), ...observed(host) })),
  )
  return hosts
    .filter((entry) => matches(entry, entry.cluster, filter))
    .sort((a, b) => compareText(a.address, b.address) || a.port - b.port || compareText(a.cluster, b.cluster))
    .map(({ host, cluster, status }) => [observedAddress(at(host, 'address')), status, outlierText(host), cluster])
}

function observed(host: unknown): Endpoint {
  const address = at(host, 'address')
  const socket = at(address, 'socket_address')
  return {
    address: socket === undefined ? observedAddress(address) : text(at(socket, 'address')),
    port: number(at(socket, 'port_value')),
    status: text(at(host, 'health_status', 'eds_health_status')) || 'UNKNOWN',
  }
}

const outlierText = (host: unknown): string => (at(host, 'health_status', 'failed_outlier_check') === true ? 'FAILED' : 'OK')
