/** The route configurations of a dump. */
import type { ConfigDump } from './dump.ts'
import { at, type Fields, fields, list, text } from './fields.ts'
import { originOf } from './origin.ts'

export interface RouteFilter {
  readonly name?: string | undefined
}

/** Dynamic ones first; names that are ports are in the order of their numbers. */
export function routesOf(dump: ConfigDump, { name }: RouteFilter = {}): Fields[] {
  const section = dump.section('RoutesConfigDump')
  const entries = [...list(at(section, 'dynamic_route_configs')), ...list(at(section, 'static_route_configs'))]
  const configurations = entries
    .map((entry) => at(entry, 'route_config'))
    .filter((routes) => routes !== undefined)
    .map(fields)
    .filter((routes) => !name || text(routes['name']) === name)
  const isPort = (routes: Fields) => /^\d+$/.test(text(routes['name']))
  const ports = configurations.filter(isPort).sort((a, b) => Number(a['name']) - Number(b['name']))
  return [...ports, ...configurations.filter((routes) => !isPort(routes))]
}

export const ROUTE_HEADINGS = ['NAME', 'VHOST NAME', 'DOMAINS', 'MATCH', 'VIRTUAL SERVICE']
export const SHORT_ROUTE_HEADINGS = ['NAME', 'VIRTUAL HOSTS']

/** Rows below {@link ROUTE_HEADINGS}, one for each route; those that pass everything through are left out. */
export function routeRows(routes: Fields): string[][] {
  return list(at(routes, 'virtual_hosts')).flatMap((host) => {
    const where = [text(routes['name']), text(at(host, 'name')), domainsText(list(at(host, 'domains')).map(text))]
    const own = list(at(host, 'routes'))
    if (own.length === 0) return [[...where, '/*', '404']]
    return own
      .filter((route) => text(at(route, 'route', 'cluster')) !== 'PassthroughCluster')
      .map((route) => [...where, matchText(at(route, 'match')), originOf(at(route, 'metadata'))])
  })
}

export function shortRouteRow(routes: Fields): string[] {
  return [text(routes['name']), String(list(at(routes, 'virtual_hosts')).length)]
}

/** The paths that a match takes; headers and parameters are left out, as in istioctl. */
export function matchText(match: unknown): string {
  const prefix = text(at(match, 'prefix'))
  const path = text(at(match, 'path'))
  const separated = text(at(match, 'path_separated_prefix'))
  const regex = text(at(match, 'safe_regex', 'regex'))
  const parts = [prefix && `${prefix}*`, separated && `PathPrefix:${separated}`, path, regex && `regex ${regex}`]
  return parts.filter((part) => part !== '').join(' ')
}

const SHOWN = 2

/** The first domains without port, and how many more there are; the longer spellings of a Kubernetes name count as one. */
function domainsText(domains: readonly string[]): string {
  if (domains.length <= 1) return domains[0] ?? ''
  const withoutPort = domains.filter((domain) => !domain.includes(':') || (domain.endsWith(']') && domain.split(':').length > 3))
  const names = new Set(withoutPort)
  const shortest = withoutPort.filter((domain) => !['.svc.cluster.local', '.svc'].some((end) => hasShorter(domain, end, names)))
  const shown = shortest.slice(0, SHOWN).join(', ')
  return shortest.length > SHOWN ? `${shown} + ${shortest.length - SHOWN} more...` : shown
}

const hasShorter = (domain: string, end: string, names: ReadonlySet<string>): boolean =>
  domain.endsWith(end) && names.has(domain.slice(0, -end.length))
