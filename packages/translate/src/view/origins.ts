/** From a resource back to the objects that it was made from: by what was read when it was made. */
import { type KubeObject, refOf } from '@lateen/api'
import { type ObjectRef, objectName } from '@lateen/base'
import type { Resource } from '@lateen/envoy'
import type { Graph } from '@lateen/graph'
import type { MeshModel } from '@lateen/model'
import type { ProxySession } from '../mesh-contract.ts'
import type { Gateways } from './gateway.ts'
import type { Inbound } from './inbound.ts'
import { inPart, type Outbound, type ResourceVisitor } from './outbound.ts'

export interface OriginQuery {
  readonly graph: Graph
  readonly model: MeshModel
  readonly outbound: Outbound
  readonly inbound: Inbound
  readonly gateways: Gateways
  readonly session: ProxySession
  readonly typeUrl: string
  readonly name: string
}

/**
 * Kinds that a user would look at to find a mistake, those first that are made for one kind of resource. Pods and slices are read for
 * every endpoint and say nothing.
 */
const TELLING: readonly string[] = [
  'VirtualService',
  'DestinationRule',
  'Gateway',
  'Ingress',
  'ListenerSet',
  'HTTPRoute',
  'GRPCRoute',
  'TCPRoute',
  'TLSRoute',
  'BackendTLSPolicy',
  'ServiceEntry',
  'Sidecar',
  'AuthorizationPolicy',
  'RequestAuthentication',
  'PeerAuthentication',
  'Secret',
  'WorkloadEntry',
  'Service',
]

export function originsOf(query: OriginQuery): readonly ObjectRef[] {
  const resource = heldResource(query)
  if (!resource) return []
  const refs = new Map<string, ObjectRef>()
  const visit: ResourceVisitor = (family, holds) => {
    for (const [key, value] of query.graph.entries(family)) {
      if (!holds(value, resource)) continue
      for (const [source, keys] of query.graph.origins(family, key))
        for (const ref of refsOf(query.model, source, keys)) refs.set(objectName(ref), ref)
    }
  }
  query.outbound.visitResources(visit)
  visit(query.inbound.listeners, inPart)
  visit(query.inbound.clusters, inPart)
  visit(query.gateways.listeners, inPart)
  visit(query.gateways.routes, inPart)
  visit(query.gateways.secrets, (parts, wanted) => parts.some((part) => inPart(part, wanted)))
  return [...refs.values()]
    .filter((ref) => TELLING.includes(ref.kind))
    .sort((a, b) => TELLING.indexOf(a.kind) - TELLING.indexOf(b.kind) || (objectName(a) < objectName(b) ? -1 : 1))
}

function heldResource(query: OriginQuery): Resource | undefined {
  for (const part of query.session.resources(query.typeUrl).parts) {
    const resource = part.get(query.name)
    if (resource) return resource
  }
  return undefined
}

function refsOf(model: MeshModel, source: string, keys: readonly string[]): ObjectRef[] {
  const collections = [
    model.virtualServices,
    model.destinationRules,
    model.gateways,
    model.sidecars,
    model.peerPolicies,
    model.authorizationPolicies,
    model.requestAuthentications,
    model.kubernetesServices,
    model.serviceEntries,
    model.workloadEntries,
  ]
  const collection = collections.find((candidate) => candidate.name === source)
  if (collection) {
    return keys.flatMap((key) => {
      const value = collection.peek(key)
      if (!value) return []
      return 'origins' in value ? [...value.origins] : [value.origin]
    })
  }
  const kind = Object.entries(model.inputs.kinds).find(([name]) => name === source)?.[1]
  return keys.flatMap((key) => {
    const object: KubeObject | undefined = kind?.peek(key)
    return object ? [refOf(object)] : []
  })
}
