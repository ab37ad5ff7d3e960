/** The resource sets of a proxy: parts of its scopes put together, shared with every proxy that has the same scopes. */
import { type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type AddressFamilies, type MeshModel, type MeshProxy, settingsOf } from '@lateen/model'
import { blackHoleCluster, passthroughCluster, resolvedCluster } from '../builders/fixed-clusters.ts'
import { RESOLVED } from '../names.ts'
import { equalParts, type Part, partOf, resourceOf } from '../resource.ts'
import { createReach } from './destinations.ts'
import type { Gateways } from './gateway.ts'
import type { Inbound } from './inbound.ts'
import type { createNameTable } from './name-table.ts'
import type { ListenerScope, Outbound, RouteClass } from './outbound.ts'
import { createRuleCredentials } from './rule-credentials.ts'
import type { Scope, Scopes } from './scope.ts'

/** Sets by type URL. */
export type ProxySets = ReadonlyMap<string, ResourceSet>

export interface ProxySetInput {
  readonly model: MeshModel
  readonly scopes: Scopes
  readonly outbound: Outbound
  readonly inbound: Inbound
  readonly gateways: Gateways
  readonly nameTable: ReturnType<typeof createNameTable>
}

/** What clusters that lead to nobody in particular depend on. */
interface FixedKey {
  readonly type: 'sidecar' | 'router'
  /** The families for which hosts that nobody knows are looked up; undefined where they are not. */
  readonly resolves: AddressFamilies | undefined
}

const sameSets = (a: ProxySets, b: ProxySets): boolean => a.size === b.size && [...a].every(([type, set]) => b.get(type) === set)

export const NOTHING: ResourceSet = { parts: [] }

export function createProxySets(graph: Graph, input: ProxySetInput): Family<Interned<MeshProxy>, ProxySets> {
  const shared = new SharedSets()
  const { model, scopes, outbound, inbound, gateways } = input
  const credentials = createRuleCredentials(graph, model)
  const reachOf = createReach(graph, model)
  const fixedClusters = new Family<Interned<FixedKey>, Part>(
    'fixedClusters',
    (context, { value: { type, resolves } }) => {
      const settings = settingsOf(context, model.inputs)
      return partOf([
        blackHoleCluster(settings),
        ...(type === 'sidecar' ? [passthroughCluster(settings)] : []),
        ...(resolves ? [resolvedCluster(settings, resolves)] : []),
      ])
    },
    { equal: equalParts },
  )

  const sidecar = (context: Context, proxy: Interned<MeshProxy>): [string, readonly Part[]][] => {
    const scope = context.read(scopes.scopeOf, proxy)
    const own = context.read(inbound.scopeOf, proxy)
    const { namespace, vhds } = proxy.value
    const reach = reachOf(context, scope)
    const resolves = scope.value.unknownHosts === RESOLVED ? scope.value.families : undefined
    // Neither listeners nor routes look at where the client is.
    const anywhere: Scope = { ...scope.value, near: undefined }
    const listeners = graph.intern<ListenerScope>({ scope: anywhere, caller: context.read(scopes.bytesCallerOf, proxy).value })
    const { routes, virtualHosts } = context.read(
      outbound.routes,
      graph.intern<RouteClass>({ scope: anywhere, caller: context.read(scopes.callerOf, proxy).value, namespace, vhds }),
    )
    return [
      [
        TYPE_URL.CDS,
        [
          ...context.read(outbound.clusters, reach),
          context.read(inbound.clusters, own),
          context.read(fixedClusters, graph.intern<FixedKey>({ type: 'sidecar', resolves })),
        ],
      ],
      [TYPE_URL.EDS, context.read(outbound.endpoints, reach)],
      [TYPE_URL.LDS, [...context.read(outbound.listeners, listeners), context.read(inbound.listeners, own)]],
      [TYPE_URL.RDS, vhds ? routes : withVirtualHosts(routes, virtualHosts)],
      [TYPE_URL.SDS, credentials.forSidecar(context, namespace, scope.value.selectedRules)],
      ...(vhds ? ([[TYPE_URL.VHDS, virtualHosts]] satisfies [string, readonly Part[]][]) : []),
      ...(proxy.value.dnsCapture
        ? ([[TYPE_URL.NDS, [input.nameTable(context, { ...reach.value, near: undefined }, namespace)]]] satisfies [
            string,
            readonly Part[],
          ][])
        : []),
    ]
  }

  const router = (context: Context, proxy: Interned<MeshProxy>): [string, readonly Part[]][] => {
    const scope = context.read(scopes.scopeOf, proxy)
    const own = context.read(gateways.scopeOf, proxy)
    const passthrough = context.read(gateways.passthrough, own)
    const served = context.read(gateways.secrets, own)
    return [
      [
        TYPE_URL.CDS,
        [
          ...context.read(outbound.clusters, scope),
          passthrough.clusters,
          context.read(fixedClusters, graph.intern<FixedKey>({ type: 'router', resolves: undefined })),
        ],
      ],
      [TYPE_URL.EDS, [...context.read(outbound.endpoints, scope), passthrough.endpoints]],
      [TYPE_URL.LDS, [context.read(gateways.listeners, own)]],
      [TYPE_URL.RDS, [context.read(gateways.routes, own)]],
      [TYPE_URL.SDS, [...served, ...credentials.forGateway(context, proxy.value.namespace, served)]],
    ]
  }

  return new Family<Interned<MeshProxy>, ProxySets>(
    'proxySets',
    (context, proxy) => {
      const parts = proxy.value.type === 'router' ? router(context, proxy) : proxy.value.type === 'sidecar' ? sidecar(context, proxy) : []
      return new Map(parts.map(([type, list]) => [type, shared.setOf(list)]))
    },
    { equal: sameSets },
  )
}

/**
 * One set object for one list of parts: a tree over the parts' identities. Weak all the way, so that sets go when their parts do.
 */
class SharedSets {
  private readonly root: SetNode = { next: new WeakMap() }

  setOf(parts: readonly Part[]): ResourceSet {
    const used = parts.filter((part) => part.size > 0)
    let node = this.root
    for (const part of used) {
      let next = node.next.get(part)
      if (!next) node.next.set(part, (next = { next: new WeakMap() }))
      node = next
    }
    const known = node.set?.deref()
    if (known) return known
    const set: ResourceSet = { parts: used }
    node.set = new WeakRef(set)
    return set
  }
}

interface SetNode {
  readonly next: WeakMap<Part, SetNode>
  set?: WeakRef<ResourceSet>
}

/**
 * Puts virtual hosts into their route configurations, for clients that cannot take them apart. A repeated field's encoding is the
 * concatenation of its elements: cached bytes are joined, nothing is encoded again.
 */
function withVirtualHosts(routes: readonly Part[], virtualHosts: readonly Part[]): Part[] {
  const byConfiguration = new Map<string, Uint8Array[]>()
  for (const part of virtualHosts) {
    for (const { name, bytes } of part.values()) {
      const configuration = name.slice(0, name.indexOf('/'))
      const list = byConfiguration.get(configuration)
      if (list) list.push(bytes)
      else byConfiguration.set(configuration, [bytes])
    }
  }
  return routes.map((part) =>
    partOf(
      [...part.values()].map((route) => {
        const hosts = byConfiguration.get(route.name)
        return hosts ? resourceOf(route.name, appendField(route.bytes, VIRTUAL_HOSTS_FIELD, hosts)) : route
      }),
    ),
  )
}

/** RouteConfiguration.virtual_hosts. */
const VIRTUAL_HOSTS_FIELD = 2

function appendField(message: Uint8Array, field: number, values: readonly Uint8Array[]): Uint8Array {
  const chunks: Uint8Array[] = [message]
  for (const value of values) chunks.push(header(field, value.length), value)
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    joined.set(chunk, at)
    at += chunk.length
  }
  return joined
}

/** Tag and length of a length-delimited field. */
function header(field: number, length: number): Uint8Array {
  const bytes = [(field << 3) | 2]
  let rest = length
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest >>>= 7
  }
  return Uint8Array.from([...bytes, rest])
}
