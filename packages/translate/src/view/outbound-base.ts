/** What all of outgoing traffic is built on: services as a client sees them, the rules that hold for them, where a destination leads. */
import type { Destination } from '@lateen/api'
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type FamilyKey, type Graph, type Interned } from '@lateen/graph'
import {
  type EffectiveRule,
  effectiveRule,
  MESH_GATEWAY,
  type MeshModel,
  type MeshSettings,
  portOf,
  type Service,
  settingsOf,
} from '@lateen/model'
import { policyOf } from '../builders/traffic-policy.ts'
import { offerOf } from '../builders/upstream-protocol.ts'
import type { Target } from '../features/route-feature.ts'
import { clusterName } from '../names.ts'
import { equalParts, equalResources, type Part, partOf } from '../resource.ts'
import { type CallerScope, type ChunkScope, ownPorts, type Scope, type Scopes, serviceFor, type Viewer } from './scope.ts'

/** One port of a service in a chunk: what its resources are keyed by. */
export interface PortKey {
  readonly service: string
  readonly port: number
  readonly client: string
  readonly gateway: boolean
  readonly selectedRules: readonly string[]
}

/** Called with a family and with what tells whether one of its values holds a resource. */
export type ResourceVisitor = <K extends FamilyKey, V>(family: Family<K, V>, holds: (value: V, resource: Resource) => boolean) => void

/** Whether a list holds a resource in the same version. */
export const inList = (list: readonly Resource[], wanted: Resource): boolean => list.some((resource) => equalResources(resource, wanted))

/** Whether a part holds a resource in the same version. */
export const inPart = (part: Part, wanted: Resource): boolean => equalResources(part.get(wanted.name), wanted)

/** Parts that hold all resources of a type in a scope; the list is the same object as long as its parts are. */
export type PartsFamily<K> = Family<Interned<K>, readonly Part[]>

export const samePart = { equal: equalParts }
export const sameResources = {
  equal: (a: readonly Resource[], b: readonly Resource[]): boolean =>
    a.length === b.length && a.every((resource, i) => equalResources(resource, b[i])),
}
/** Lists are equal when their items are the same objects. */
export const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i])

/** A sidecar's caller, as routes ask for it. */
export const callerInput = (caller: CallerScope) => ({ gateways: [MESH_GATEWAY], namespace: caller.namespace, labels: caller.labels })

/** Where a request comes from: what decides which service and which rule it meets. */
export interface Origin {
  readonly client: string
  readonly selectedRules?: readonly string[]
  readonly gateway?: boolean
}

export interface OutboundBase {
  readonly graph: Graph
  readonly model: MeshModel
  readonly scopes: Scopes
  settings(context: Context): MeshSettings
  find(context: Context, key: string): Service | undefined
  /** Services of a namespace as a client sees them. */
  readonly servicesOf: Family<Interned<ChunkScope>, readonly Service[]>
  readonly chunksOf: Family<Interned<Scope>, readonly Interned<ChunkScope>[]>
  ruleFor(context: Context, service: Service, key: Pick<PortKey, 'client' | 'selectedRules'>): EffectiveRule | undefined
  portKeys(chunk: ChunkScope, service: Service): Interned<PortKey>[]
  /** Where a destination leads. */
  resolve(context: Context, from: Origin, destination: Destination, listenPort: number): Target
}

/** The part that a chunk's services make up: for each of their keys what a family made of it. */
export function chunkPart<K extends FamilyKey>(
  { graph, servicesOf }: Pick<OutboundBase, 'graph' | 'servicesOf'>,
  context: Context,
  chunk: ChunkScope,
  keysOf: (service: Service) => readonly K[],
  family: Family<K, readonly Resource[]>,
): Part {
  const services = context.read(servicesOf, graph.intern(chunk))
  return partOf(services.flatMap((service) => keysOf(service).flatMap((key) => context.read(family, key))))
}

export function createOutboundBase(graph: Graph, model: MeshModel, scopes: Scopes): OutboundBase {
  const settings = (context: Context) => settingsOf(context, model.inputs)
  const find = (context: Context, key: string): Service | undefined =>
    context.get(model.kubernetesServices, key) ?? context.get(model.serviceEntries, key)

  const servicesOf = new Family<Interned<ChunkScope>, readonly Service[]>('services', (context, { value: chunk }) => {
    const all = [
      ...context.list(model.kubernetesServices, 'namespace', chunk.namespace),
      ...context.list(model.serviceEntries, 'namespace', chunk.namespace),
    ]
    return all.flatMap((service) => {
      const ports = ownPorts(context, model, chunk, service)
      if (ports.length === 0 && service.resolution !== 'alias') return []
      return [ports.length === service.ports.length ? service : { ...service, ports }]
    })
  })

  const chunksOf = new Family<Interned<Scope>, readonly Interned<ChunkScope>[]>(
    'chunks',
    (context, scope) => context.read(scopes.namespaces, '').map((namespace) => scopes.chunk(scope.value, namespace)),
    { equal: sameList },
  )

  const ruleFor = (context: Context, service: Service, key: Pick<PortKey, 'client' | 'selectedRules'>): EffectiveRule | undefined =>
    effectiveRule(context, model.inputs, model.destinationRules, {
      client: key.client,
      host: service.host,
      namespace: service.namespace,
      selected: key.selectedRules,
    })

  const portKeys = (chunk: ChunkScope, service: Service): Interned<PortKey>[] =>
    (service.resolution === 'alias' ? [] : service.ports)
      .filter((port) => port.protocol !== 'udp')
      .map((port) =>
        graph.intern<PortKey>({
          service: service.key,
          port: port.number,
          client: chunk.client,
          gateway: chunk.gateway,
          selectedRules: chunk.selectedRules,
        }),
      )

  const resolve = createResolve(model, settings, ruleFor)
  return { graph, model, scopes, settings, find, servicesOf, chunksOf, ruleFor, portKeys, resolve }
}

function createResolve(model: MeshModel, settings: OutboundBase['settings'], ruleFor: OutboundBase['ruleFor']): OutboundBase['resolve'] {
  return (
    context: Context,
    { client, selectedRules = [], gateway = false }: Origin,
    destination: Destination,
    listenPort: number,
  ): Target => {
    const viewer: Viewer = { client, imports: undefined }
    const meant = serviceFor(context, model, viewer, destination.host, destination.port?.number)
    const concrete =
      meant?.resolution === 'alias' && meant.externalName
        ? serviceFor(context, model, viewer, meant.externalName, destination.port?.number)
        : undefined
    const service = concrete ?? meant
    const only = service?.ports.length === 1 ? service.ports[0]?.number : undefined
    const port = destination.port?.number ?? only ?? listenPort
    const rule = service && ruleFor(context, service, { client, selectedRules })
    const servicePort = service && portOf(service, port)
    return {
      cluster: clusterName('outbound', port, destination.subset ?? '', concrete?.host ?? destination.host),
      service,
      port,
      rule,
      offer: servicePort && offerOf(servicePort, policyOf(rule, destination.subset ?? '', port), { settings: settings(context), gateway }),
    }
  }
}
