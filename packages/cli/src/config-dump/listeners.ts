/** The listeners of a dump, and what their filter chains match and do. */
import { compareText } from '@lateen/base'
import type { ConfigDump } from './dump.ts'
import { at, type Fields, fields, list, number, text } from './fields.ts'
import { matchText } from './routes.ts'

export interface ListenerFilter {
  readonly address?: string | undefined
  readonly port?: number | undefined
  readonly type?: string | undefined
}

const HTTP_FILTER = 'envoy.filters.network.http_connection_manager'
const TCP_FILTER = 'envoy.filters.network.tcp_proxy'
const BLACK_HOLE = 'BlackHoleCluster'

/** In the order of the dump. @throws CommandError when the dump has no such part */
export function listenersOf(dump: ConfigDump, filter: ListenerFilter = {}): Fields[] {
  const section = dump.section('ListenersConfigDump')
  const dynamic = list(at(section, 'dynamic_listeners')).map((entry) => at(entry, 'active_state', 'listener'))
  const fixed = list(at(section, 'static_listeners')).map((entry) => at(entry, 'listener'))
  return [...dynamic, ...fixed]
    .filter((listener) => listener !== undefined)
    .map(fields)
    .filter((listener) => matches(listener, filter))
}

/** The order of istioctl's table: by port, address, type. */
export function sortedListeners(listeners: readonly Fields[]): Fields[] {
  return [...listeners].sort(
    (a, b) => portOf(a) - portOf(b) || compareText(addressOf(a), addressOf(b)) || compareText(typeOf(a), typeOf(b)),
  )
}

function matches(listener: Fields, { address, port, type }: ListenerFilter): boolean {
  const own = addresses(listener).map((each) => each.toLowerCase())
  if (address && !own.includes(address.toLowerCase())) return false
  if (port && portOf(listener) !== port) return false
  return !type || typeOf(listener).toLowerCase() === type.toLowerCase()
}

/** `HTTP`, `TCP`, `HTTP+TCP` or `UNKNOWN`, by the filters of its chains. */
export function typeOf(listener: Fields): string {
  const filters = chainsOf(listener).flatMap((chain) => list(at(chain, 'filters')))
  const http = filters.some((filter) => text(at(filter, 'name')) === HTTP_FILTER)
  const tcp = filters.some((filter) => text(at(filter, 'name')) === TCP_FILTER && !isBlackHole(filter))
  return http ? (tcp ? 'HTTP+TCP' : 'HTTP') : tcp ? 'TCP' : 'UNKNOWN'
}

export const LISTENER_HEADINGS = ['ADDRESSES', 'PORT', 'MATCH', 'DESTINATION']
export const SHORT_LISTENER_HEADINGS = ['ADDRESSES', 'PORT', 'TYPE']

/** Rows below {@link LISTENER_HEADINGS}, one for each filter chain. */
export function listenerRows(listener: Fields): string[][] {
  const chains = chainsOf(listener).map((chain) => ({
    match: chainMatchText(at(chain, 'filter_chain_match')),
    destination: destinationOf(chain),
  }))
  chains.sort((a, b) => compareText(b.destination, a.destination))
  return chains.map(({ match, destination }) => [addresses(listener).join(','), String(portOf(listener)), match, destination])
}

export function shortListenerRow(listener: Fields): string[] {
  return [addresses(listener).join(','), String(portOf(listener)), typeOf(listener)]
}

export function chainsOf(listener: Fields): readonly unknown[] {
  const last = at(listener, 'default_filter_chain')
  return [...list(at(listener, 'filter_chains')), ...(last === undefined ? [] : [last])]
}

function addresses(listener: Fields): string[] {
  const more = list(at(listener, 'additional_addresses')).map((entry) => text(at(entry, 'address', 'socket_address', 'address')))
  return [addressOf(listener), ...more]
}

const addressOf = (listener: Fields): string =>
  text(at(listener, 'address', 'socket_address', 'address')) || text(at(listener, 'address', 'pipe', 'path'))
const portOf = (listener: Fields): number => number(at(listener, 'address', 'socket_address', 'port_value'))

/** Wherever it is named, as in istioctl: among weighted clusters too. */
const isBlackHole = (filter: unknown): boolean => (JSON.stringify(at(filter, 'typed_config')) ?? '').includes(BLACK_HOLE)

/** Sets of ALPN names that Istio's chains use, by what they are called. */
const KNOWN_PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ['http/1.0,http/1.1,h2c,istio-http/1.0,istio-http/1.1,istio-h2', 'App: HTTP TLS'],
  ['istio,istio-http/1.0,istio-http/1.1,istio-h2', 'App: Istio HTTP Plain'],
  ['istio-peer-exchange,istio', 'App: TCP TLS'],
  ['http/1.0,http/1.1,h2c', 'App: HTTP'],
  ['http/1.1,h2c', 'App: HTTP'],
])

/** @param match a FilterChainMatch; source addresses and types are left out, as in istioctl */
export function chainMatchText(match: unknown): string {
  const names = list(at(match, 'server_names')).map(text)
  const transport = text(at(match, 'transport_protocol'))
  const protocols = list(at(match, 'application_protocols')).map(text).join(',')
  const ranges = list(at(match, 'prefix_ranges')).map((range) => `${text(at(range, 'address_prefix'))}/${number(at(range, 'prefix_len'))}`)
  const port = at(match, 'destination_port') === undefined ? '' : `:${number(at(match, 'destination_port'))}`
  const parts = [
    ...(names.length > 0 ? [`SNI: ${names.join(',')}`] : []),
    ...(transport ? [`Trans: ${transport}`] : []),
    ...(protocols ? [KNOWN_PROTOCOLS.get(protocols) ?? `App: ${protocols}`] : []),
    ...(ranges.length > 0 ? [`Addr: ${ranges.join(',')}${port}`] : port ? [`Addr: *${port}`] : []),
  ]
  return parts.length > 0 ? parts.join('; ') : 'ALL'
}

export function destinationOf(chain: unknown): string {
  for (const filter of list(at(chain, 'filters'))) {
    const config = at(filter, 'typed_config')
    if (text(at(filter, 'name')) === HTTP_FILTER) {
      const inline = at(config, 'route_config')
      if (inline !== undefined) return clusterOfEverything(inline) ?? `Inline Route: ${inlineText(inline)}`
      const name = text(at(config, 'rds', 'route_config_name'))
      return name ? `Route: ${name}` : 'HTTP'
    }
    if (text(at(filter, 'name')) === TCP_FILTER && !isBlackHole(filter)) {
      const weighted = list(at(config, 'weighted_clusters', 'clusters')).map((entry) => text(at(entry, 'name')))
      return clusterText(text(at(config, 'cluster')) || weighted.join(', '))
    }
  }
  return 'Non-HTTP/Non-TCP'
}

/** A route configuration that sends everything to one cluster is that cluster. */
function clusterOfEverything(routes: unknown): string | undefined {
  const hosts = list(at(routes, 'virtual_hosts'))
  const [host] = hosts
  const all = list(at(host, 'routes'))
  if (hosts.length !== 1 || all.length !== 1 || list(at(host, 'domains')).join() !== '*') return undefined
  const cluster = text(at(all[0], 'route', 'cluster'))
  return text(at(all[0], 'match', 'prefix')) === '/' && cluster ? clusterText(cluster) : undefined
}

const clusterText = (name: string): string => (name.includes('Cluster') ? name : `Cluster: ${name}`)

function inlineText(routes: unknown): string {
  const hosts = list(at(routes, 'virtual_hosts')).map((host) => {
    const domains = list(at(host, 'domains')).map(text).join('/')
    const matched = list(at(host, 'routes'))
      .map((route) => matchText(at(route, 'match')))
      .join(', ')
    return domains === '*' ? matched : `${domains} ${matched}`
  })
  return hosts.join('; ')
}
