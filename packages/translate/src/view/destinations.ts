/**
 * Where VirtualServices lead that a Sidecar imports: a proxy has the clusters of all of their destinations, whether or not the Sidecar
 * names those too.
 */
import type { Destination, VirtualServiceSpec } from '@lateen/api'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type Import, importsHost, MESH_GATEWAY, type MeshModel, type VirtualService, visibleTo } from '@lateen/model'
import type { Scope } from './scope.ts'

interface DestinationKey {
  readonly client: string
  /** Of each egress listener. */
  readonly listeners: readonly (readonly Import[])[]
}

/** Gives a scope with its imports made wider by the destinations of the VirtualServices that it sees. */
export function createReach(graph: Graph, model: MeshModel): (context: Context, scope: Interned<Scope>) => Interned<Scope> {
  const destinations = new Family<string, readonly Import[]>('destinations', (context, key) => {
    const vs = context.get(model.virtualServices, key)
    return vs ? importsFor(vs.spec) : []
  })

  const reached = new Family<Interned<DestinationKey>, Interned<readonly Import[]>>('reachedDestinations', (context, { value: key }) => {
    const found = new Map<string, Import>()
    const seen = context.list(model.virtualServices, 'gateway', MESH_GATEWAY).filter((vs) => visibleTo(vs.visibility, key.client))
    for (const imports of key.listeners) {
      // What is reached from a listener for a port is that port of the destination.
      const [only] = new Set(imports.map(({ port }) => port))
      for (const vs of seen.filter((candidate) => isImported(imports, candidate))) {
        for (const entry of context.read(destinations, vs.key)) {
          const reach = only === undefined ? entry : { ...entry, port: only }
          found.set(`${reach.host} ${reach.port ?? ''}`, reach)
        }
      }
    }
    return graph.intern([...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry))
  })

  return (context, scope) => {
    const { client, imports, egress } = scope.value
    if (!imports) return scope
    const listeners = egress ? egress.map((listener) => listener.imports) : [imports]
    const { value: more } = context.read(reached, graph.intern<DestinationKey>({ client, listeners }))
    return more.length === 0 ? scope : graph.intern<Scope>({ ...scope.value, imports: [...imports, ...more] })
  }
}

const isImported = (imports: readonly Import[], { namespace, hosts }: VirtualService): boolean =>
  hosts.some((host) => importsHost(imports, namespace, host))

/** The destinations of every route: of requests and their copies, of TLS, of other bytes. */
function importsFor({ http, tls, tcp }: VirtualServiceSpec): readonly Import[] {
  const destinations: readonly (Destination | undefined)[] = [
    ...(http ?? []).flatMap((route) => [
      ...(route.route ?? []).map(({ destination }) => destination),
      route.mirror,
      ...(route.mirrors ?? []).map(({ destination }) => destination),
    ]),
    ...[...(tls ?? []), ...(tcp ?? [])].flatMap((route) => (route.route ?? []).map(({ destination }) => destination)),
  ]
  return destinations.flatMap((destination) =>
    destination ? [{ namespace: '*', host: destination.host, ...(destination.port?.number && { port: destination.port.number }) }] : [],
  )
}
