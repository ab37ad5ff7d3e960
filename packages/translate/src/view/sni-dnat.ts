/** AUTO_PASSTHROUGH on the graph: for every service that a server's hosts cover, clusters and the server names that lead to them. */
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type GatewayServer, hostMatches, isWildcard, type MeshModel, portOf, type Service, settingsOf } from '@lateen/model'
import { type SniDnat, sniDnatClusters } from '../builders/sni-dnat.ts'
import type { TcpTarget } from '../builders/tcp-routes.ts'
import { clusterSni } from '../names.ts'
import { equalParts, equalResources, type Part, partOf } from '../resource.ts'
import type { GatewayScope } from './gateway.ts'
import type { Outbound } from './outbound.ts'
import type { ChunkScope, Scope, Scopes } from './scope.ts'

/** A service of the mesh whose endpoints are known; a server name cannot stand for a pattern. */
const isNamed = ({ external, resolution, host }: Service): boolean =>
  !external && (resolution === 'static' || resolution === 'passthrough') && !isWildcard(host)

interface PassthroughKey {
  readonly chunk: ChunkScope
  readonly service: string
  readonly port: number
}

export interface PassthroughParts {
  readonly clusters: Part
  readonly endpoints: Part
}

export interface SniDnatView {
  readonly parts: Family<Interned<GatewayScope>, PassthroughParts>
  /** Where a server passes connections on to, by server name. */
  targets(context: Context, view: Scope, server: GatewayServer): readonly (TcpTarget & { readonly serverName: string })[]
  /** The clusters and endpoints of all servers that pass on so. */
  partsFor(context: Context, view: Scope, servers: readonly GatewayServer[]): PassthroughParts
  sameParts(a: PassthroughParts, b: PassthroughParts): boolean
}

const NONE: PassthroughParts = { clusters: partOf([]), endpoints: partOf([]) }

export function createSniDnat(graph: Graph, model: MeshModel, outbound: Outbound, scopes: Scopes): Omit<SniDnatView, 'parts'> {
  const ofPort = new Family<Interned<PassthroughKey>, readonly SniDnat[]>(
    'passthroughClusters',
    (context, { value: { chunk, service: key, port: number } }) => {
      const service = outbound.find(context, key)
      const port = service && portOf(service, number)
      if (!service || !port) return []
      const rule = outbound.ruleFor(context, service, chunk)
      const endpoints = context.read(model.endpoints, `${service.key}|${port.number}`)
      return sniDnatClusters({ service, port, rule, settings: settingsOf(context, model.inputs), endpoints })
    },
    {
      equal: (a, b) =>
        a.length === b.length &&
        a.every((entry, i) => equalResources(entry.cluster, b[i]?.cluster) && equalResources(entry.endpoints, b[i]?.endpoints)),
    },
  )

  /** Ports of the services that servers cover, as the gateway sees them. */
  const covered = (context: Context, view: Scope, servers: readonly GatewayServer[]): Interned<PassthroughKey>[] => {
    const hosts = servers.filter(({ kind }) => kind === 'auto-passthrough').flatMap((server) => server.hosts)
    if (hosts.length === 0) return []
    return context.read(scopes.namespaces, '').flatMap((namespace) => {
      const chunk = scopes.chunk(view, namespace)
      return context
        .read(outbound.servicesOf, chunk)
        .filter((service) => isNamed(service) && hosts.some(({ host }) => hostMatches(host, service.host)))
        .flatMap((service) =>
          service.ports
            .filter(({ protocol }) => protocol !== 'udp')
            .map(({ number }) => graph.intern<PassthroughKey>({ chunk: chunk.value, service: service.key, port: number })),
        )
    })
  }

  return {
    targets: (context, view, server) =>
      covered(context, view, [server]).flatMap((key) => {
        const service = outbound.find(context, key.value.service)
        const rule = service && outbound.ruleFor(context, service, key.value.chunk)
        const subsets = ['', ...(rule?.subsets ?? []).map(({ name }) => name)]
        return subsets.map((subset) => {
          const name = clusterSni(key.value.port, subset, service?.host ?? '')
          return {
            serverName: name,
            subset,
            weight: 1,
            target: { cluster: name, service, port: key.value.port, rule, offer: undefined },
          }
        })
      }),
    partsFor: (context, view, servers) => {
      const found = covered(context, view, servers).flatMap((key) => context.read(ofPort, key))
      if (found.length === 0) return NONE
      return { clusters: partOf(found.map(({ cluster }) => cluster)), endpoints: partOf(found.map(({ endpoints }) => endpoints)) }
    },
    sameParts: (a, b) => equalParts(a.clusters, b.clusters) && equalParts(a.endpoints, b.endpoints),
  }
}
