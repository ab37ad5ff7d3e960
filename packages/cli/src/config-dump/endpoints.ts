/** Endpoints: as configured (in a dump with `?include_eds`) and as Envoy sees them now (its `/clusters?format=json`). */
import { compareText } from '@lateen/base'
import { CommandError } from '../shell/exit-codes.ts'
import { compareClusterNames } from './cluster-name.ts'
import type { ConfigDump } from './dump.ts'
import { at, type Fields, fields, list, number, text } from './fields.ts'

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
  if (filter.address && filter.address.toLowerCase() !== address.toLowerCase()) return false
  if (filter.port && filter.port !== port) return false
  if (filter.cluster && filter.cluster.toLowerCase() !== cluster.toLowerCase()) return false
  return !filter.status || filter.status.toLowerCase() === status.toLowerCase()
}

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
    address: text(at(address, 'socket_address', 'address')),
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
      addressText(at(each, 'endpoint', 'address')),
      configured(each).status,
      localityText(at(group, 'locality')),
      clusterOf(assignment),
    ]),
  )
}

function localityText(locality: unknown): string {
  const parts = ['region', 'zone', 'sub_zone'].map((name) => text(at(locality, name)))
  return parts.slice(0, parts.findLastIndex((part) => part !== '') + 1).join('/')
}

function addressText(address: unknown): string {
  const socket = at(address, 'socket_address')
  if (socket !== undefined) return `${text(at(socket, 'address'))}:${number(at(socket, 'port_value'))}`
  const pipe = text(at(address, 'pipe', 'path'))
  if (pipe) return `unix://${pipe}`
  const internal = at(address, 'envoy_internal_address')
  const listener = text(at(internal, 'server_listener_name'))
  return listener ? `envoy://${listener}/${text(at(internal, 'endpoint_id'))}` : 'unknown'
}

export const HOST_HEADINGS = ['ENDPOINT', 'STATUS', 'OUTLIER CHECK', 'CLUSTER']

/** @throws CommandError when `json` is no answer of `/clusters?format=json` */
export function readClusterStatuses(json: string, origin: string): Fields[] {
  try {
    const document: unknown = JSON.parse(json)
    return list(at(document, 'cluster_statuses')).map(fields)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown fault'
    throw new CommandError(`${origin} is no list of clusters: ${reason}. Get one with: pilot-agent request GET 'clusters?format=json'`, {
      cause,
    })
  }
}

/** The statuses that have at least one host that `filter` lets through. */
export function statusesOf(statuses: readonly Fields[], filter: EndpointFilter): Fields[] {
  return statuses.filter((status) =>
    list(at(status, 'host_statuses')).some((host) => matches(observed(host), text(status['name']), filter)),
  )
}

/** Rows below {@link HOST_HEADINGS}, by address, port and cluster. */
export function hostRows(statuses: readonly Fields[], filter: EndpointFilter): string[][] {
  const hosts = statuses.flatMap((status) =>
    list(at(status, 'host_statuses')).map((host) => ({ host, cluster: text(status['name']), ...observed(host) })),
  )
  return hosts
    .filter((entry) => matches(entry, entry.cluster, filter))
    .sort((a, b) => compareText(a.address, b.address) || a.port - b.port || compareText(a.cluster, b.cluster))
    .map(({ host, cluster, status }) => [addressText(at(host, 'address')), status, outlierText(host), cluster])
}

function observed(host: unknown): Endpoint {
  const address = at(host, 'address')
  const socket = at(address, 'socket_address')
  return {
    address: socket === undefined ? addressText(address) : text(at(socket, 'address')),
    port: number(at(socket, 'port_value')),
    status: text(at(host, 'health_status', 'eds_health_status')) || 'UNKNOWN',
  }
}

const outlierText = (host: unknown): string => (at(host, 'health_status', 'failed_outlier_check') === true ? 'FAILED' : 'OK')
