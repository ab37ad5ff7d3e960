/** The clusters of a dump. */
import { compareClusterNames, parseClusterName } from './cluster-name.ts'
import type { ConfigDump } from './dump.ts'
import { at, type Fields, fields, list, text } from './fields.ts'
import { originOf } from './origin.ts'

export interface ClusterFilter {
  readonly fqdn?: string | undefined
  readonly port?: number | undefined
  readonly subset?: string | undefined
  readonly direction?: string | undefined
}

/** In the order of istioctl's table. @throws CommandError when the dump has no such part */
export function clustersOf(dump: ConfigDump, filter: ClusterFilter = {}): Fields[] {
  const section = dump.section('ClustersConfigDump')
  const entries = [...list(at(section, 'dynamic_active_clusters')), ...list(at(section, 'static_clusters'))]
  return entries
    .map((entry) => at(entry, 'cluster'))
    .filter((cluster) => cluster !== undefined)
    .map(fields)
    .filter((cluster) => matches(text(cluster['name']), filter))
    .sort((a, b) => compareClusterNames(text(a['name']), text(b['name'])))
}

function matches(name: string, { fqdn, port, subset, direction }: ClusterFilter): boolean {
  return [fqdn, subset, direction, port ? `|${port}|` : undefined].every((part) => !part || name.includes(part))
}

export const CLUSTER_HEADINGS = ['SERVICE FQDN', 'PORT', 'SUBSET', 'DIRECTION', 'TYPE', 'DESTINATION RULE']

/** A row below {@link CLUSTER_HEADINGS}. */
export function clusterRow(cluster: Fields): string[] {
  const name = text(cluster['name'])
  const { direction, port, subset, host } = parseClusterName(name)
  // A cluster of an extension's type has none of Envoy's own, and istioctl shows the first of these.
  const type = text(cluster['type']) || 'STATIC'
  const where = direction === '' ? [name, '-', '-', '-'] : [host, String(port), subset || '-', direction]
  return [...where, type, originOf(cluster['metadata'])]
}
