/** Which filter chain of a listener takes a connection, as Envoy decides it. */
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type FilterChain,
  FilterChainMatch_ConnectionSourceType as SourceType,
} from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { Listener } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import {
  type DownstreamTlsContext,
  DownstreamTlsContextSchema,
} from '@lateen/envoy/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.js'
import type { ClientTls, Failure, Protocol } from './call.ts'
import { inRange } from './ranges.ts'

const TLS_INSPECTOR = 'envoy.filters.listener.tls_inspector'
const HTTP_INSPECTOR = 'envoy.filters.listener.http_inspector'

/** A connection as it arrives. */
export interface Connection {
  /** Destination. */
  readonly address: string
  readonly port: number
  readonly protocol: Protocol
  readonly tls: ClientTls
  readonly sni: string
  /** Application protocols offered in the TLS handshake, in order of preference. */
  readonly alpn: readonly string[]
  /** Address of the caller; criteria on it are not used without one. */
  readonly source?: string | undefined
}

/** What listener filters find out about a connection. */
interface Detected {
  readonly transport: string
  readonly serverName: string
  readonly alpn: readonly string[]
}

function detect(listener: Listener, call: Connection): Detected {
  const active = (name: string) => listener.listenerFilters.some((filter) => filter.name === name && !disabledFor(filter, call.port))
  const tls = active(TLS_INSPECTOR) && call.tls !== 'plaintext'
  const plainHttp = call.tls === 'plaintext' && call.protocol !== 'tcp' && active(HTTP_INSPECTOR)
  return {
    transport: tls ? 'tls' : 'raw_buffer',
    serverName: tls ? call.sni : '',
    alpn: tls ? call.alpn : plainHttp ? [call.protocol === 'http2' ? 'h2c' : 'http/1.1'] : [],
  }
}

/** A listener filter can be switched off for ports. Only the predicates that translation makes are understood. */
function disabledFor(filter: Listener['listenerFilters'][number], port: number): boolean {
  return filter.filterDisabled !== undefined && holdsFor(filter.filterDisabled, port)
}

type Predicate = NonNullable<Listener['listenerFilters'][number]['filterDisabled']>

function holdsFor({ rule }: Predicate, port: number): boolean {
  switch (rule.case) {
    case 'destinationPortRange':
      return port >= rule.value.start && port < rule.value.end
    case 'orMatch':
      return rule.value.rules.some((one) => holdsFor(one, port))
    case 'notMatch':
      return !holdsFor(rule.value, port)
    default:
      return false
  }
}

type Match = NonNullable<FilterChain['filterChainMatch']>

/**
 * Envoy keeps, criterion by criterion, the chains that match best; where none matches, those without the criterion remain.
 */
export function filterChainFor(listener: Listener, call: Connection): FilterChain | Failure {
  const found = detect(listener, call)
  let chains: readonly FilterChain[] = listener.filterChains
  chains = best(chains, (match) => (match.destinationPort === undefined ? undefined : match.destinationPort === call.port ? 1 : 0))
  chains = best(chains, (match) => (match.prefixRanges.length === 0 ? undefined : longestRange(match, call.address)))
  chains = best(chains, (match) => (match.serverNames.length === 0 ? undefined : nameRank(match.serverNames, found.serverName)))
  chains = best(chains, (match) => (match.transportProtocol === '' ? undefined : match.transportProtocol === found.transport ? 1 : 0))
  chains = best(chains, (match) => (match.applicationProtocols.length === 0 ? undefined : protocolRank(match, found.alpn)))
  if (call.source !== undefined) chains = bySource(chains, call.source, call.address)
  if (chains.length > 1) return 'multiple-filter-chains'
  return chains[0] ?? listener.defaultFilterChain ?? 'no-filter-chain'
}

/** Keeps the chains with the highest rank; without any, those for which the criterion is not set (undefined). */
function best(chains: readonly FilterChain[], rank: (match: Match) => number | undefined): readonly FilterChain[] {
  const ranked = chains.map((chain) => ({ chain, rank: chain.filterChainMatch ? rank(chain.filterChainMatch) : undefined }))
  const highest = Math.max(0, ...ranked.map((entry) => entry.rank ?? 0))
  return ranked.filter((entry) => (highest > 0 ? entry.rank === highest : entry.rank === undefined)).map((entry) => entry.chain)
}

/** The protocol that the client prefers decides. */
function protocolRank(match: Match, offered: readonly string[]): number {
  return Math.max(0, ...match.applicationProtocols.map((name) => (offered.includes(name) ? offered.length - offered.indexOf(name) : 0)))
}

function bySource(all: readonly FilterChain[], source: string, destination: string): readonly FilterChain[] {
  const same = source === destination || inRange(source, '127.0.0.0', 8) || source === '::1'
  let chains = best(all, (match) =>
    match.directSourcePrefixRanges.length === 0 ? undefined : longestOf(match.directSourcePrefixRanges, source),
  )
  chains = best(chains, ({ sourceType }) =>
    sourceType === SourceType.ANY ? undefined : (sourceType === SourceType.EXTERNAL) === same ? 0 : 1,
  )
  return best(chains, (match) => (match.sourcePrefixRanges.length === 0 ? undefined : longestOf(match.sourcePrefixRanges, source)))
}

const longestRange = (match: Match, address: string): number => longestOf(match.prefixRanges, address)

function longestOf(ranges: Match['prefixRanges'], address: string): number {
  return Math.max(
    0,
    ...ranges.filter((range) => inRange(address, range.addressPrefix, range.prefixLen ?? 0)).map((range) => (range.prefixLen ?? 0) + 1),
  )
}

/** Exact names stand above wildcards, longer wildcards above shorter. */
function nameRank(names: readonly string[], serverName: string): number {
  if (serverName === '') return 0
  return Math.max(
    0,
    ...names.map((name) => {
      if (name === serverName) return 1_000_000
      const suffix = name.startsWith('*.') ? name.slice(1) : undefined
      return suffix !== undefined && serverName.endsWith(suffix) ? suffix.length : 0
    }),
  )
}

/** What a chain's TLS context asks of a client, or nothing where TLS is not terminated. */
export function tlsOf(chain: FilterChain): DownstreamTlsContext | undefined {
  const config = chain.transportSocket?.configType
  return config?.case === 'typedConfig' && anyIs(config.value, DownstreamTlsContextSchema)
    ? anyUnpack(config.value, DownstreamTlsContextSchema)
    : undefined
}

/** Whether a chain is of mesh mutual TLS: it asks for a client certificate and shows the mesh's own. */
export function isMeshTls(context: DownstreamTlsContext, secret: string): boolean {
  const shown = context.commonTlsContext?.tlsCertificateSdsSecretConfigs ?? []
  return context.requireClientCertificate === true && shown.some((config) => config.name === secret)
}
