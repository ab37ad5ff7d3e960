/** Waypoints as objects: Gateways of the class `istio-waypoint`. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import { ApiError, type KubeClient } from '@lateen/kube'
import { at, list, text } from '../../config-dump/fields.ts'
import type { Context, Flag } from '../../shell/command.ts'
import { CommandError, EXIT } from '../../shell/exit-codes.ts'

export const WAYPOINT_CLASS = 'istio-waypoint'
export const REVISION = 'istio.io/rev'
export const TRAFFIC = 'istio.io/waypoint-for'
const TRAFFIC_TYPES = ['all', 'none', 'service', 'workload']

export const NAME: Flag = { name: 'name', value: 'NAME', default: 'waypoint', help: 'name of the waypoint' }
export const FOR: Flag = {
  name: 'for',
  value: 'TRAFFIC',
  suggestions: TRAFFIC_TYPES,
  help: `what goes through it: ${TRAFFIC_TYPES.join(', ')}`,
}
export const REVISION_FLAG: Flag = { name: 'revision', short: 'r', value: 'REVISION', help: 'control plane of the waypoint' }
export const ALL_NAMESPACES: Flag = { name: 'all-namespaces', short: 'A', help: 'of all namespaces' }
export const WAIT_FOR: Flag = {
  name: 'waypoint-timeout',
  value: 'DURATION',
  type: 'duration',
  default: '1m30s',
  help: 'longest wait for the waypoint to be ready',
}

/** @throws CommandError for an unknown kind of traffic or a name that means something else */
export function waypointOf({ flags }: Pick<Context, 'flags'>, namespace: string | undefined): KubeObject {
  const name = flags.text('name') || 'waypoint'
  const traffic = flags.text('for')
  const revision = flags.text('revision')
  if (name === 'none') throw new CommandError('--name none: "none" is the name for no waypoint; choose another', { exitCode: EXIT.usage })
  if (traffic && !TRAFFIC_TYPES.includes(traffic)) {
    throw new CommandError(`--for ${traffic}: one of ${TRAFFIC_TYPES.join(', ')} is wanted`, { exitCode: EXIT.usage })
  }
  const labels = { ...(revision ? { [REVISION]: revision } : {}), ...(traffic ? { [TRAFFIC]: traffic } : {}) }
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name, ...(namespace ? { namespace } : {}), ...(Object.keys(labels).length > 0 ? { labels } : {}) },
    spec: { gatewayClassName: WAYPOINT_CLASS, listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }] },
  }
}

/** By namespace and name; of all namespaces when none is given. @throws CommandError where the Gateway API is not installed */
export async function listWaypoints(client: KubeClient, namespace: string | undefined, labelSelector?: string): Promise<KubeObject[]> {
  const { items } = await withGatewayApi(
    client.list(RESOURCE_TYPES.KubernetesGateway, { ...(namespace ? { namespace } : {}), ...(labelSelector ? { labelSelector } : {}) }),
  )
  return items
    .filter((gateway) => at(gateway, 'spec', 'gatewayClassName') === WAYPOINT_CLASS)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

const keyOf = ({ metadata }: KubeObject): string => `${metadata.namespace}/${metadata.name}`

export async function withGatewayApi<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    // A kind that is not served is a plain page, or has no name in the answer; an object that is not there has one.
    const isUnknown =
      cause instanceof ApiError && cause.code === 404 && (cause.reason === '' || /could not find the requested/.test(cause.message))
    if (!isUnknown) throw cause
    throw new CommandError('the cluster does not know the Gateway API, of which waypoints are objects; install its CRDs first', { cause })
  }
}

export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}

/** The condition `Programmed`, which says whether the waypoint runs; else the last that there is. */
export function programmedOf(gateway: KubeObject): Condition | undefined {
  const conditions = list(at(gateway, 'status', 'conditions')).map((each) => ({
    type: text(at(each, 'type')),
    status: text(at(each, 'status')),
    reason: text(at(each, 'reason')),
    message: text(at(each, 'message')),
  }))
  return conditions.find(({ type }) => type === 'Programmed') ?? conditions.at(-1)
}

export const isProgrammed = (gateway: KubeObject): boolean => {
  const condition = programmedOf(gateway)
  return condition?.type === 'Programmed' && condition.status === 'True'
}
