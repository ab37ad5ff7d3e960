/**
 * Listeners for connections that leave a workload. They have no socket of their own: `virtualOutbound` takes every captured
 * connection and hands it to the one bound to the address dialled (`10.0.0.1_3306`), else to the one of the port on any address
 * (`0.0.0.0_80`), else lets it pass.
 */
import type { Resource } from '@lateen/envoy'
import { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import {
  type AddressFamilies,
  canonicalRange,
  isHttp,
  isTls,
  type MeshSettings,
  outboundPort,
  type Protocol,
  type Service,
  type ServicePort,
  UNIX,
} from '@lateen/model'
import { httpNameLookup, sniNameLookup } from '../features/dynamic-dns/dns-cache.ts'
import { BLACK_HOLE } from '../names.ts'
import { encode } from '../resource.ts'
import { unroutedLogs } from './access-log.ts'
import { type NetworkFilterInit, outboundManager, tcpProxy } from './connection-manager.ts'
import type { HttpFilterSlots } from './filter-order.ts'
import {
  acceptedAtOnce,
  balanced,
  detection,
  type FilterChainInit,
  HTTP_INSPECTOR,
  type ListenerInit,
  listenAt,
  plainHttp,
  socketAddress,
  TLS_INSPECTOR,
} from './listener-parts.ts'
import { chainOrigin, type TcpRoute, type TcpTarget, tcpTargets } from './tcp-routes.ts'

export interface PortService {
  readonly service: Service
  readonly port: ServicePort
  /** Addresses that clients dial; empty where any address may be meant. */
  readonly addresses: readonly string[]
  /** Routes of bytes, before what is left goes to the service itself. */
  readonly routes: readonly TcpRoute[]
  /** Where other bytes go; undefined when the routes are all there is. */
  readonly target: TcpTarget | undefined
}

/** Where the listeners of a port are. */
export interface ListenerPlace {
  /** Of the listener that takes any address: `0.0.0.0`, or one that a Sidecar names; `::` may come second. */
  readonly addresses: readonly string[]
  /** All services are behind that address, whatever addresses they have themselves. */
  readonly fixed: boolean
  /** Listeners have sockets of their own: nothing captures what the application sends. */
  readonly bound: boolean
}

export interface PortInput {
  readonly port: number
  readonly place: ListenerPlace
  /** The name of the route configuration that the services' requests share. */
  readonly routes: string
  /** Services with this port that the client sees, in the order in which they claim addresses. */
  readonly services: readonly PortService[]
  readonly settings: MeshSettings
  /** What the client can reach. */
  readonly families: AddressFamilies
  /** The cluster to which everything goes that is for nobody known. */
  readonly unknown: string
  /** Hosts that nobody knows are looked up by name. */
  readonly looksUp: boolean
  /** The proxy itself listens on the port, at every address. */
  readonly reserved: boolean
}

/** Every listener of one port. */
export function outboundListeners(input: PortInput): Resource[] {
  const { port, settings } = input
  const bound = new Map<string, Resource>()
  const any = new AnyAddress(settings, input.families)
  for (const entry of input.services) {
    const { protocol } = entry.port
    if (protocol === 'udp') continue
    const byName = entry.service.resolution === 'dynamic-dns'
    if (isHttp(protocol)) {
      if (any.agreesTo(protocol)) any.takeHttp(protocol, byName)
      continue
    }
    // Nothing in the bytes says which name is meant.
    if (byName && protocol !== 'tls') continue
    if (entry.addresses.length === 0 || input.place.fixed) {
      if (any.agreesTo(protocol)) any.take(entry)
      continue
    }
    for (const address of entry.addresses) {
      const range = canonicalRange(address)
      if (range !== undefined) {
        if (any.agreesTo(protocol)) any.takeRange(range, entry)
        continue
      }
      const name = `${address}_${port}`
      if (!bound.has(name)) bound.set(name, addressListener(name, address, entry, input))
    }
  }
  const resources = [...bound.values()]
  if (any.used && !(input.reserved && isWildcardAddress(nameAddress(input.place)))) resources.push(anyListener(input, any))
  return resources
}

const SERVER_FIRST: ReadonlySet<Protocol> = new Set<Protocol>(['mongo', 'mysql'])

/** What the listener of a port on any address is made of. Where two services claim the same, the first has it. */
class AnyAddress {
  /** There are services that speak HTTP. */
  http = false
  /** Some of them speak gRPC-Web. */
  grpcWeb = false
  /** Some of them are found by the name that a request asks for. */
  looksUp = false
  /** The route configuration of the first service of which it has to be found out whether it does. */
  sniffed: string | undefined
  readonly chains = new Map<string, FilterChainInit>()
  rest: NetworkFilterInit | undefined
  private first: Protocol | undefined
  private readonly settings: MeshSettings
  private readonly families: AddressFamilies

  constructor(settings: MeshSettings, families: AddressFamilies) {
    this.settings = settings
    this.families = families
  }

  get used(): boolean {
    return this.http || this.sniffed !== undefined || this.chains.size > 0 || this.rest !== undefined
  }

  /** Whether a server name has to be found out. */
  get asksForName(): boolean {
    return [...this.chains.values()].some((chain) => (chain.filterChainMatch?.serverNames?.length ?? 0) > 0)
  }

  /**
   * Whether a protocol fits to those that are there. In some the server speaks first: where something has to be found out, their
   * connections would wait for ever, so that they share a port with nothing else; the first has it.
   */
  agreesTo(protocol: Protocol): boolean {
    this.first ??= protocol
    return protocol === this.first || !(SERVER_FIRST.has(protocol) || SERVER_FIRST.has(this.first))
  }

  /** A service whose requests are in the routes of the port. */
  takeHttp(protocol: Protocol, byName: boolean): void {
    this.http = true
    this.grpcWeb ||= protocol === 'grpc-web'
    this.looksUp ||= byName
  }

  /** A service that may be meant by any address: TLS is told apart by its name. */
  take({ service, port, routes, target }: PortService): void {
    for (const route of routes) {
      if (route.serverNames.length === 0 && route.ranges.length === 0) this.rest ??= tcpTargets(this.settings, route.targets)
      else this.add(route.serverNames, route.ranges, route)
    }
    if (!target) return
    if (isTls(port.protocol) && service.host !== '*') this.add([service.host], [], { targets: [target] })
    else {
      if (port.protocol === 'auto') this.sniffed ??= sniffedRouteName(service, port.number)
      this.rest ??= tcpTargets(this.settings, [target])
    }
  }

  /** A service that is meant by a range of addresses. */
  takeRange(range: string, { service, port, routes, target }: PortService): void {
    for (const route of routes) this.add(route.serverNames, route.ranges.length > 0 ? route.ranges : [range], route)
    if (target) this.add(isTls(port.protocol) && service.host !== '*' ? [service.host] : [], [range], { targets: [target] })
  }

  private add(serverNames: readonly string[], ranges: readonly string[], { targets, origin }: Destined): void {
    const canonical = ranges.map((range) => canonicalRange(range) ?? hostRange(range))
    const filters = [...this.lookup(targets), tcpTargets(this.settings, targets)]
    for (const chain of chainsOf(serverNames, canonical, this.chains))
      this.chains.set(chain.key, { filterChainMatch: chain.match, filters, ...(origin && chainOrigin({ origin })) })
  }

  /** Before bytes go to a service that is found by the name that they ask for, the name is looked up. */
  private lookup([first]: readonly TcpTarget[]): NetworkFilterInit[] {
    if (first?.target.service?.resolution !== 'dynamic-dns') return []
    return [sniNameLookup(this.settings, this.families, first.target.port)]
  }
}

/** Targets, and the rule that names them. */
type Destined = Pick<TcpRoute, 'targets'> & Partial<Pick<TcpRoute, 'origin'>>

/**
 * The match of a chain, without names and ranges that another chain has: Envoy refuses a listener with two equal ones. One chain
 * for each pair of name and range, so that each pair can be claimed by itself.
 */
function chainsOf(serverNames: readonly string[], ranges: readonly string[], taken: ReadonlyMap<string, unknown>) {
  const names = serverNames.includes('*') || serverNames.length === 0 ? [''] : [...new Set(serverNames)]
  const places = ranges.length === 0 ? [''] : [...new Set(ranges)]
  return names.flatMap((name) =>
    places.flatMap((range) => {
      const key = `${name} ${range}`
      if (taken.has(key)) return []
      const [addressPrefix = '', length = ''] = range.split('/')
      return [
        {
          key,
          match: { ...(name && { serverNames: [name] }), ...(range && { prefixRanges: [{ addressPrefix, prefixLen: Number(length) }] }) },
        },
      ]
    }),
  )
}

const hostRange = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

function listener(name: string, init: ListenerInit, { settings, place }: PortInput): Resource {
  return encode(ListenerSchema, name, {
    name,
    ...(!place.bound && { bindToPort: false }),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: unroutedLogs(settings),
    ...balanced(settings.traffic.exactBalance.outbound),
    ...init,
  })
}

function addressListener(name: string, address: string, { service, port, routes, target }: PortService, input: PortInput): Resource {
  const { settings } = input
  const where: ListenerInit = { address: socketAddress(address, port.number) }
  const taken = new Map<string, FilterChainInit>()
  for (const route of routes) {
    const ranges = route.ranges.map((range) => canonicalRange(range) ?? hostRange(range))
    for (const { key, match } of chainsOf(route.serverNames, ranges, taken))
      taken.set(key, { filterChainMatch: match, filters: [tcpTargets(settings, route.targets)], ...chainOrigin(route) })
  }
  const everything = taken.get(' ')
  taken.delete(' ')
  const chains = [...taken.values()]
  const rest: FilterChainInit = everything
    ? { filters: everything.filters ?? [], ...(everything.metadata && { metadata: everything.metadata }) }
    : target
      ? { filters: [tcpTargets(settings, [target])] }
      : passthroughChain(input)
  const byName = chains.some((chain) => (chain.filterChainMatch?.serverNames?.length ?? 0) > 0)
  if (port.protocol !== 'auto') {
    if (chains.length === 0) return listener(name, { ...where, filterChains: [rest] }, input)
    return listener(
      name,
      {
        ...where,
        ...(byName && { listenerFilters: [TLS_INSPECTOR], ...detection(settings) }),
        filterChains: chains,
        defaultFilterChain: rest,
      },
      input,
    )
  }
  // Nothing says what the port speaks: HTTP if it looks like it, else bytes.
  return listener(
    name,
    {
      ...where,
      listenerFilters: [HTTP_INSPECTOR],
      ...detection(settings),
      filterChains: [
        ...chains,
        {
          filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: plainHttp(settings) },
          filters: [outboundManager(settings, `outbound_${name}`, { rds: sniffedRouteName(service, port.number) })],
        },
      ],
      defaultFilterChain: rest,
    },
    input,
  )
}

/** What happens to bytes that nothing claims. */
const passthroughChain = ({ settings, unknown }: PortInput): FilterChainInit => ({
  name: 'PassthroughFilterChain',
  filterChainMatch: {},
  filters: [tcpProxy(settings, unknown, 'outbound')],
})

/** The route configuration of a port whose protocol is found out: only its service is in it. */
export function sniffedRouteName(service: Service, port: number): string {
  return `${service.host}:${port}`
}

function anyListener(input: PortInput, any: AnyAddress): Resource {
  const { port, settings, place } = input
  const name = `${nameAddress(place)}_${port}`
  const where = listenPlace(place, port)
  const rds = any.http ? input.routes : place.fixed ? any.sniffed : any.sniffed && input.routes
  const slots = {
    ...lookupSlots(settings, input.families, any.looksUp || input.looksUp),
    ...(any.grpcWeb && { grpcWeb: true }),
  }
  const manager = rds === undefined ? undefined : outboundManager(settings, `outbound_${name}`, { rds }, slots)
  // At an address of its own a listener serves what its Sidecar says: nothing has to be found out where that is HTTP alone.
  if (manager && place.fixed && !any.sniffed && any.chains.size === 0 && !any.rest)
    return listener(name, { ...where, filterChains: [{ filters: [manager] }] }, input)
  const http: FilterChainInit[] = manager
    ? [{ filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: plainHttp(settings) }, filters: [manager] }]
    : []
  return listener(
    name,
    {
      ...where,
      listenerFilters: [...(any.asksForName ? [TLS_INSPECTOR] : []), ...(manager ? [HTTP_INSPECTOR] : [])],
      ...detection(settings),
      filterChains: [...any.chains.values(), ...http],
      defaultFilterChain: any.rest ? { filters: [any.rest] } : passthroughChain(input),
    },
    input,
  )
}

/** The address that the name of a place's listener begins with. */
export const nameAddress = ({ addresses }: Pick<ListenerPlace, 'addresses'>): string => addresses[0] ?? '0.0.0.0'

const isWildcardAddress = (address: string): boolean => address === '0.0.0.0' || address === '::'

/** Addresses with a port, or a unix socket. */
function listenPlace(place: ListenerPlace, port: number): ListenerInit {
  const address = nameAddress(place)
  if (!address.startsWith(UNIX)) return listenAt(place.addresses, port)
  return { address: { address: { case: 'pipe', value: { path: address.slice(UNIX.length) } } } }
}

const lookupSlots = (settings: MeshSettings, families: AddressFamilies, looksUp: boolean): HttpFilterSlots =>
  looksUp ? { admitted: [httpNameLookup(settings, families)] } : {}

export interface HttpProxyInput {
  readonly port: number
  readonly addresses: readonly string[]
  /** The families for which hosts that nobody knows are looked up; undefined where they are not. */
  readonly lookup: AddressFamilies | undefined
}

/** The listener that is an HTTP proxy: requests name their destination themselves. */
export function httpProxyListener({ port, addresses, lookup }: HttpProxyInput, settings: MeshSettings): Resource {
  const name = `${nameAddress({ addresses })}_${port}`
  return encode(ListenerSchema, name, {
    name,
    ...listenAt(addresses, port),
    ...balanced(settings.traffic.exactBalance.outbound),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: unroutedLogs(settings),
    filterChains: [
      {
        filters: [
          outboundManager(
            settings,
            `outbound_${name}`,
            { rds: HTTP_PROXY_ROUTES },
            lookupSlots(settings, lookup ?? 'v4', lookup !== undefined),
          ),
        ],
      },
    ],
  })
}

/** The route configuration of the listener that is an HTTP proxy. */
export const HTTP_PROXY_ROUTES = 'http_proxy'

/** What the listener that takes every captured outgoing connection depends on. */
export interface VirtualOutboundInput {
  readonly unknown: string
  readonly transparent: boolean
  readonly addresses: readonly string[]
}

/** The listener that takes every captured outgoing connection. */
export function virtualOutbound(settings: MeshSettings, { unknown, transparent, addresses }: VirtualOutboundInput): Resource {
  const port = outboundPort(settings.mesh)
  return encode(ListenerSchema, 'virtualOutbound', {
    name: 'virtualOutbound',
    ...listenAt(addresses, port),
    ...acceptedAtOnce(settings),
    useOriginalDst: true,
    ...(transparent && { transparent: true }),
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: unroutedLogs(settings),
    filterChains: [
      // A connection made to the proxy's own port has no destination: handing it on would go in circles.
      {
        name: 'virtualOutbound-blackhole',
        filterChainMatch: { destinationPort: port },
        filters: [tcpProxy(settings, BLACK_HOLE, 'outbound')],
      },
      { name: 'virtualOutbound-catchall-tcp', filters: [tcpProxy(settings, unknown, 'outbound')] },
    ],
  })
}
