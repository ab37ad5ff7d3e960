/** The status of Gateways, ListenerSets and GatewayClasses of the Gateway API. */
import { type KubeObject, objectKey, refOf } from '@lateen/api'
import type { Context } from '@lateen/graph'
import { isIpv6 } from '../address-family.ts'
import { BUILT_IN_CLASSES, roleOf } from '../gateway-api/classes.ts'
import {
  admitsSet,
  classNameOf,
  gatewayServices,
  type Listener,
  listenerSetListenersOf,
  listenersAt,
  parentGatewayOf,
} from '../gateway-api/listeners.ts'
import type { ParentSources } from '../gateway-api/parents.ts'
import type { Problem } from '../gateway-api/problem.ts'
import type { GatewaySpecView } from '../gateway-api/specs.ts'
import { type AddressSources, type GatewayReach, reachOf } from './gateway-addresses.ts'
import { attachedRoutes, listenerStatus } from './listener-status.ts'
import { condition, type WantedCondition, type WantedStatus } from './wanted-status.ts'

export type GatewayStatusSources = ParentSources & AddressSources

const ACCEPTED = 'the mesh takes care of it'

/** The status of a Gateway; undefined for classes of other controllers. */
export function gatewayStatus(context: Context, sources: GatewayStatusSources, gateway: KubeObject): WantedStatus | undefined {
  const { inputs } = sources
  const role = roleOf(context, inputs, classNameOf(gateway))
  if (!role) return undefined
  const base = { object: refOf(gateway), generation: gateway.metadata.generation }
  if (role === 'remote') return { ...base, conditions: remoteConditions, fields: { addresses: writtenAddresses(gateway) } }
  const services = gatewayServices(context, inputs, gateway)
  if (services.services.length === 0) return { ...base, conditions: unreachable(services.problem) }
  const own = listenersAt(context, inputs, gateway)
  const sets = setsOf(context, sources, gateway).map((set) => listenerSetListenersOf(context, inputs, set))
  const ports = [...own, ...sets.flat()].map(({ port }) => port)
  const reach = reachOf(context, sources, { namespace: gateway.metadata.namespace ?? '', gateway: services, ports })
  const attachedSets = sets.filter((listeners) => listeners.length > 0).length
  return {
    ...base,
    conditions: [condition('Accepted', services.problem, ACCEPTED), programmed(reach)],
    listeners: listenersWithRoutes(context, sources, `Gateway/${objectKey(gateway)}`, own),
    fields: {
      ...(reach.addresses.length > 0 && { addresses: reach.addresses.map(typedAddress) }),
      attachedListenerSets: attachedSets > 0 ? attachedSets : null,
    },
  }
}

/** The status of a ListenerSet; undefined where its Gateway is not there or another controller's. */
export function listenerSetStatus(context: Context, sources: GatewayStatusSources, set: KubeObject): WantedStatus | undefined {
  const { inputs } = sources
  const gateway = parentGatewayOf(context, inputs, set)
  const role = gateway && roleOf(context, inputs, classNameOf(gateway))
  if (!gateway || !role) return undefined
  const base = { object: refOf(set), generation: set.metadata.generation }
  if (role !== 'gateway') return { ...base, conditions: refused(`Gateways of class ${classNameOf(gateway)} take no ListenerSets`) }
  if (!admitsSet(context, inputs, gateway, set))
    return { ...base, conditions: refused('the Gateway takes no ListenerSets of this namespace: see its allowedListeners') }
  const services = gatewayServices(context, inputs, gateway)
  if (services.services.length === 0) return { ...base, conditions: unreachable(services.problem) }
  const listeners = listenerSetListenersOf(context, inputs, set)
  const ports = listeners.map(({ port }) => port)
  const reach = reachOf(context, sources, { namespace: gateway.metadata.namespace ?? '', gateway: services, ports })
  return {
    ...base,
    conditions: [condition('Accepted', services.problem, ACCEPTED), programmed(reach)],
    listeners: listenersWithRoutes(context, sources, `ListenerSet/${objectKey(set)}`, listeners),
  }
}

/** A GatewayClass of the mesh's controllers is accepted. */
export function gatewayClassStatus(gatewayClass: KubeObject): WantedStatus | undefined {
  const controller: unknown = Reflect.get(Object(gatewayClass.spec), 'controllerName')
  if (typeof controller !== 'string' || !Object.values(BUILT_IN_CLASSES).includes(controller)) return undefined
  const conditions = [condition('Accepted', undefined, 'the mesh takes care of Gateways of this class')]
  return { object: refOf(gatewayClass), generation: gatewayClass.metadata.generation, conditions }
}

const setsOf = (context: Context, { inputs }: GatewayStatusSources, gateway: KubeObject): readonly KubeObject[] =>
  context.list(inputs.kinds['gateway.networking.k8s.io/ListenerSet'], 'parent', `Gateway/${objectKey(gateway)}`)

function listenersWithRoutes(context: Context, sources: GatewayStatusSources, parent: string, listeners: readonly Listener[]) {
  const attached = attachedRoutes(context, sources, parent)
  return listeners.map((listener) => listenerStatus(listener, attached.get(listener.key) ?? 0))
}

const programmed = ({ assigned, problem }: GatewayReach): WantedCondition =>
  condition('Programmed', problem, assigned.length > 0 ? `reached through ${assigned.join(', ')}` : 'programmed')

const unreachable = (problem: Problem | undefined): readonly WantedCondition[] => [
  condition('Accepted', problem, ACCEPTED),
  { type: 'Programmed', status: 'False', reason: 'UnsupportedAddress', message: 'none of the addresses that are asked for can be had' },
]

const refused = (message: string): readonly WantedCondition[] =>
  ['Accepted', 'Programmed'].map((type) => ({ type, status: 'False' as const, reason: 'NotAllowed', message }))

const remoteConditions: readonly WantedCondition[] = [
  condition('Accepted', undefined, ACCEPTED),
  condition('Programmed', undefined, 'it stands for a gateway of another network, which is programmed there'),
]

const writtenAddresses = (gateway: KubeObject) =>
  (((gateway.spec ?? {}) as GatewaySpecView).addresses ?? []).map(({ type = 'IPAddress', value = '' }) => ({ type, value }))

const typedAddress = (value: string) => ({ type: isIpv6(value) || /^[\d.]+$/.test(value) ? 'IPAddress' : 'Hostname', value })
