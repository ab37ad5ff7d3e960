/** Classes of Gateways: which are the mesh's, and what it does for them. */
import { ownValue } from '@lateen/base'
import type { Context } from '@lateen/graph'
import type { Inputs } from '../inputs.ts'

/** The controller that a GatewayClass names to be served by the mesh. */
export const GATEWAY_CONTROLLER = 'istio.io/gateway-controller'
/** Of waypoints, which serve the mesh's own traffic and bring no listeners of their own. */
export const WAYPOINT_CONTROLLER = 'istio.io/mesh-controller'
/** Of gateways that stand for those of another network; nothing is programmed. */
export const REMOTE_CONTROLLER = 'istio.io/unmanaged-gateway'

/** The classes that stand for themselves where no GatewayClass object says otherwise. */
export const BUILT_IN_CLASSES: Readonly<Record<string, string>> = {
  istio: GATEWAY_CONTROLLER,
  'istio-waypoint': WAYPOINT_CONTROLLER,
  'istio-remote': REMOTE_CONTROLLER,
}

export type GatewayRole = 'gateway' | 'waypoint' | 'remote'

const ROLES: Readonly<Record<string, GatewayRole>> = {
  [GATEWAY_CONTROLLER]: 'gateway',
  [WAYPOINT_CONTROLLER]: 'waypoint',
  [REMOTE_CONTROLLER]: 'remote',
}

/** What the mesh does for Gateways of a class; undefined for classes of others. */
export function roleOf(context: Context, inputs: Inputs, className: string): GatewayRole | undefined {
  const object = context.get(inputs.kinds['gateway.networking.k8s.io/GatewayClass'], className)
  const controller: unknown = object ? Reflect.get(Object(object.spec), 'controllerName') : ownValue(BUILT_IN_CLASSES, className)
  return typeof controller === 'string' ? ownValue(ROLES, controller) : undefined
}
