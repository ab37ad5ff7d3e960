/**
 * Walks a connection and its request through the configuration of one proxy, as Envoy does, with everything that matters to users: every
 * condition of a route, what filters decide, where chance decides what can happen how often.
 */
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { FilterChain } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { Listener } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_pb.js'
import { RBACSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import type { TcpProxy } from '@lateen/envoy/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { Configuration } from '../configuration.ts'
import { filterChainFor, tlsOf } from '../filter-chain.ts'
import { networkRbacVerdict } from '../filters/rbac-filter.ts'
import { listenerFor } from '../listener.ts'
import { terminalOf } from '../terminal-filter.ts'
import type { TraceCall } from './call.ts'
import { chainMatchText } from './chain-text.ts'
import { traceHttp } from './http.ts'
import { originsOf } from './origin.ts'
import type { End, FilterVerdict, PathOutcome, Trace } from './outcome.ts'

/** The way of a call through a proxy. */
export function trace(configuration: Configuration, call: TraceCall): Trace {
  const listener = arrivesAt(configuration, call)
  if (!listener) return { outcomes: [closed(`nothing listens on ${call.destination.address}:${call.destination.port}`, '')] }
  const reached = { listener: { name: listener.name, origins: originsOf(listener.metadata) } }
  const chain = filterChainFor(listener, {
    address: call.destination.address,
    port: call.destination.port,
    protocol: call.request ? (call.http2 ? 'http2' : 'http') : 'tcp',
    tls: call.tls,
    sni: call.sni,
    alpn: call.alpn,
    source: call.sourceAddress,
  })
  if (typeof chain === 'string') return { ...reached, outcomes: [closed('no filter chain takes the connection', 'NR')] }
  return { ...reached, ...throughChain(configuration, listener, chain, call) }
}

/** As for simulated calls; a gateway takes nothing on ports that it does not listen on. */
function arrivesAt(configuration: Configuration, call: TraceCall): Listener | undefined {
  const { address, port } = call.destination
  const found = listenerFor(configuration.listeners, { mode: call.mode, address, port })
  if (call.mode === 'gateway' && found?.name === 'virtualOutbound') return undefined
  return found ?? (call.mode === 'inbound' ? listenerFor(configuration.listeners, { mode: 'gateway', address, port }) : undefined)
}

function throughChain(configuration: Configuration, listener: Listener, chain: FilterChain, call: TraceCall): Omit<Trace, 'listener'> {
  const context = tlsOf(chain)
  const terminal = terminalOf(chain)
  const mutual = context?.requireClientCertificate === true
  const isDefault = chain === listener.defaultFilterChain
  const reached = {
    filterChain: {
      name: chain.name,
      match: isDefault ? 'what no other chain takes' : chainMatchText(chain.filterChainMatch),
      tls: context ? (mutual ? 'mutual' : 'terminated') : call.tls === 'plaintext' ? 'none' : 'passed through',
      kind: terminal?.kind ?? 'tcp',
      origins: originsOf(chain.metadata),
    },
  } as const
  const end = (why: string): Omit<Trace, 'listener'> => ({ ...reached, outcomes: [closed(why, '')] })
  if (context && call.tls === 'plaintext')
    return end(`the chain wants ${mutual ? 'mutual TLS' : 'TLS'}, the connection comes in plain text`)
  if (mutual && call.tls !== 'mtls') return end('the chain wants a client certificate, the client shows none')
  const verdicts = networkVerdicts(chain, call)
  if (verdicts.some(({ result }) => result === 'denied'))
    return { ...reached, outcomes: [{ share: 1, verdicts, end: { kind: 'closed', why: 'the connection is not authorized', flag: '' } }] }
  if (!terminal) return end('the chain has no filter that hands the connection on')
  if (terminal.kind === 'tcp') return { ...reached, outcomes: tcpOutcomes(terminal.proxy, verdicts) }
  if (!call.request || (call.tls !== 'plaintext' && !context)) return end('the chain expects HTTP, the bytes that come are none')
  return { ...reached, ...traceHttp({ configuration, manager: terminal.manager, call, request: call.request, mutual, verdicts }) }
}

function networkVerdicts(chain: FilterChain, call: TraceCall): FilterVerdict[] {
  return chain.filters.flatMap(({ name, configType }) => {
    if (configType.case !== 'typedConfig' || !anyIs(configType.value, RBACSchema)) return []
    const settings = anyUnpack(configType.value, RBACSchema)
    const verdict = settings && networkRbacVerdict(name, settings, call)
    return verdict ? [verdict] : []
  })
}

function tcpOutcomes({ clusterSpecifier: specifier }: TcpProxy, verdicts: readonly FilterVerdict[]): PathOutcome[] {
  const to = (cluster: string, share: number): PathOutcome => ({ share, verdicts, end: { kind: 'forward', cluster } })
  if (specifier.case === 'cluster') return [to(specifier.value, 1)]
  if (specifier.case !== 'weightedClusters') return [closed('the chain names no cluster', '')]
  const total = specifier.value.clusters.reduce((sum, { weight }) => sum + weight, 0)
  return specifier.value.clusters.filter(({ weight }) => weight > 0).map(({ name, weight }) => to(name, weight / total))
}

const closed = (why: string, flag: string): PathOutcome => ({ share: 1, verdicts: [], end: { kind: 'closed', why, flag } satisfies End })
