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
import { ownAddresses } from '../builders/listener-parts.ts'
import {
  type HttpProxyInput,
  httpProxyListener,
  type ListenerPlace,
  nameAddress,
  outboundListeners,
  type PortService,
  type VirtualOutboundInput,
  virtualOutbound,
} from '../builders/outbound-listeners.ts'
import { RESOLVED } from '../names.ts'
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
        const goTo = (destination: Destination) => resolve(context, chunk, destination, port)
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
        routes: nameAddress(place).startsWith(UNIX) ? nameAddress(place) : String(port),
        services: seen,
        settings: { ...settings(context), traffic: scope.traffic },
        families: scope.families,
        unknown: scope.unknown,
        looksUp: scope.unknownHosts === RESOLVED,
        reserved: scope.reservedPorts.includes(port),
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

  const fixedListeners = createFixedListeners(settings)

  const listenerParts = new Family<Interned<ListenerScope>, readonly Part[]>(
    'listenerParts',
    (context, { value: { scope, caller } }) => {
      const { unknown, transparent, traffic } = scope
      const { wildcards, loopbacks } = ownAddresses(scope.families, settings(context))
      const place = (view: EgressView) => placeOf(view, wildcards, loopbacks)
      const views = egressViews(scope)
      // What the Sidecar describes itself stays as it says, of two for one place the first.
      const described = views.map((view) => (view.port === undefined ? undefined : `${nameAddress(place(view))}_${view.port}`))
      const httpProxyName = scope.httpProxyPort ? `${nameAddress({ addresses: loopbacks })}_${scope.httpProxyPort}` : ''
      const taken = [...described.filter((name) => name !== undefined), httpProxyName]
      const fixed = graph.intern<FixedKey>({
        traffic,
        virtual: scope.captured ? { unknown, transparent, addresses: wildcards } : undefined,
        httpProxy:
          scope.httpProxyPort && !described.includes(httpProxyName)
            ? { port: scope.httpProxyPort, addresses: loopbacks, lookup: scope.unknownHosts === RESOLVED ? scope.families : undefined }
            : undefined,
      })
      const ports = new Set([...context.texts(model.kubernetesServices, 'port'), ...context.texts(model.serviceEntries, 'port')])
      const numbers = [...ports].map(Number).sort((a, b) => a - b)
      const keys = views.flatMap((view, i): ListenerKey[] => {
        const common = { scope: view.scope, caller, place: place(view) }
        if (view.port !== undefined)
          return described.indexOf(described[i]) === i ? [{ ...common, port: view.port, protocol: view.protocol, taken: [] }] : []
        return numbers.map((port) => ({ ...common, port, protocol: undefined, taken: taken.filter((name) => name.endsWith(`_${port}`)) }))
      })
      return [context.read(fixedListeners, fixed), ...keys.map((key) => context.read(listeners, graph.intern(key)))]
    },
    { equal: sameList },
  )

  return { listeners: listenerParts, visitResources: (visit) => visit(listeners, inPart) }
}

/** Listeners that are not for ports of services: the one that everything captured comes by, the HTTP proxy. */
function createFixedListeners(settings: OutboundBase['settings']): Family<Interned<FixedKey>, Part> {
  return new Family<Interned<FixedKey>, Part>(
    'fixedListeners',
    (context, { value: { traffic, virtual, httpProxy } }) => {
      const own = { ...settings(context), traffic }
      return partOf([...(virtual ? [virtualOutbound(own, virtual)] : []), ...(httpProxy ? [httpProxyListener(httpProxy, own)] : [])])
    },
    samePart,
  )
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
  readonly httpProxy: HttpProxyInput | undefined
}

/** Where an egress listener of a Sidecar is: at its own address, at the loopback address where it has a socket, else at the services'. */
function placeOf({ scope, bind, bound }: EgressView, wildcards: readonly string[], loopbacks: readonly string[]): ListenerPlace {
  const own = bound || !scope.captured
  const addresses = bind ? [bind] : own ? loopbacks : wildcards
  return { addresses, fixed: bind !== '' || own, bound: own }
}
