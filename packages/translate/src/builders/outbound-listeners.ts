/**
 * Listeners for connections that leave a workload. They have no socket of their own: `virtualOutbound` takes every captured
 * connection and hands it to the one bound to the address dialled (`10.0.0.1_3306`), else to the one of the port on any address
 * (`0.0.0.0_80`), else lets it pass.
 */
import type { Resource } from '@lateen/envoy'
import { TrafficDirection } from '@lateen/envoy/gen/envoy/config/core/v3/base_pb.js'
import { ListenerSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { canonicalRange, isHttp, isTls, isWildcard, type MeshSettings, type Service, type ServicePort } from '@lateen/model'
import { BLACK_HOLE, clusterName } from '../names.ts'
import { encode } from '../resource.ts'
import { unroutedLogs } from './access-log.ts'
import { outboundManager, tcpProxy } from './connection-manager.ts'
import { detection, type FilterChainInit, HTTP_INSPECTOR, type ListenerInit, PLAIN_HTTP, socketAddress, TLS_INSPECTOR } from './listener-parts.ts'
import { blackHoleOr } from './virtual-hosts.ts'

export interface PortInput {
  readonly port: number
  /** Services with this port that the client sees, in the order in which they claim addresses. */
  readonly services: readonly { readonly service: Service; readonly port: ServicePort; readonly podAddresses: readonly string[] }[]
  readonly settings: MeshSettings
  /** Whether unknown destinations are let through. */
  readonly allowAny: boolean
}

const ANY = '0.0.0.0'

/** Every listener of one port. */
export function outboundListeners(input: PortInput): Resource[] {
  const { port, settings } = input
  const bound = new Map<string, Resource>()
  const any: AnyAddress = { http: false, tls: [], ranges: new Map(), tcp: undefined }
  for (const { service, port: servicePort, podAddresses } of input.services) {
    const { protocol } = servicePort
    if (protocol === 'udp') continue
    if (isHttp(protocol)) {
      any.http = true
      continue
    }
    const addresses = service.addresses.length > 0 ? service.addresses : service.headless ? podAddresses : []
    if (addresses.length === 0) {
      const cluster = clusterName('outbound', port, '', service.host)
      if (isTls(protocol) && !isWildcardAll(service.host)) any.tls.push({ host: service.host, cluster })
      else if (protocol === 'auto') {
        any.http = true
        any.tcp ??= cluster
      } else any.tcp ??= cluster
      continue
    }
    for (const address of addresses) {
      const range = canonicalRange(address)
      if (range !== undefined) {
        if (!any.ranges.has(range)) any.ranges.set(range, clusterName('outbound', port, '', service.host))
        continue
      }
      const name = `${address}_${port}`
      if (!bound.has(name)) bound.set(name, addressListener(name, address, service, servicePort, settings))
    }
  }
  const resources = [...bound.values()]
  if (any.http || any.tls.length > 0 || any.ranges.size > 0 || any.tcp !== undefined) resources.push(anyListener(input, any))
  return resources
}

interface AnyAddress {
  http: boolean
  readonly tls: { readonly host: string; readonly cluster: string }[]
  /** Ranges of addresses that services claim, and the cluster of the first that does. */
  readonly ranges: Map<string, string>
  tcp: string | undefined
}

const isWildcardAll = (host: string): boolean => isWildcard(host) && host === '*'

function listener(name: string, init: ListenerInit, settings: MeshSettings): Resource {
  return encode(ListenerSchema, name, { name, bindToPort: false, trafficDirection: TrafficDirection.OUTBOUND, accessLog: unroutedLogs(settings), ...init })
}

function addressListener(name: string, address: string, service: Service, port: ServicePort, settings: MeshSettings): Resource {
  const cluster = clusterName('outbound', port.number, '', service.host)
  const bytes: FilterChainInit = { filters: [tcpProxy(settings, cluster)] }
  const where: ListenerInit = { address: socketAddress(address, port.number) }
  if (port.protocol !== 'auto') return listener(name, { ...where, filterChains: [bytes] }, settings)
  // Nothing says what the port speaks: HTTP if it looks like it, else bytes.
  return listener(
    name,
    {
      ...where,
      listenerFilters: [HTTP_INSPECTOR],
      ...detection(settings),
      filterChains: [
        {
          filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: [...PLAIN_HTTP] },
          filters: [outboundManager(settings, `outbound_${name}`, { rds: sniffedRouteName(service, port.number) })],
        },
      ],
      defaultFilterChain: bytes,
    },
    settings,
  )
}

/** The route configuration of a port whose protocol is found out: only its service is in it. */
export function sniffedRouteName(service: Service, port: number): string {
  return `${service.host}:${port}`
}

function anyListener(input: PortInput, any: AnyAddress): Resource {
  const { port, settings } = input
  const name = `${ANY}_${port}`
  const seen = new Set<string>()
  const tls = any.tls.flatMap(({ host, cluster }): FilterChainInit[] => {
    if (seen.has(host)) return []
    seen.add(host)
    return [{ filterChainMatch: { serverNames: [host] }, filters: [tcpProxy(settings, cluster)] }]
  })
  const ranges = [...any.ranges].map(([range, cluster]): FilterChainInit => {
    const [addressPrefix = '', length = ''] = range.split('/')
    return { filterChainMatch: { prefixRanges: [{ addressPrefix, prefixLen: Number(length) }] }, filters: [tcpProxy(settings, cluster)] }
  })
  const http: FilterChainInit[] = any.http
    ? [
        {
          filterChainMatch: { transportProtocol: 'raw_buffer', applicationProtocols: [...PLAIN_HTTP] },
          filters: [outboundManager(settings, `outbound_${name}`, { rds: String(port) })],
        },
      ]
    : []
  const rest: FilterChainInit = any.tcp
    ? { filters: [tcpProxy(settings, any.tcp)] }
    : { name: 'PassthroughFilterChain', filterChainMatch: {}, filters: [tcpProxy(settings, blackHoleOr(input.allowAny))] }
  return listener(
    name,
    {
      address: socketAddress(ANY, port),
      listenerFilters: [...(tls.length > 0 ? [TLS_INSPECTOR] : []), ...(any.http ? [HTTP_INSPECTOR] : [])],
      ...detection(settings),
      filterChains: [...tls, ...ranges, ...http],
      defaultFilterChain: rest,
    },
    settings,
  )
}

/** The listener that takes every captured outgoing connection. */
export function virtualOutbound(settings: MeshSettings, allowAny: boolean): Resource {
  const port = settings.mesh.proxyListenPort ?? 15001
  return encode(ListenerSchema, 'virtualOutbound', {
    name: 'virtualOutbound',
    address: socketAddress(ANY, port),
    useOriginalDst: true,
    trafficDirection: TrafficDirection.OUTBOUND,
    accessLog: unroutedLogs(settings),
    filterChains: [
      // A connection made to the proxy's own port has no destination: handing it on would go in circles.
      { name: 'virtualOutbound-blackhole', filterChainMatch: { destinationPort: port }, filters: [tcpProxy(settings, BLACK_HOLE)] },
      { name: 'virtualOutbound-catchall-tcp', filters: [tcpProxy(settings, blackHoleOr(allowAny))] },
    ],
  })
}
