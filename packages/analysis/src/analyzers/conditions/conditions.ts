/** Conditions that the control plane wrote into objects and that are not met. */
import type { Analyzer } from '../../analyzer.ts'
import type { ConditionView, Resource } from '../../resource.ts'

const OF_GATEWAY_API: ReadonlySet<string> = new Set(['Accepted', 'Programmed', 'ResolvedRefs'])
const OF_SERVICES: ReadonlySet<string> = new Set(['istio.io/WaypointBound'])

/** The conditions that say, when they are false, that an object does not do what it is for. */
const TYPES = {
  Service: OF_SERVICES,
  ServiceEntry: OF_SERVICES,
  AuthorizationPolicy: new Set(['ZtunnelAccepted', 'WaypointAccepted']),
  KubernetesGateway: OF_GATEWAY_API,
  HTTPRoute: OF_GATEWAY_API,
  GRPCRoute: OF_GATEWAY_API,
} as const

const KINDS = ['Service', 'ServiceEntry', 'AuthorizationPolicy', 'KubernetesGateway', 'HTTPRoute', 'GRPCRoute'] as const

export const conditions: Analyzer = {
  name: 'conditions.ConditionAnalyzer',
  description: 'Conditions in the status of objects that are false',
  inputs: KINDS,
  messages: ['NegativeConditionStatus'],
  analyze(world, report) {
    for (const kind of KINDS) {
      for (const resource of world.of(kind)) {
        for (const { type, reason, message } of resource.conditions.filter((condition) => isNegative(resource, TYPES[kind], condition))) {
          report('NegativeConditionStatus', resource, { conditionType: type, reason, message }, 'status.conditions')
        }
      }
    }
  },
}

/** A policy of which a waypoint takes only some rules counts as accepted, with this reason. */
function isNegative({ kind }: Resource, types: ReadonlySet<string>, { type, status, reason }: ConditionView): boolean {
  if (status === 'False' && types.has(type)) return true
  return kind === 'AuthorizationPolicy' && type === 'WaypointAccepted' && reason === 'PartiallyInvalid'
}
