/**
 * Which ports of a listener wait for the first bytes of a connection, and for what. A port that is told apart by nothing must not wait:
 * where the server speaks first, the client would wait as well.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { ListenerFilterChainMatchPredicateSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type FilterChainInit, HTTP_INSPECTOR, type ListenerFilterInit, looksForHttp, TLS_INSPECTOR } from './listener-parts.ts'

type Predicate = MessageInitShape<typeof ListenerFilterChainMatchPredicateSchema>

/** The inspectors that the chains of a listener need, each off for ports whose chains do not. */
export function inspectors(chains: readonly FilterChainInit[]): ListenerFilterInit[] {
  return [
    ...inspector(TLS_INSPECTOR, chains, ({ filterChainMatch }) => filterChainMatch?.transportProtocol === 'tls'),
    ...inspector(HTTP_INSPECTOR, chains, looksForHttp),
  ]
}

/** The chains of every port that has none of its own. */
const OTHERS = 0

function inspector(
  filter: ListenerFilterInit,
  chains: readonly FilterChainInit[],
  needs: (chain: FilterChainInit) => boolean,
): ListenerFilterInit[] {
  const byPort = new Map<number, boolean>()
  for (const chain of chains) {
    const port = chain.filterChainMatch?.destinationPort ?? OTHERS
    byPort.set(port, (byPort.get(port) ?? false) || needs(chain))
  }
  if (![...byPort.values()].includes(true)) return []
  const usual = byPort.get(OTHERS) ?? false
  const exceptions = [...byPort].filter(([port, needed]) => port !== OTHERS && needed !== usual).map(([port]) => port)
  const listed = onPorts(exceptions.sort((a, b) => a - b))
  const off = usual ? listed : byPort.has(OTHERS) && listed ? { rule: { case: 'notMatch' as const, value: listed } } : undefined
  return [off ? { ...filter, filterDisabled: off } : filter]
}

function onPorts(ports: readonly number[]): Predicate | undefined {
  // The end of a range is not in it.
  const rules = ports.map((port): Predicate => ({ rule: { case: 'destinationPortRange', value: { start: port, end: port + 1 } } }))
  return rules.length > 1 ? { rule: { case: 'orMatch', value: { rules } } } : rules[0]
}
