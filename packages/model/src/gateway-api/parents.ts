/** Where routes attach: listeners of Gateways, services and ServiceEntries. */
import type { KubeObject } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import { hostMatches, hostsOverlap, isWildcard } from '../host.ts'
import type { Inputs } from '../inputs.ts'
import type { Service } from '../service.ts'
import { settingsOf } from '../services.ts'
import type { ServiceEntrySpec } from '../views.ts'
import { MESH_GATEWAY } from '../virtual-services.ts'
import type { Visibility } from '../visibility.ts'
import { GATEWAY_GROUP } from './grants.ts'
import type { Listener } from './listeners.ts'
import type { ParentReference, RouteSpec } from './specs.ts'

/** One place where a route holds. */
export interface Attachment {
  /** `namespace/name` of the Gateway that a listener became, or `mesh`. */
  readonly gateway: string
  /** Hosts for which the route holds there. */
  readonly hosts: readonly string[]
  /** In the mesh: only on this port. */
  readonly port: number | undefined
  readonly visibility: Visibility
}

export interface ParentSources {
  readonly inputs: Inputs
  readonly listeners: Source<Listener>
  readonly services: Source<Service>
}

/** Where a route attaches, parent by parent; what no parent lets in is left out. */
export function attachmentsOf(context: Context, sources: ParentSources, route: KubeObject): readonly Attachment[] {
  const spec = (route.spec ?? {}) as RouteSpec<unknown>
  const hostnames = spec.hostnames?.length ? spec.hostnames : ['*']
  const found = (spec.parentRefs ?? []).flatMap((ref) => {
    const group = ref.group ?? GATEWAY_GROUP
    const kind = ref.kind ?? 'Gateway'
    if (group === GATEWAY_GROUP && (kind === 'Gateway' || kind === 'ListenerSet'))
      return atListeners(context, sources, route, ref, hostnames)
    if (group === '' && kind === 'Service') return atService(context, sources, route, ref)
    if (group === 'networking.istio.io' && kind === 'ServiceEntry') return atServiceEntry(context, sources, route, ref)
    return []
  })
  const seen = new Set<string>()
  return found
    .sort((a, b) => (a.gateway < b.gateway ? -1 : a.gateway > b.gateway ? 1 : 0))
    .filter((attachment) => {
      const id = `${attachment.gateway} ${attachment.port ?? ''} ${attachment.hosts.join(',')}`
      return seen.has(id) ? false : seen.add(id)
    })
}

function atListeners(
  context: Context,
  { listeners }: ParentSources,
  route: KubeObject,
  ref: ParentReference,
  hostnames: readonly string[],
): readonly Attachment[] {
  const namespace = route.metadata.namespace ?? ''
  const all = context.list(listeners, 'parent', `${ref.kind ?? 'Gateway'}/${ref.namespace ?? namespace}/${ref.name}`)
  return all
    .filter((listener) => ref.sectionName === undefined || listener.name === ref.sectionName)
    .filter((listener) => ref.port === undefined || listener.port === ref.port)
    .filter((listener) => listener.kinds.includes(route.kind) && letsIn(listener, namespace, hostnames))
    .map((listener) => ({
      gateway: listener.key,
      hosts: hostnames.filter((host) => !belongsToAnother(host, listener, all)),
      port: undefined,
      visibility: '*' as const,
    }))
}

function letsIn({ hosts }: Listener, namespace: string, hostnames: readonly string[]): boolean {
  return hosts.some((text) => {
    const slash = text.indexOf('/')
    const from = text.slice(0, slash)
    const host = text.slice(slash + 1)
    return (from === '*' || from === namespace) && hostnames.some((hostname) => hostsOverlap(host, hostname))
  })
}

/** Of listeners on one port, the one with the most specific name has a host for itself. */
function belongsToAnother(host: string, own: Listener, all: readonly Listener[]): boolean {
  if (own.hostname !== '' && !isWildcard(own.hostname)) return false
  if (own.hostname !== '' && !hostsOverlap(host, own.hostname)) return true
  return all.some(
    (other) =>
      other !== own &&
      other.port === own.port &&
      other.protocol === own.protocol &&
      other.hostname !== '' &&
      other.hostname.length >= own.hostname.length &&
      other.hostname !== own.hostname &&
      hostMatches(other.hostname, host),
  )
}

/** A route of the service's own namespace holds for all callers, one of another only for callers of that namespace. */
function atService(context: Context, { inputs, services }: ParentSources, route: KubeObject, ref: ParentReference): readonly Attachment[] {
  const own = route.metadata.namespace ?? ''
  const namespace = ref.namespace ?? own
  if (!context.get(services, `Service/${namespace}/${ref.name}`)) return []
  const { domain } = settingsOf(context, inputs)
  const visibility: Visibility = namespace === own ? '*' : [own]
  return [{ gateway: MESH_GATEWAY, hosts: [`${ref.name}.${namespace}.svc.${domain}`], port: ref.port, visibility }]
}

function atServiceEntry(context: Context, { inputs }: ParentSources, route: KubeObject, ref: ParentReference): readonly Attachment[] {
  const own = route.metadata.namespace ?? ''
  const namespace = ref.namespace ?? own
  const entry = context.get(inputs.kinds['networking.istio.io/ServiceEntry'], `${namespace}/${ref.name}`)
  const hosts = ((entry?.spec ?? {}) as ServiceEntrySpec).hosts ?? []
  const visibility: Visibility = namespace === own ? '*' : [own]
  return hosts.length > 0 ? [{ gateway: MESH_GATEWAY, hosts, port: ref.port, visibility }] : []
}
