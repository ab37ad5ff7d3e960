/** What the control plane sent to a proxy against what the proxy holds, resource by resource. */

import { clustersOf } from '../../config-dump/clusters.ts'
import type { ConfigDump } from '../../config-dump/dump.ts'
import { at, type Fields, fields as fieldsOf, list, text } from '../../config-dump/fields.ts'
import { listenersOf } from '../../config-dump/listeners.ts'
import { canonicalForms } from '../../config-dump/proto-json.ts'
import { routesOf } from '../../config-dump/routes.ts'

export interface KindDifference {
  /** `Clusters`, `Listeners` or `Routes`. */
  readonly kind: string
  readonly onlySent: readonly string[]
  readonly onlyHeld: readonly string[]
  readonly different: readonly { readonly name: string; readonly fields: readonly FieldDifference[] }[]
}

export interface FieldDifference {
  /** Path with dots; list items by their number. */
  readonly field: string
  readonly sent?: unknown
  readonly held?: unknown
}

/** Virtual hosts that come apart are in no order, and where they come from is no part of what they say. */
function sortedRoutes(dump: ConfigDump): Fields[] {
  return routesOf(dump).map((routes) => {
    const { vhds: _, virtualHosts, virtual_hosts = virtualHosts, ...rest } = routes
    const sorted = [...list(virtual_hosts)].sort((a, b) => (text(at(a, 'name')) < text(at(b, 'name')) ? -1 : 1))
    return { ...rest, virtual_hosts: sorted }
  })
}

const KINDS = [
  { kind: 'Clusters', section: 'ClustersConfigDump', type: 'envoy.config.cluster.v3.Cluster', read: clustersOf },
  { kind: 'Listeners', section: 'ListenersConfigDump', type: 'envoy.config.listener.v3.Listener', read: listenersOf },
  { kind: 'Routes', section: 'RoutesConfigDump', type: 'envoy.config.route.v3.RouteConfiguration', read: sortedRoutes },
] as const

/** The resources of one kind by name, in one form, so that only meaning differs. */
export interface Compared {
  readonly kind: (typeof KINDS)[number]['kind']
  readonly resources: ReadonlyMap<string, unknown>
}

/** Kinds that a dump lacks have no resources. */
export async function comparable(dump: ConfigDump): Promise<Compared[]> {
  return Promise.all(
    KINDS.map(async ({ kind, section, type, read }) => ({ kind, resources: await byName(type, dump.has(section) ? read(dump) : []) })),
  )
}

/** @param held the proxy's own dump without what its bootstrap holds */
export async function difference(sent: ConfigDump, held: ConfigDump): Promise<KindDifference[]> {
  const [all, others] = [await comparable(sent), await comparable(held)]
  return all.map(({ kind, resources: left }, index) => {
    const right = others[index]?.resources ?? new Map<string, unknown>()
    const different = [...left].flatMap(([name, one]) => {
      const other = right.get(name)
      const fields = other === undefined ? [] : fieldDifferences(one, other, '')
      return fields.length > 0 ? [{ name, fields }] : []
    })
    return {
      kind,
      onlySent: [...left.keys()].filter((name) => !right.has(name)),
      onlyHeld: [...right.keys()].filter((name) => !left.has(name)),
      different,
    }
  })
}

/** Resources without a name are not the control plane's. */
async function byName(type: string, resources: readonly Fields[]): Promise<Map<string, unknown>> {
  const named = resources.filter((resource) => text(resource['name']) !== '')
  const forms = await canonicalForms(type)
  return new Map(named.map((resource) => [text(resource['name']), forms.of(resource)]))
}

const MAX_DIFFERENCES = 20

/** The order of map entries means nothing, so that values are compared field by field. */
function fieldDifferences(sent: unknown, held: unknown, field: string): FieldDifference[] {
  if (typeof sent !== 'object' || typeof held !== 'object' || sent === null || held === null) {
    return sent === held ? [] : [{ field, sent, held }]
  }
  const [left, right] = [entriesOf(sent), entriesOf(held)]
  const names = [...new Set([...Object.keys(left), ...Object.keys(right)])]
  return names
    .flatMap((name) => fieldDifferences(left[name], right[name], field === '' ? name : `${field}.${name}`))
    .slice(0, MAX_DIFFERENCES)
}

const entriesOf = (value: object): Fields =>
  Array.isArray(value) ? Object.fromEntries(value.map((item, index) => [String(index), item])) : fieldsOf(value)
