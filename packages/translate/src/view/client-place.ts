/**
 * What of a client's place its clusters and endpoints depend on: nothing for most services, so that clients everywhere share them.
 * Reduced first for a chunk, then for each port in it.
 */
import { type Context, Family, type Interned } from '@lateen/graph'
import { type AddressFamilies, NOWHERE, type Service } from '@lateen/model'
import { policyOf } from '../builders/traffic-policy.ts'
import { asksForNearness, asksForNode, type Near } from '../features/locality/locality.ts'
import type { OutboundBase, PortKey } from './outbound-base.ts'
import type { ChunkScope, Scope } from './scope.ts'

/** The client as a chunk or a port sees it. */
export interface ClientPlace {
  /** Where it is; absent where that is all the same. */
  readonly near: Near | undefined
  /** What it can reach; `v4` where that is all the same. */
  readonly families: AddressFamilies
  /** Upper and lower case of HTTP/1 header names are kept. */
  readonly keepsCase: boolean
}

interface Asks {
  readonly place: boolean
  readonly node: boolean
  /** Names are resolved by the client. */
  readonly names: boolean
}

/** Clusters look at the client only where it resolves names itself: they carry the endpoints then. */
export type PlacedKind = 'clusters' | 'endpoints'

export interface ClientPlaces {
  /** What a chunk's resources depend on. */
  forChunk(context: Context, kind: PlacedKind, chunk: ChunkScope, scope: Scope): ClientPlace
  /** What the resources of a port depend on. */
  forPort(context: Context, kind: PlacedKind, service: Service, key: PortKey, client: ClientPlace): ClientPlace
}

export function createClientPlaces({ graph, servicesOf, portKeys, ruleFor, settings }: OutboundBase): ClientPlaces {
  const asksOf = (context: Context, service: Service, key: PortKey): Asks => {
    const rule = ruleFor(context, service, key)
    const subsets = ['', ...(rule?.subsets ?? []).map((subset) => subset.name)]
    const policies = subsets.map((subset) => policyOf(rule, subset, key.port))
    const mesh = settings(context)
    return {
      place: policies.some((policy) => asksForNearness(policy, service, mesh)),
      node: policies.some((policy) => asksForNode(policy, service, mesh)),
      names: resolvesNames(service),
    }
  }

  const asksOfChunk = new Family<Interned<ChunkScope>, Interned<Asks>>('asksForPlace', (context, chunk) => {
    const all = context
      .read(servicesOf, chunk)
      .flatMap((service) => portKeys(chunk.value, service).map(({ value: key }) => asksOf(context, service, key)))
    return graph.intern<Asks>({
      place: all.some(({ place }) => place),
      node: all.some(({ node }) => node),
      names: all.some(({ names }) => names),
    })
  })

  return {
    forChunk: (context, kind, chunk, scope) => {
      // Where nobody asks for a place there is nothing to reduce, and most clients reach IPv4 alone.
      const keepsCase = keptCase(kind, scope.traffic.headers.preserveHttp1HeaderCase === true)
      if (!scope.near && scope.families === 'v4') return { ...NO_PLACE, keepsCase }
      return { ...reduced(kind, context.read(asksOfChunk, graph.intern(chunk)).value, scope), keepsCase }
    },
    forPort: (context, kind, service, key, client) => {
      const { near, families } = client
      const keepsCase = keptCase(kind, client.keepsCase)
      if (near) return { ...reduced(kind, asksOf(context, service, key), client), keepsCase }
      return kind === 'clusters' && resolvesNames(service) ? { near, families, keepsCase } : { ...NO_PLACE, keepsCase }
    },
  }
}

/** Endpoints say nothing of headers. */
const keptCase = (kind: PlacedKind, keeps: boolean): boolean => kind === 'clusters' && keeps

/** Where a client is, and what it reaches. */
type Place = Omit<ClientPlace, 'keepsCase'>

const NO_PLACE: Place = { near: undefined, families: 'v4' }

const resolvesNames = ({ resolution }: Service): boolean =>
  resolution === 'dns' || resolution === 'dns-round-robin' || resolution === 'dynamic-dns'

function reduced(kind: PlacedKind, asks: Asks, { near, families }: Place): Place {
  if (kind === 'endpoints') return { near: near && reducedNear(asks, near), families: 'v4' }
  return asks.names ? { near: near && reducedNear(asks, near), families } : NO_PLACE
}

function reducedNear({ place, node }: Asks, near: Near): Near | undefined {
  if (!place && !node) return undefined
  if (!place) return { locality: NOWHERE, network: '', cluster: '', node: near.node, labels: {} }
  return node ? near : { ...near, node: '' }
}
