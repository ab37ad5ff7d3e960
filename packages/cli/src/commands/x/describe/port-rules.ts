/** Which objects of configuration are behind a port of a service, as a proxy's own resources say. */
import { clustersOf } from '../../../config-dump/clusters.ts'
import type { ConfigDump } from '../../../config-dump/dump.ts'
import { at, list, text } from '../../../config-dump/fields.ts'
import { originOf } from '../../../config-dump/origin.ts'
import { routesOf } from '../../../config-dump/routes.ts'

export interface ServicePort {
  /** `reviews.shop.svc.cluster.local`. */
  readonly host: string
  readonly port: number
}

/** `name.namespace` of the DestinationRule of the port; undefined when it has none. */
export function destinationRuleOf(dump: ConfigDump, { host, port }: ServicePort): string | undefined {
  const [cluster] = clustersOf(dump, { fqdn: `|${host}`, port, direction: 'outbound|' }).filter(
    (each) => text(each['name']) === `outbound|${port}||${host}`,
  )
  return named(originOf(at(cluster, 'metadata')))
}

/** `name.namespace` of the VirtualServices whose routes lead to the port. */
export function virtualServicesOf(dump: ConfigDump, service: ServicePort): string[] {
  const configurations = routesOf(dump).filter(({ name }) => concerns(text(name), service.port))
  const found = configurations
    .flatMap((configuration) => list(at(configuration, 'virtual_hosts')))
    .flatMap((host) =>
      list(at(host, 'routes'))
        .filter((route) => isFor(host, route, service))
        .map((route) => named(originOf(at(route, 'metadata')))),
    )
  return [...new Set(found.filter((name) => name !== undefined))]
}

const named = (origin: string): string | undefined => (origin === '' || origin === '<unknown>' ? undefined : origin)

/** Routes of sidecars are named by their port, those of gateways `http.80` or `https.443.…`. */
const concerns = (name: string, port: number): boolean =>
  name === String(port) || name.startsWith('http.') || name.startsWith('https.') || name.endsWith(`:${port}`)

function isFor(virtualHost: unknown, route: unknown, { host, port }: ServicePort): boolean {
  const domains = list(at(virtualHost, 'domains')).map(text)
  return domains.includes(host) || clustersIn(route).some((name) => name.startsWith(`outbound|${port}|`) && name.endsWith(`|${host}`))
}

function clustersIn(route: unknown): string[] {
  const action = at(route, 'route')
  return [text(at(action, 'cluster')), ...list(at(action, 'weighted_clusters', 'clusters')).map((entry) => text(at(entry, 'name')))]
}
