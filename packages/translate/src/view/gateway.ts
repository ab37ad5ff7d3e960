/** Gateways on the graph: listeners and routes of a gateway workload, from the Gateways that select it, and its credentials. */
import type { Server } from '@lateen/api'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import {
  byAge,
  bySpecificity,
  type GatewayConfig,
  gatewaysFor,
  hostMatches,
  isWildcard,
  type MeshModel,
  type MeshProxy,
  settingsOf,
  type VirtualService,
  visibleTo,
} from '@lateen/model'
import { type GatewayServer, gatewayListeners, routeNameOf, serverProtocol } from '../builders/gateway-listeners.ts'
import { type GatewayVirtualHost, gatewayRouteConfiguration } from '../builders/gateway-routes.ts'
import { virtualServiceRoutes } from '../builders/routes.ts'
import { secretResources } from '../builders/secrets.ts'
import type { TcpRoute } from '../builders/tcp-routes.ts'
import { equalParts, type Part, partOf } from '../resource.ts'
import { type BytesInput, tcpRoutes, tlsRoutes } from './bytes-routes.ts'
import { servedPorts } from './inbound.ts'
import type { Outbound } from './outbound.ts'

/** A label of services whose port numbers say nothing about where a gateway listens. */
const NO_TRANSLATION = 'experimental.istio.io/disable-gateway-port-translation'

/** What of a gateway workload its configuration depends on. */
export interface GatewayScope {
  readonly namespace: string
  /** Gateways by key, oldest first. */
  readonly gateways: readonly string[]
  /** By which services the workload is called, and on which port it listens for each of theirs. */
  readonly served: readonly { readonly host: string; readonly port: number; readonly target: number }[]
}

export interface Gateways {
  readonly scopeOf: Family<Interned<MeshProxy>, Interned<GatewayScope>>
  readonly listeners: Family<Interned<GatewayScope>, Part>
  readonly routes: Family<Interned<GatewayScope>, Part>
  readonly secrets: Family<Interned<GatewayScope>, Part>
}

/** Where routes of gateways are looked up, and where their destinations lead. */
interface Around {
  readonly model: MeshModel
  readonly outbound: Outbound
}

export function createGateways(graph: Graph, model: MeshModel, outbound: Outbound): Gateways {
  const around: Around = { model, outbound }
  const scopeOf = new Family<Interned<MeshProxy>, Interned<GatewayScope>>('gatewayScope', (context, key) => {
    const proxy = key.value
    return graph.intern<GatewayScope>({
      namespace: proxy.namespace,
      gateways: gatewaysFor(context, model.gateways, proxy.labels).map((gateway) => gateway.key),
      served: servedPorts(context, model, proxy)
        .filter(({ service }) => service.labels[NO_TRANSLATION] !== 'true')
        .map(({ service, port, target }) => ({ host: service.host, port: port.number, target })),
    })
  })

  const configs = (context: Context, scope: GatewayScope): readonly GatewayConfig[] =>
    scope.gateways.flatMap((key) => context.get(model.gateways, key) ?? [])

  const serversOf = (context: Context, scope: GatewayScope): GatewayServer[] =>
    configs(context, scope).flatMap((gateway) =>
      (gateway.spec.servers ?? []).flatMap((server) =>
        bindPorts(gateway, server.port.number, scope.served).map((bindPort) => ({ gateway, server, bindPort })),
      ),
    )

  const listeners = new Family<Interned<GatewayScope>, Part>(
    'gatewayListeners',
    (context, { value: scope }) =>
      partOf(
        gatewayListeners(serversOf(context, scope), settingsOf(context, model.inputs), (server) => bytesOf(around, context, scope, server)),
      ),
    { equal: equalParts },
  )

  const routes = new Family<Interned<GatewayScope>, Part>(
    'gatewayRoutes',
    (context, { value: scope }) => {
      const groups = new Map<string, GatewayServer[]>()
      for (const entry of serversOf(context, scope)) {
        const name = routeNameOf(entry)
        if (name === undefined) continue
        groups.set(name, [...(groups.get(name) ?? []), entry])
      }
      return partOf([...groups].map(([name, servers]) => gatewayRouteConfiguration(name, virtualHosts(around, context, scope, servers))))
    },
    { equal: equalParts },
  )

  const secrets = new Family<Interned<GatewayScope>, Part>(
    'gatewaySecrets',
    (context, { value: scope }) => {
      const names = new Set<string>()
      for (const { server } of serversOf(context, scope)) for (const name of credentialsOf(server)) names.add(name)
      const resources = [...names].flatMap((name) => {
        const secret = (suffix: string) => context.get(model.inputs.kinds['core/Secret'], `${scope.namespace}/${name}${suffix}`)
        return secretResources(name, secret(''), secret('-cacert'))
      })
      return partOf(resources)
    },
    { equal: equalParts },
  )

  return { scopeOf, listeners, routes, secrets }
}

/** Routes of servers that pass bytes on: TLS by its name, other bytes by the address dialled. */
function bytesOf({ model, outbound }: Around, context: Context, scope: GatewayScope, entry: GatewayServer): readonly TcpRoute[] {
  const port = entry.server.port.number
  const input: BytesInput = {
    virtualServices: [],
    protocol: 'tcp',
    port,
    caller: { gateways: [entry.gateway.key], namespace: '', labels: {} },
    resolve: (destination) => outbound.resolve(context, scope.namespace, destination, port),
  }
  const bound = [...context.list(model.virtualServices, 'gateway', entry.gateway.key)]
    .sort(byAge)
    .filter((vs) => visibleTo(vs.visibility, entry.gateway.namespace))
  return bound.flatMap((vs) => {
    const hosts = hostsOn(entry, vs)
    if (hosts.length === 0) return []
    if (serverProtocol(entry.server) !== 'tls-passthrough') return tcpRoutes(vs, input)
    // A name that the server does not take stays out.
    return tlsRoutes(vs, input).flatMap((route) => {
      const serverNames = route.serverNames.filter((name) => hosts.some((host) => hostMatches(host, name)))
      return serverNames.length > 0 ? [{ ...route, serverNames }] : []
    })
  })
}

/** The virtual hosts of servers that share a route configuration, the most specific first. */
function virtualHosts(
  { model, outbound }: Around,
  context: Context,
  scope: GatewayScope,
  servers: readonly GatewayServer[],
): GatewayVirtualHost[] {
  const hosts = new Map<string, { host: GatewayVirtualHost; routes: GatewayVirtualHost['routes'][number][] }>()
  const settings = settingsOf(context, model.inputs)
  for (const entry of servers) {
    const port = entry.server.port.number
    const redirects = entry.server.tls?.httpsRedirect === true
    const bound = [...context.list(model.virtualServices, 'gateway', entry.gateway.key)].sort(byAge)
    for (const vs of bound) {
      if (!vs.spec.http?.length || !visibleTo(vs.visibility, entry.gateway.namespace)) continue
      for (const host of hostsOn(entry, vs)) {
        const routesOfHost = virtualServiceRoutes({
          virtualService: vs,
          settings,
          listenPort: port,
          caller: { gateways: [entry.gateway.key], namespace: '', labels: {} },
          resolve: (destination) => outbound.resolve(context, scope.namespace, destination, port),
        })
        const known = hosts.get(host)
        if (known) {
          // Two servers may carry the same VirtualService's host: its routes are there once.
          if (!known.host.sources.includes(vs.key)) known.routes.push(...routesOfHost)
          known.host = { ...known.host, sources: [...known.host.sources, vs.key], httpsOnly: known.host.httpsOnly || redirects }
        } else
          hosts.set(host, {
            host: { name: `${host}:${port}`, domain: host, routes: [], httpsOnly: redirects, sources: [vs.key] },
            routes: routesOfHost,
          })
      }
    }
    // A server that redirects does so for its hosts also when no VirtualService speaks of them.
    if (redirects) {
      for (const text of entry.server.hosts) {
        const host = serverHost(text, entry.gateway.namespace).host
        if (!hosts.has(host))
          hosts.set(host, { host: { name: `${host}:${port}`, domain: host, routes: [], httpsOnly: true, sources: [] }, routes: [] })
      }
    }
  }
  return [...hosts.values()].map(({ host, routes: list }) => ({ ...host, routes: list })).sort((a, b) => bySpecificity(a.domain, b.domain))
}

function credentialsOf(server: Server): readonly string[] {
  const { credentialName, credentialNames } = server.tls ?? {}
  return [...(credentialNames ?? []), ...(credentialName ? [credentialName] : [])]
}

/** `ns/host`, `./host`, `*\/host` or `host`. */
function serverHost(text: string, gatewayNamespace: string): { readonly namespace: string; readonly host: string } {
  const slash = text.indexOf('/')
  if (slash < 0) return { namespace: '*', host: text }
  const namespace = text.slice(0, slash)
  return { namespace: namespace === '.' ? gatewayNamespace : namespace, host: text.slice(slash + 1) }
}

/** The hosts of a VirtualService that a server takes; where both are patterns, the narrower of the two. */
function hostsOn({ server, gateway }: GatewayServer, vs: VirtualService): string[] {
  const found = new Set<string>()
  for (const text of server.hosts) {
    const { namespace, host } = serverHost(text, gateway.namespace)
    if (namespace !== '*' && namespace !== vs.namespace) continue
    for (const own of vs.hosts) {
      if (hostMatches(host, own)) found.add(own)
      else if (isWildcard(own) && hostMatches(own, host)) found.add(host)
    }
  }
  return [...found]
}

/**
 * The ports on which a workload listens for a server: where services lead from the server's port. The port itself where no service
 * has it, unless the Gateway says by which services it is called.
 */
function bindPorts(gateway: GatewayConfig, port: number, served: GatewayScope['served']): readonly number[] {
  const { services } = gateway
  const leading = served.filter((entry) => entry.port === port && (!services || services.includes(entry.host)))
  if (leading.length > 0) return [...new Set(leading.map((entry) => entry.target))]
  return services ? [] : [port]
}
