/** Clusters and their endpoints on the graph. */
import type { Resource } from '@lateen/envoy'
import { type Context, Family, type Interned } from '@lateen/graph'
import { type Endpoint, modeOfPort, peerPolicyOf, portOf, type Service } from '@lateen/model'
import { outboundClusters } from '../builders/cluster.ts'
import { assignmentInit, loadAssignment } from '../builders/endpoints.ts'
import { policyOf } from '../builders/traffic-policy.ts'
import { nearnessOf } from '../features/locality/locality.ts'
import { clusterName, spiffeId } from '../names.ts'
import type { Part } from '../resource.ts'
import { type ClientPlace, type ClientPlaces, createClientPlaces, type PlacedKind } from './client-place.ts'
import {
  chunkPart,
  inList,
  type OutboundBase,
  type PartsFamily,
  type PortKey,
  type ResourceVisitor,
  sameList,
  samePart,
  sameResources,
} from './outbound-base.ts'
import type { ChunkScope, Scope } from './scope.ts'

/** A port with what of the client's place its resources depend on. */
interface EndpointKey extends PortKey, ClientPlace {}

/** A chunk with the same. */
interface NearChunk extends ClientPlace {
  readonly chunk: ChunkScope
}

export interface OutboundClusters {
  readonly clusters: PartsFamily<Scope>
  readonly endpoints: PartsFamily<Scope>
  visitResources(visit: ResourceVisitor): void
}

export function createOutboundClusters(base: OutboundBase): OutboundClusters {
  const { graph, chunksOf } = base
  const peers = createPeers(base)
  const places = createClientPlaces(base)
  const { clusters, clusterChunk } = createClusters(base, peers, places)
  const { assignments, endpointChunk } = createAssignments(base, peers, places)
  const nearChunk = (context: Context, kind: PlacedKind, chunk: ChunkScope, scope: Scope) =>
    graph.intern<NearChunk>({ chunk, ...places.forChunk(context, kind, chunk, scope) })

  const clusterParts = new Family<Interned<Scope>, readonly Part[]>(
    'clusterParts',
    (context, scope) =>
      context
        .read(chunksOf, scope)
        .map(({ value: chunk }) => context.read(clusterChunk, nearChunk(context, 'clusters', chunk, scope.value))),
    { equal: sameList },
  )

  const endpointParts = new Family<Interned<Scope>, readonly Part[]>(
    'endpointParts',
    (context, scope) =>
      context
        .read(chunksOf, scope)
        .map(({ value: chunk }) => context.read(endpointChunk, nearChunk(context, 'endpoints', chunk, scope.value))),
    { equal: sameList },
  )

  return {
    clusters: clusterParts,
    endpoints: endpointParts,
    visitResources: (visit) => {
      visit(clusters, inList)
      visit(assignments, inList)
    },
  }
}

/** What clients must know of the workloads behind a port. */
interface Peers {
  readonly identities: Family<string, readonly string[]>
  readonly allMutual: Family<string, 'all' | 'some'>
  asServed(context: Context, endpoint: Endpoint): Endpoint
}

function createPeers({ model, settings }: OutboundBase): Peers {
  /** Identities of a port's endpoints; they change seldom, so that endpoints come and go without touching the cluster. */
  const identities = new Family<string, readonly string[]>('identities', (context, key) => {
    const { trustDomain, trustDomainAliases } = settings(context)
    const accounts = context.read(model.endpoints, key).filter((endpoint) => endpoint.serviceAccount !== '')
    const ids = accounts.flatMap((endpoint) =>
      [trustDomain, ...trustDomainAliases].map((domain) => spiffeId(domain, endpoint.namespace, endpoint.serviceAccount)),
    )
    return [...new Set(ids)].sort()
  })

  /** A workload that may use mutual TLS does not where a policy turns it off: clients must send plain text. */
  const asServed = (context: Context, endpoint: Endpoint): Endpoint => {
    if (endpoint.tlsMode !== 'istio') return endpoint
    const policy = peerPolicyOf(context, model.inputs, model.peerPolicies, endpoint.namespace, endpoint.labels)
    return modeOfPort(policy, endpoint.port) === 'DISABLE' ? { ...endpoint, tlsMode: '' } : endpoint
  }

  /** Whether all endpoints of a port take mutual TLS; changes seldom, as identities do. */
  const allMutual = new Family<string, 'all' | 'some'>('allMutual', (context, key) => {
    const endpoints = context.read(model.endpoints, key)
    return endpoints.length > 0 && endpoints.every((endpoint) => asServed(context, endpoint).tlsMode === 'istio') ? 'all' : 'some'
  })

  return { identities, allMutual, asServed }
}

/** Keys of a service's ports; the client's place is in them where it matters. */
function endpointKeys(
  { graph, portKeys }: OutboundBase,
  places: ClientPlaces,
  kind: PlacedKind,
  context: Context,
  { chunk, ...client }: NearChunk,
  service: Service,
): Interned<EndpointKey>[] {
  return portKeys(chunk, service).map(({ value: key }) =>
    graph.intern<EndpointKey>({ ...key, ...places.forPort(context, kind, service, key, client) }),
  )
}

function createClusters(base: OutboundBase, { identities, allMutual }: Peers, places: ClientPlaces) {
  const { model, settings, find, ruleFor } = base
  const clusters = new Family<Interned<EndpointKey>, readonly Resource[]>(
    'clusters',
    (context, { value: key }) => {
      const service = find(context, key.service)
      const port = service && portOf(service, key.port)
      if (!service || !port) return []
      const rule = ruleFor(context, service, key)
      const endpointKey = `${service.key}|${port.number}`
      const labels = (subset: string) => rule?.subsets.find((candidate) => candidate.name === subset)?.labels ?? {}
      return outboundClusters({
        service,
        port,
        rule,
        settings: settings(context),
        gateway: key.gateway,
        families: key.families,
        keepsCase: key.keepsCase,
        identities: service.external ? [] : context.read(identities, endpointKey),
        allMutual: !service.external && context.read(allMutual, endpointKey) === 'all',
        assignment: (subset) =>
          assignmentInit({
            cluster: clusterName('outbound', port.number, subset, service.host),
            endpoints: context.read(model.endpoints, endpointKey),
            labels: labels(subset),
            withUnhealthy: settings(context).switches.sendsUnhealthy,
            node: nodeOf(service, key),
            nearness: nearnessOf(policyOf(rule, subset, port.number), service, settings(context), key.near),
          }),
      })
    },
    sameResources,
  )

  const clusterChunk = new Family<Interned<NearChunk>, Part>(
    'clusterChunk',
    (context, { value: near }) =>
      chunkPart(base, context, near.chunk, (service) => endpointKeys(base, places, 'clusters', context, near, service), clusters),
    samePart,
  )

  return { clusters, clusterChunk }
}

function createAssignments(base: OutboundBase, { asServed }: Peers, places: ClientPlaces) {
  const { model, settings, find, ruleFor } = base
  const assignments = new Family<Interned<EndpointKey>, readonly Resource[]>(
    'assignments',
    (context, { value: key }) => {
      const service = find(context, key.service)
      if (!service || !(service.resolution === 'static' || (service.resolution === 'passthrough' && key.gateway))) return []
      const endpoints = context.read(model.endpoints, `${service.key}|${key.port}`).map((endpoint) => asServed(context, endpoint))
      const rule = ruleFor(context, service, key)
      return [{ name: '', labels: {} }, ...(rule?.subsets ?? [])].map((subset) =>
        loadAssignment({
          cluster: clusterName('outbound', key.port, subset.name, service.host),
          endpoints,
          labels: subset.labels ?? {},
          withDraining: service.labels[PERSISTENT_SESSION] !== undefined,
          withUnhealthy: settings(context).switches.sendsUnhealthy,
          node: nodeOf(service, key),
          nearness: nearnessOf(policyOf(rule, subset.name, key.port), service, settings(context), key.near),
        }),
      )
    },
    sameResources,
  )

  const endpointChunk = new Family<Interned<NearChunk>, Part>(
    'endpointChunk',
    (context, { value: near }) =>
      chunkPart(base, context, near.chunk, (service) => endpointKeys(base, places, 'endpoints', context, near, service), assignments),
    samePart,
  )

  return { assignments, endpointChunk }
}

/** Sessions that stay with one host go on while it drains. */
const PERSISTENT_SESSION = 'istio.io/persistent-session'

/** The client's node, for services that are reached on it only. */
const nodeOf = (service: Service, { near }: EndpointKey): string | undefined =>
  service.internalTrafficPolicy === 'Local' ? (near?.node ?? '') : undefined
