/**
 * All statuses that the mesh has to write, kept up to date while somebody watches them: by the replica that leads, and no other.
 */
import type { KubeObject } from '@lateen/api'
import { type Context, Family } from '@lateen/graph'
import type { InputKind } from '../inputs.ts'
import type { MeshModel } from '../mesh-model.ts'
import { gatewayClassStatus, gatewayStatus, listenerSetStatus } from './gateway-status.ts'
import { ingressStatus } from './ingress-status.ts'
import { routeStatus } from './route-status.ts'
import { serviceEntryStatus } from './service-entry-status.ts'
import type { WantedStatus } from './wanted-status.ts'

type StatusOf = (context: Context, object: KubeObject) => WantedStatus | undefined

/** The statuses by `group/kind namespace/name`, of all objects that have something to say. Keyed by the empty text. */
export function statusFamily(model: MeshModel): Family<string, ReadonlyMap<string, WantedStatus>> {
  const { inputs } = model
  const sources = {
    inputs,
    listeners: model.listeners,
    services: model.kubernetesServices,
    serviceEntries: model.serviceEntries,
    endpoints: model.endpoints,
  }
  const route: StatusOf = (context, object) => routeStatus(context, sources, object)
  const kinds: Partial<Record<InputKind, StatusOf>> = {
    'gateway.networking.k8s.io/GatewayClass': (_, object) => gatewayClassStatus(object),
    'gateway.networking.k8s.io/Gateway': (context, object) => gatewayStatus(context, sources, object),
    'gateway.networking.k8s.io/ListenerSet': (context, object) => listenerSetStatus(context, sources, object),
    'gateway.networking.k8s.io/HTTPRoute': route,
    'gateway.networking.k8s.io/GRPCRoute': route,
    'gateway.networking.k8s.io/TCPRoute': route,
    'gateway.networking.k8s.io/TLSRoute': route,
    'networking.istio.io/ServiceEntry': (context, object) => serviceEntryStatus(context, model.serviceEntries, object),
    'networking.k8s.io/Ingress': (context, object) => ingressStatus(context, inputs, object),
  }
  const one = new Family<string, WantedStatus | undefined>('status', (context, key) => {
    const space = key.indexOf(' ')
    const kind = key.slice(0, space) as InputKind
    const object = context.get(inputs.kinds[kind], key.slice(space + 1))
    return object && kinds[kind]?.(context, object)
  })
  return new Family<string, ReadonlyMap<string, WantedStatus>>('statuses', (context) => {
    const found = new Map<string, WantedStatus>()
    for (const kind of Object.keys(kinds) as InputKind[]) {
      for (const { metadata } of context.all(inputs.kinds[kind])) {
        const key = `${kind} ${metadata.namespace ? `${metadata.namespace}/` : ''}${metadata.name}`
        const status = context.read(one, key)
        if (status) found.set(key, status)
      }
    }
    return found
  })
}
