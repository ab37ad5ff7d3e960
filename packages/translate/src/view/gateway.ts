/** Gateways on the graph: listeners and routes of a gateway workload, from the Gateways that select it, and its credentials. */
import type { Server } from '@lateen/api'
import { type Context, Family, type Graph, type Interned } from '@lateen/graph'
import { type GatewayConfig, gatewaysFor, hostMatches, isWildcard, type MeshModel, type Proxy, resolveHost, settingsOf, type VirtualService } from '@lateen/model'
import { byAge, bySpecificity, visibleTo } from '@lateen/model'
import { gatewayListeners, type GatewayServer, routeNameOf, serverProtocol } from '../builders/gateway-listeners.ts'
import { gatewayRouteConfiguration, type GatewayVirtualHost } from '../builders/gateway-routes.ts'
import { secretResources } from '../builders/secrets.ts'
import { virtualServiceRoutes } from '../builders/routes.ts'
import { equalParts, type Part, partOf } from '../resource.ts'
import { servedPorts } from './inbound.ts'
import type { Outbound } from './outbound.ts'

/** What of a gateway workload its configuration depends on. */
export interface GatewayScope {
  readonly namespace: string
  /** Gateways by key, oldest first. */
  readonly gateways: readonly string[]
  /** From a server's port to the port on which the workload listens for it. */
  readonly ports: Readonly<Record<string, number>>
}

export interface Gateways {
  readonly scopeOf: Family<Interned<Proxy>, Interned<GatewayScope>>
  readonly listeners: Family<Interned<GatewayScope>, Part>
  readonly routes: Family<Interned<GatewayScope>, Part>
  readonly secrets: Family<Interned<GatewayScope>, Part>
}

export function createGateways(graph: Graph, model: MeshModel, outbound: Outbound): Gateways {
  const scopeOf = new Family<Interned<Proxy>, Interned<GatewayScope>>('gatewayScope', (context, key) => {
    const proxy = key.value
    const ports: Record<string, number> = {}
    for (const { port, target } of servedPorts(context, model, proxy)) ports[String(port.number)] ??= target
    return graph.intern<GatewayScope>({
      namespace: proxy.namespace,
      gateways: gatewaysFor(context, model.gateways, proxy.labels).map((gateway) => gateway.key),
      ports,
    })
  })

  const configs = (context: Context, scope: GatewayScope): readonly GatewayConfig[] => scope.gateways.flatMap((key) => context.get(model.gateways, key) ?? [])

  const serversOf = (context: Context, scope: GatewayScope): GatewayServer[] =>
    configs(context, scope).flatMap((gateway) =>
      (gateway.spec.servers ?? []).map((server) => ({
        gateway,
        server,
        bindPort: scope.ports[String(server.port.number)] ?? server.port.number,
      })),
    )

  const listeners = new Family<Interned<GatewayScope>, Part>(
    'gatewayListeners',
    (context, { value: scope }) => partOf(gatewayListeners(serversOf(context, scope), settingsOf(context, model.inputs), (server) => tlsRoutes(context, model, server))),
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
      return partOf([...groups].map(([name, servers]) => gatewayRouteConfiguration(name, virtualHosts(context, scope, servers))))
    },
    { equal: equalParts },
  )

  const virtualHosts = (context: Context, scope: GatewayScope, servers: readonly GatewayServer[]): GatewayVirtualHost[] => {
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
          } else hosts.set(host, { host: { name: `${host}:${port}`, domain: host, routes: [], httpsOnly: redirects, sources: [vs.key] }, routes: routesOfHost })
        }
      }
      // A server that redirects does so for its hosts also when no VirtualService speaks of them.
      if (redirects) {
        for (const text of entry.server.hosts) {
          const host = serverHost(text, entry.gateway.namespace).host
          if (!hosts.has(host)) hosts.set(host, { host: { name: `${host}:${port}`, domain: host, routes: [], httpsOnly: true, sources: [] }, routes: [] })
        }
      }
    }
    return [...hosts.values()].map(({ host, routes: list }) => ({ ...host, routes: list })).sort((a, b) => bySpecificity(a.domain, b.domain))
  }

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

/** Routes of TLS servers that pass TLS through: by SNI, from `tls` routes of VirtualServices; TCP servers from `tcp` routes. */
function tlsRoutes(context: Context, model: MeshModel, entry: GatewayServer) {
  const bound = [...context.list(model.virtualServices, 'gateway', entry.gateway.key)].sort(byAge)
  const { domain } = settingsOf(context, model.inputs)
  const port = entry.server.port.number
  const applies = (match: { readonly port?: number; readonly gateways?: readonly string[] }) => match.port === undefined || match.port === port
  return bound.flatMap((vs) => {
    if (hostsOn(entry, vs).length === 0) return []
    const full = (host: string) => resolveHost(host, vs.namespace, domain)
    const tls = (vs.spec.tls ?? []).flatMap((route) =>
      (route.match ?? []).filter(applies).map((match) => ({ serverNames: match.sniHosts, destinations: (route.route ?? []).map((target) => ({ host: full(target.destination.host), port: target.destination.port?.number ?? port, subset: target.destination.subset ?? '', weight: target.weight ?? 0 })) })),
    )
    const tcp = (vs.spec.tcp ?? [])
      .filter((route) => !route.match?.length || route.match.some(applies))
      .map((route) => ({ serverNames: [], destinations: (route.route ?? []).map((target) => ({ host: full(target.destination.host), port: target.destination.port?.number ?? port, subset: target.destination.subset ?? '', weight: target.weight ?? 0 })) }))
    return serverProtocol(entry.server) === 'tls-passthrough' ? tls : tcp
  })
}
