/** Gateways on the graph: what of a gateway workload its configuration depends on, and the resources made from that. */
import type { Topology } from '@lateen/api'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import {
  familiesOf,
  type GatewayConfig,
  gatewaysFor,
  type MergedServers,
  type MeshModel,
  type MeshProxy,
  mergeServers,
  settingsOf,
} from '@lateen/model'
import { gatewayListeners } from '../builders/gateway-listeners.ts'
import { gatewayRouteConfiguration } from '../builders/gateway-routes.ts'
import { ownAddresses } from '../builders/listener-parts.ts'
import { equalParts, type Part, partOf } from '../resource.ts'
import { gatewaySecrets, partsByRight } from './gateway-secrets.ts'
import { bytesOf, virtualHosts } from './gateway-virtual-hosts.ts'
import { servedPorts } from './inbound.ts'
import type { Outbound } from './outbound.ts'
import { type PolicyKeys, policyFilters, policyKeysOf } from './policies.ts'
import type { Scope, Scopes } from './scope.ts'
import { createSniDnat, type SniDnatView } from './sni-dnat.ts'

/** A label of services whose port numbers say nothing about where a gateway listens. */
const NO_TRANSLATION = 'experimental.istio.io/disable-gateway-port-translation'

/** Ports that a process without privileges cannot listen on end here. */
const FIRST_UNPRIVILEGED = 1024

/** What of a gateway workload its configuration depends on. */
export interface GatewayScope {
  readonly namespace: string
  /** Gateways by key, oldest first. */
  readonly gateways: readonly string[]
  /** By which services the workload is called, and on which port it listens for each of theirs. */
  readonly served: readonly ServedGatewayPort[]
  readonly topology: Topology
  /** The addresses that stand for all of the workload's. */
  readonly wildcards: readonly string[]
  readonly unprivileged: boolean
  readonly policies: PolicyKeys
  /** What services and rules it sees. */
  readonly view: Scope
}

interface ServedGatewayPort {
  readonly host: string
  readonly port: number
  readonly target: number
  readonly udp: boolean
  /** Gateways that are found by labels may name the service's port. */
  readonly translates: boolean
}

export interface Gateways {
  readonly scopeOf: Family<Interned<MeshProxy>, Interned<GatewayScope>>
  readonly listeners: Family<Interned<GatewayScope>, Part>
  readonly routes: Family<Interned<GatewayScope>, Part>
  /** What needs a right of its own, what a Gateway was granted, and what is for everyone: each in a part of its own. */
  readonly secrets: Family<Interned<GatewayScope>, readonly Part[]>
  /** Clusters that mutual TLS of the mesh is passed on to, and their endpoints. */
  readonly passthrough: SniDnatView['parts']
}

export function createGateways(graph: Graph, model: MeshModel, outbound: Outbound, scopes: Scopes): Gateways {
  const scopeOf = new Family<Interned<MeshProxy>, Interned<GatewayScope>>('gatewayScope', (context, key) => {
    const proxy = key.value
    const { mesh, switches } = settingsOf(context, model.inputs)
    const served = servedPorts(context, model, proxy).map(({ service, port, target }) => ({
      host: service.host,
      port: port.number,
      target,
      udp: port.protocol === 'udp',
      translates: service.labels[NO_TRANSLATION] === undefined,
    }))
    const gateways = gatewaysFor(context, model.gateways, {
      labels: proxy.labels,
      hosts: new Set(served.map(({ host }) => host)),
      only: switches.gatewaysOfOwnNamespace ? proxy.namespace : undefined,
    })
    return graph.intern<GatewayScope>({
      namespace: proxy.namespace,
      gateways: gateways.map((gateway) => gateway.key),
      served,
      topology: (proxy.proxyConfig ?? mesh.defaultConfig)?.gatewayTopology ?? {},
      wildcards: ownAddresses(familiesOf(proxy.addresses), settingsOf(context, model.inputs)).wildcards,
      unprivileged: proxy.unprivileged,
      policies: policyKeysOf(context, model, proxy),
      view: { ...context.read(scopes.scopeOf, key).value, near: undefined },
    })
  })

  const merged = new Family<Interned<GatewayScope>, MergedServers>('gatewayServers', (context, { value: scope }) =>
    mergeServers(
      scope.gateways.flatMap((key) => {
        const gateway = context.get(model.gateways, key)
        return (gateway?.spec.servers ?? []).flatMap((server) =>
          gateway ? [{ gateway, server, ports: bindPorts(gateway, server.port.number, scope) }] : [],
        )
      }),
    ),
  )

  const sniDnat = createSniDnat(graph, model, outbound, scopes)
  const around = { model, outbound }
  const takesHttp3 = (context: Context, scope: GatewayScope, port: number): boolean =>
    settingsOf(context, model.inputs).switches.http3 && scope.served.some((entry) => entry.udp && entry.port === port)

  const listeners = new Family<Interned<GatewayScope>, Part>(
    'gatewayListeners',
    (context, key) => {
      const scope = key.value
      return partOf(
        gatewayListeners(context.read(merged, key).listeners, {
          settings: { ...settingsOf(context, model.inputs), traffic: scope.view.traffic },
          topology: scope.topology,
          wildcards: scope.wildcards,
          filters: policyFilters(context, model, scope.policies, 'gateway'),
          routes: (server) => bytesOf(around, context, scope.namespace, server),
          passthrough: (server) => sniDnat.targets(context, scope.view, server),
          http3: ({ server }) => takesHttp3(context, scope, server.port.number),
        }),
      )
    },
    { equal: equalParts },
  )

  const routes = new Family<Interned<GatewayScope>, Part>(
    'gatewayRoutes',
    (context, key) =>
      partOf(
        [...context.read(merged, key).routes].map(([name, servers]) => {
          const [first] = servers
          const port = first?.server.port.number ?? 0
          return gatewayRouteConfiguration(name, virtualHosts(around, context, key.value.namespace, servers), {
            port,
            http3: first?.kind === 'https' && takesHttp3(context, key.value, port),
          })
        }),
      ),
    { equal: equalParts },
  )

  const secrets = new Family<Interned<GatewayScope>, readonly Part[]>(
    'gatewaySecrets',
    (context, key) => {
      const servers = context.read(merged, key).listeners.flatMap((listener) => listener.others)
      return partsByRight(gatewaySecrets(context, model, key.value.namespace, servers))
    },
    { equal: (a, b) => a.length === b.length && a.every((part, at) => equalParts(part, b[at] ?? new Map())) },
  )

  const passthrough: Gateways['passthrough'] = new Family(
    'gatewayPassthrough',
    (context, key) => {
      const servers = context.read(merged, key).listeners.flatMap((listener) => listener.others)
      return sniDnat.partsFor(context, key.value.view, servers)
    },
    { equal: sniDnat.sameParts },
  )

  return { scopeOf, listeners, routes, secrets, passthrough }
}

/**
 * The ports on which a workload listens for a server. A Gateway called by its services listens where they lead, on nothing else. One
 * found by labels listens where the first service that has the port leads, on the port itself where none has it.
 */
function bindPorts(gateway: GatewayConfig, port: number, scope: GatewayScope): readonly number[] {
  const { services } = gateway
  const leading = scope.served.filter((entry) => entry.port === port && !entry.udp)
  const ports = services
    ? [...new Set(leading.filter((entry) => services.includes(entry.host)).map((entry) => entry.target))]
    : [leading.find((entry) => entry.translates)?.target ?? port]
  return ports.filter((number) => !(scope.unprivileged && number < FIRST_UNPRIVILEGED) && !scope.view.reservedPorts.includes(number))
}
