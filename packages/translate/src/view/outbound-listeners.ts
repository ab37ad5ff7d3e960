/** Listeners of outgoing traffic on the graph: one part for each port. */
import type { Destination } from '@lateen/api'
import { type Context, Family, type Interned } from '@lateen/graph'
import { bytesVirtualServicesFor, isHttp, type Service } from '@lateen/model'
import { outboundListeners, type PortService, virtualOutbound } from '../builders/outbound-listeners.ts'
import { type Part, partOf } from '../resource.ts'
import { bytesRoutes } from './bytes-routes.ts'
import { callerInput, inPart, type OutboundBase, type PartsFamily, type ResourceVisitor, sameList, samePart } from './outbound-base.ts'
import { type CallerScope, ownPorts, type Scope } from './scope.ts'

interface ListenerKey {
  readonly scope: Scope
  readonly caller: CallerScope
  readonly port: number
}

/** What the listeners of a proxy depend on. */
export interface ListenerScope {
  readonly scope: Scope
  /** Of routes of bytes. */
  readonly caller: CallerScope
}

export interface OutboundListeners {
  readonly listeners: PartsFamily<ListenerScope>
  visitResources(visit: ResourceVisitor): void
}

export function createOutboundListeners({ graph, model, scopes, settings, resolve }: OutboundBase): OutboundListeners {
  /** Addresses that clients dial for a port of bytes: those of its pods where a service has none. */
  const addressesOf = (context: Context, scope: Scope, service: Service, port: number): readonly string[] => {
    if (service.addresses.length > 0) return service.addresses
    if (service.headless) return context.read(model.endpoints, `${service.key}|${port}`).map((endpoint) => endpoint.address)
    return scope.autoAddresses ? service.autoAddresses : []
  }

  const listeners = new Family<Interned<ListenerKey>, Part>(
    'listeners',
    (context, { value: { scope, caller, port } }) => {
      const text = String(port)
      const all = [...context.list(model.kubernetesServices, 'port', text), ...context.list(model.serviceEntries, 'port', text)]
      const seen = all.flatMap((service): PortService[] => {
        const chunk = scopes.chunk(scope, service.namespace).value
        const servicePort =
          service.resolution === 'alias'
            ? undefined
            : ownPorts(context, model, chunk, service).find((candidate) => candidate.number === port)
        if (!servicePort) return []
        if (isHttp(servicePort.protocol)) return [{ service, port: servicePort, addresses: [], routes: [], target: undefined }]
        const goTo = (destination: Destination) => resolve(context, chunk.client, destination, port, chunk.selectedRules)
        const { routes, complete } = bytesRoutes({
          virtualServices: bytesVirtualServicesFor(context, model.virtualServices, { client: chunk.client, host: service.host }),
          protocol: servicePort.protocol,
          port,
          caller: callerInput(caller),
          resolve: goTo,
        })
        const target = complete ? undefined : { target: goTo({ host: service.host, port: { number: port } }), subset: '', weight: 1 }
        return [{ service, port: servicePort, addresses: addressesOf(context, scope, service, port), routes, target }]
      })
      seen.sort((a, b) =>
        a.service.created < b.service.created ? -1 : a.service.created > b.service.created ? 1 : a.service.key < b.service.key ? -1 : 1,
      )
      return partOf(outboundListeners({ port, services: seen, settings: settings(context), allowAny: scope.allowAny }))
    },
    samePart,
  )

  const outboundListener = new Family<string, Part>(
    'virtualOutbound',
    (context, allow) => partOf([virtualOutbound(settings(context), allow === 'allow')]),
    samePart,
  )

  const listenerParts = new Family<Interned<ListenerScope>, readonly Part[]>(
    'listenerParts',
    (context, { value: { scope, caller } }) => {
      const ports = new Set([...context.texts(model.kubernetesServices, 'port'), ...context.texts(model.serviceEntries, 'port')])
      const numbers = [...ports].map(Number).sort((a, b) => a - b)
      return [
        ...(scope.captured ? [context.read(outboundListener, scope.allowAny ? 'allow' : 'block')] : []),
        ...numbers.map((port) => context.read(listeners, graph.intern<ListenerKey>({ scope, caller, port }))),
      ]
    },
    { equal: sameList },
  )

  return { listeners: listenerParts, visitResources: (visit) => visit(listeners, inPart) }
}
