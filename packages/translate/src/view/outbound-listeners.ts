/** Listeners of outgoing traffic on the graph: one part for each port. */
import type { Destination } from '@lateen/api'
import { type Context, Family, type Interned } from '@lateen/graph'
import {
  bytesVirtualServicesFor,
  isHttp,
  type MeshModel,
  type Protocol,
  type ProxyTraffic,
  reachable,
  type Service,
  type ServicePort,
  UNIX,
} from '@lateen/model'
import {
  CAPTURED,
  httpProxyListener,
  type ListenerPlace,
  outboundListeners,
  type PortService,
  type VirtualOutboundInput,
  virtualOutbound,
} from '../builders/outbound-listeners.ts'
import { type Part, partOf } from '../resource.ts'
import { bytesRoutes } from './bytes-routes.ts'
import { type EgressView, egressViews } from './egress.ts'
import { callerInput, inPart, type OutboundBase, type PartsFamily, type ResourceVisitor, sameList, samePart } from './outbound-base.ts'
import { type CallerScope, ownPorts, type Scope } from './scope.ts'

/** One port: of the services that have it, or the port that a Sidecar names. */
interface ListenerKey {
  readonly scope: Scope
  readonly caller: CallerScope
  readonly place: ListenerPlace
  readonly port: number
  /** What a Sidecar says that its port speaks; absent where the services' own port is meant. */
  readonly protocol: Protocol | undefined
  /** Names of listeners that the Sidecar describes itself. */
  readonly taken: readonly string[]
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

export function createOutboundListeners({
  graph,
  model,
  scopes,
  settings,
  resolve,
  chunksOf,
  servicesOf,
}: OutboundBase): OutboundListeners {
  const listeners = new Family<Interned<ListenerKey>, Part>(
    'listeners',
    (context, { value: key }) => {
      const { scope, caller, port, protocol, place } = key
      const seen = candidates(context, key).flatMap((service): PortService[] => {
        const chunk = scopes.chunk(scope, service.namespace).value
        const servicePort = service.resolution === 'alias' ? undefined : portIn(context, key, service)
        if (!servicePort) return []
        if (isHttp(servicePort.protocol)) return [{ service, port: servicePort, addresses: [], routes: [], target: undefined }]
        const goTo = (destination: Destination) => resolve(context, chunk.client, destination, port, chunk.selectedRules)
        const { routes, complete } = bytesRoutes({
          virtualServices: bytesVirtualServicesFor(context, model.virtualServices, {
            client: chunk.client,
            host: service.host,
            imports: chunk.imports,
          }),
          protocol: servicePort.protocol,
          port,
          caller: callerInput(caller),
          resolve: goTo,
        })
        // At a port that a Sidecar names, a service with one port is meant by that.
        const own = protocol === undefined ? { host: service.host, port: { number: port } } : { host: service.host }
        const target = complete ? undefined : { target: goTo(own), subset: '', weight: 1 }
        return [
          { service, port: servicePort, addresses: place.fixed ? [] : addressesOf(model, context, scope, service, port), routes, target },
        ]
      })
      seen.sort((a, b) =>
        a.service.created < b.service.created ? -1 : a.service.created > b.service.created ? 1 : a.service.key < b.service.key ? -1 : 1,
      )
      const resources = outboundListeners({
        port,
        place,
        routes: place.address.startsWith(UNIX) ? place.address : String(port),
        services: seen,
        settings: { ...settings(context), traffic: scope.traffic },
        families: scope.families,
        unknown: scope.unknown,
      })
      return partOf(resources.filter(({ name }) => !key.taken.includes(name)))
    },
    samePart,
  )

  /** Services that may be behind a port. */
  const candidates = (context: Context, { scope, port, protocol }: ListenerKey): readonly Service[] => {
    const text = String(port)
    if (protocol === undefined)
      return [...context.list(model.kubernetesServices, 'port', text), ...context.list(model.serviceEntries, 'port', text)]
    return context.read(chunksOf, graph.intern(scope)).flatMap((chunk) => context.read(servicesOf, chunk))
  }

  const portIn = (context: Context, { scope, port, protocol }: ListenerKey, service: Service): ServicePort | undefined => {
    if (protocol !== undefined) return { number: port, name: '', protocol, target: port }
    return ownPorts(context, model, scopes.chunk(scope, service.namespace).value, service).find((candidate) => candidate.number === port)
  }

  const fixedListeners = new Family<Interned<FixedKey>, Part>(
    'fixedListeners',
    (context, { value: { traffic, virtual, httpProxy } }) => {
      const own = { ...settings(context), traffic }
      return partOf([
        ...(virtual ? [virtualOutbound(own, virtual)] : []),
        ...(httpProxy ? [httpProxyListener(httpProxy.port, httpProxy.address, own)] : []),
      ])
    },
    samePart,
  )

  const listenerParts = new Family<Interned<ListenerScope>, readonly Part[]>(
    'listenerParts',
    (context, { value: { scope, caller } }) => {
      const { unknown, transparent, traffic } = scope
      const wildcard = scope.families === 'v6' ? '::' : CAPTURED.address
      const fixed = graph.intern<FixedKey>({
        traffic,
        virtual: scope.captured ? { unknown, transparent, address: wildcard } : undefined,
        httpProxy: scope.httpProxyPort ? { port: scope.httpProxyPort, address: loopbackOf(scope) } : undefined,
      })
      const ports = new Set([...context.texts(model.kubernetesServices, 'port'), ...context.texts(model.serviceEntries, 'port')])
      const numbers = [...ports].map(Number).sort((a, b) => a - b)
      const keys = egressViews(scope).flatMap((view): ListenerKey[] => {
        const place = placeOf(view, wildcard)
        const common = { scope: view.scope, caller, place }
        if (view.port !== undefined) return [{ ...common, port: view.port, protocol: view.protocol, taken: [] }]
        // What the Sidecar describes itself stays as it says.
        const taken = egressViews(scope).flatMap((other) =>
          other.port === undefined ? [] : [`${placeOf(other, wildcard).address}_${other.port}`],
        )
        return numbers.map((port) => ({ ...common, port, protocol: undefined, taken: taken.filter((name) => name.endsWith(`_${port}`)) }))
      })
      return [context.read(fixedListeners, fixed), ...keys.map((key) => context.read(listeners, graph.intern(key)))]
    },
    { equal: sameList },
  )

  return { listeners: listenerParts, visitResources: (visit) => visit(listeners, inPart) }
}

/** Addresses that clients dial for a port of bytes: those of its pods where a service has none. */
function addressesOf(model: MeshModel, context: Context, scope: Scope, service: Service, port: number): readonly string[] {
  if (service.addresses.length > 0) return reachable(service.addresses, scope.families)
  if (service.headless) {
    const endpoints = context.read(model.endpoints, `${service.key}|${port}`)
    return endpoints.flatMap(({ address, otherAddresses }) => reachable([address, ...otherAddresses], scope.families))
  }
  return scope.autoAddresses ? reachable(service.autoAddresses, scope.families) : []
}

/** What the listeners depend on that are not for ports of services. */
interface FixedKey {
  readonly traffic: ProxyTraffic
  readonly virtual: VirtualOutboundInput | undefined
  readonly httpProxy: { readonly port: number; readonly address: string } | undefined
}

const loopbackOf = ({ families }: Pick<Scope, 'families'>): string => (families === 'v6' ? '::1' : '127.0.0.1')

/** Where an egress listener of a Sidecar is: at its own address, at the loopback address where it has a socket, else at the services'. */
function placeOf({ scope, bind, bound }: EgressView, wildcard: string): ListenerPlace {
  const own = bound || !scope.captured
  const address = bind || (own ? loopbackOf(scope) : wildcard)
  return { address, fixed: bind !== '' || own, bound: own }
}
