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
import type { Problem } from './problem.ts'
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

/** What became of one of a route's parents. */
export interface ParentVerdict {
  readonly ref: ParentReference
  readonly attachments: readonly Attachment[]
  /** Keys of the listeners that let the route in, whether they can be served or not. */
  readonly listeners: readonly string[]
  /** Why it attaches nowhere there. */
  readonly denial: Problem | undefined
}

/** Where a route attaches, parent by parent; what no parent lets in is left out. */
export function attachmentsOf(context: Context, sources: ParentSources, route: KubeObject): readonly Attachment[] {
  const seen = new Set<string>()
  return parentVerdicts(context, sources, route)
    .flatMap(({ attachments }) => attachments)
    .sort((a, b) => (a.gateway < b.gateway ? -1 : a.gateway > b.gateway ? 1 : 0))
    .filter((attachment) => {
      const id = `${attachment.gateway} ${attachment.port ?? ''} ${attachment.hosts.join(',')}`
      return seen.has(id) ? false : seen.add(id)
    })
}

/** The verdicts on a route's parents, in their order. Parents that are none of ours have none: they are another controller's. */
export function parentVerdicts(context: Context, sources: ParentSources, route: KubeObject): readonly ParentVerdict[] {
  const spec = (route.spec ?? {}) as RouteSpec<unknown>
  const hostnames = spec.hostnames?.length ? spec.hostnames : ['*']
  return (spec.parentRefs ?? []).flatMap((ref) => {
    const group = ref.group ?? GATEWAY_GROUP
    const kind = ref.kind ?? 'Gateway'
    if (group === GATEWAY_GROUP && (kind === 'Gateway' || kind === 'ListenerSet'))
      return atListeners(context, sources, route, ref, hostnames) ?? []
    if (group === '' && kind === 'Service') return [atService(context, sources, route, ref)]
    if (group === 'networking.istio.io' && kind === 'ServiceEntry') return [atServiceEntry(context, sources, route, ref)]
    return []
  })
}

function atListeners(
  context: Context,
  { listeners }: ParentSources,
  route: KubeObject,
  ref: ParentReference,
  hostnames: readonly string[],
): ParentVerdict | undefined {
  const namespace = route.metadata.namespace ?? ''
  const all = context.list(listeners, 'parent', `${ref.kind ?? 'Gateway'}/${ref.namespace ?? namespace}/${ref.name}`)
  if (all.length === 0) return undefined
  const denials = all.map((listener) => ({ listener, denial: denialOf(listener, route, ref, hostnames) }))
  const admitting = denials.flatMap(({ listener, denial }) => (denial ? [] : [listener]))
  const attachments = admitting
    .filter((listener) => listener.gateway !== undefined)
    .map((listener) => ({
      gateway: listener.key,
      hosts: hostnames.filter((host) => !belongsToAnother(host, listener, all)),
      port: undefined,
      visibility: '*' as const,
    }))
  const denial = admitting.length > 0 ? undefined : worst(denials.flatMap((entry) => entry.denial ?? []))
  return { ref, attachments, listeners: admitting.map(({ key }) => key), denial }
}

/** Reasons by how near the route came to being let in; listeners that it does not ask for say nothing where others do. */
const NEARNESS = ['NotAllowedByListeners', 'NoMatchingListenerHostname', 'NoMatchingParent']

/** Of what several listeners say, what the nearest say. */
function worst(denials: readonly Problem[]): Problem | undefined {
  const reason = NEARNESS.find((candidate) => denials.some((denial) => denial.reason === candidate))
  const messages = [...new Set(denials.filter((denial) => denial.reason === reason).map(({ message }) => message))]
  return reason === undefined ? undefined : { reason, message: messages.join('; ') }
}

/** Why a listener does not let a route in. */
function denialOf(listener: Listener, route: KubeObject, ref: ParentReference, hostnames: readonly string[]): Problem | undefined {
  if (ref.port !== undefined && listener.port !== ref.port)
    return { reason: 'NoMatchingParent', message: `no listener has port ${ref.port}` }
  if (ref.sectionName !== undefined && listener.name !== ref.sectionName)
    return { reason: 'NoMatchingParent', message: `no listener is named "${ref.sectionName}"` }
  const namespace = route.metadata.namespace ?? ''
  const asked = listener.hosts.map((text) => ({ from: text.slice(0, text.indexOf('/')), host: text.slice(text.indexOf('/') + 1) }))
  const fitting = asked.filter(({ host }) => hostnames.some((hostname) => hostsOverlap(host, hostname)))
  if (fitting.length === 0) {
    const message = `none of ${hostnames.join(', ')} fits hostname "${listener.hostname}" of listener "${listener.name}"`
    return { reason: 'NoMatchingListenerHostname', message }
  }
  if (!fitting.some(({ from }) => from === '*' || from === namespace))
    return {
      reason: 'NotAllowedByListeners',
      message: `listener "${listener.name}" takes no routes of namespace ${namespace} (allowedRoutes)`,
    }
  if (!listener.kinds.includes(route.kind))
    return {
      reason: 'NotAllowedByListeners',
      message: `listener "${listener.name}" of protocol ${listener.protocol} takes no ${route.kind}`,
    }
  return undefined
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
function atService(context: Context, { inputs, services }: ParentSources, route: KubeObject, ref: ParentReference): ParentVerdict {
  const own = route.metadata.namespace ?? ''
  const namespace = ref.namespace ?? own
  if (!context.get(services, `Service/${namespace}/${ref.name}`)) return absent(ref, `Service ${namespace}/${ref.name}`)
  const { domain } = settingsOf(context, inputs)
  return inMesh(ref, [`${ref.name}.${namespace}.svc.${domain}`], namespace === own ? '*' : [own])
}

function atServiceEntry(context: Context, { inputs }: ParentSources, route: KubeObject, ref: ParentReference): ParentVerdict {
  const own = route.metadata.namespace ?? ''
  const namespace = ref.namespace ?? own
  const entry = context.get(inputs.kinds['networking.istio.io/ServiceEntry'], `${namespace}/${ref.name}`)
  if (!entry) return absent(ref, `ServiceEntry ${namespace}/${ref.name}`)
  const hosts = ((entry.spec ?? {}) as ServiceEntrySpec).hosts ?? []
  return inMesh(ref, hosts, namespace === own ? '*' : [own])
}

const inMesh = (ref: ParentReference, hosts: readonly string[], visibility: Visibility): ParentVerdict => ({
  ref,
  attachments: hosts.length > 0 ? [{ gateway: MESH_GATEWAY, hosts, port: ref.port, visibility }] : [],
  listeners: [],
  denial: undefined,
})

const absent = (ref: ParentReference, what: string): ParentVerdict => ({
  ref,
  attachments: [],
  listeners: [],
  denial: { reason: 'NoMatchingParent', message: `there is no ${what}` },
})
