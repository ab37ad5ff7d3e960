/** Which virtual host and route take a request, as Envoy decides it. */
import type { Route, RouteMatch, VirtualHost } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { matchesSomewhere } from './matching/regex.ts'

/**
 * The virtual host for a host: the exact name, then the longest suffix wildcard (`*.x`), then the longest prefix wildcard (`x.*`),
 * then `*`. Names are compared without regard to case.
 */
export function virtualHostFor(hosts: readonly VirtualHost[], host: string, ignorePort: boolean): VirtualHost | undefined {
  return virtualHostMatch(hosts, host, ignorePort)?.virtualHost
}

/** The same, with the domain that decided. */
export function virtualHostMatch(
  hosts: readonly VirtualHost[],
  host: string,
  ignorePort: boolean,
): { readonly virtualHost: VirtualHost; readonly domain: string } | undefined {
  const name = (ignorePort ? withoutPort(host) : host).toLowerCase()
  const ranked = hosts.flatMap((virtualHost) =>
    virtualHost.domains.map((domain) => ({ virtualHost, domain, rank: domainRank(domain.toLowerCase(), name) })),
  )
  let winner: { virtualHost: VirtualHost; domain: string; rank: number } | undefined
  for (const entry of ranked) if (entry.rank > 0 && (!winner || entry.rank > winner.rank)) winner = entry
  return winner
}

function domainRank(domain: string, host: string): number {
  if (domain === host) return 3_000_000
  if (domain === '*') return 1
  if (domain.startsWith('*')) return host.length >= domain.length && host.endsWith(domain.slice(1)) ? 2_000_000 + domain.length : 0
  if (domain.endsWith('*')) return host.length >= domain.length && host.startsWith(domain.slice(0, -1)) ? 1_000_000 + domain.length : 0
  return 0
}

function withoutPort(host: string): string {
  const match = /^(.*):\d+$/.exec(host)
  const bare = match?.[1]
  return bare !== undefined && (!bare.includes(':') || bare.endsWith(']')) ? bare : host
}

/** The first route whose path matches. */
export function routeFor(routes: readonly Route[], path: string): Route | undefined {
  const bare = path.split('?', 1)[0] ?? path
  return routes.find((route) => route.match !== undefined && pathMatches(route.match, bare))
}

function pathMatches(match: RouteMatch, path: string): boolean {
  const fold = (text: string) => (match.caseSensitive === false ? text.toLowerCase() : text)
  switch (match.pathSpecifier.case) {
    case 'path':
      return fold(path) === fold(match.pathSpecifier.value)
    case 'prefix':
      return fold(path).startsWith(fold(match.pathSpecifier.value))
    case 'pathSeparatedPrefix':
      return fold(path) === fold(match.pathSpecifier.value) || fold(path).startsWith(`${fold(match.pathSpecifier.value)}/`)
    case 'safeRegex':
      return matchesSomewhere(match.pathSpecifier.value.regex, path)
    default:
      return false
  }
}
