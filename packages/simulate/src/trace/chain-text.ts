/** What a filter chain asks of connections, for people. */
import type { FilterChainMatch } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'

export function chainMatchText(match: FilterChainMatch | undefined): string {
  if (!match) return 'any connection'
  const parts = [
    match.destinationPort === undefined ? '' : `port ${match.destinationPort}`,
    list(match.prefixRanges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen ?? 0}`)),
    match.serverNames.length > 0 ? `SNI ${list(match.serverNames)}` : '',
    match.transportProtocol === 'raw_buffer' ? 'plain text' : match.transportProtocol === 'tls' ? 'TLS' : match.transportProtocol,
    match.applicationProtocols.length > 0 ? `ALPN ${list(match.applicationProtocols)}` : '',
    match.sourcePrefixRanges.length > 0
      ? `from ${list(match.sourcePrefixRanges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen ?? 0}`))}`
      : '',
  ].filter((part) => part !== '')
  return parts.length === 0 ? 'any connection' : parts.join(', ')
}

const list = (texts: readonly string[]): string => texts.join(' or ')
