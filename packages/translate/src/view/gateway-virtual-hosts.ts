/** Which VirtualServices a gateway's servers take, and the routes that come of them. */
import type { Context } from '@lateen/graph'
import {
  byPrecedence,
  bySpecificity,
  type GatewayServer,
  hostMatches,
  isWildcard,
  type MeshModel,
  settingsOf,
  type VirtualService,
  visibleTo,
} from '@lateen/model'
import type { GatewayVirtualHost } from '../builders/gateway-routes.ts'
import { virtualServiceRoutes } from '../builders/routes.ts'
import type { TcpRoute } from '../builders/tcp-routes.ts'
import { type BytesInput, tcpRoutes, tlsRoutes } from './bytes-routes.ts'
import type { Outbound } from './outbound.ts'

/** Where routes of gateways are looked up, and where their destinations lead. */
interface Around {
  readonly model: MeshModel
  readonly outbound: Outbound
}

/** VirtualServices bound to a Gateway that a namespace sees, by precedence. */
function boundTo(model: MeshModel, context: Context, gateway: string, namespace: string): readonly VirtualService[] {
  return context
    .list(model.virtualServices, 'gateway', gateway)
    .filter((vs) => visibleTo(vs.visibility, namespace))
    .sort(byPrecedence(namespace))
}

/** Routes of servers that pass bytes on: TLS by its name, other bytes by the port alone. */
export function bytesOf({ model, outbound }: Around, context: Context, namespace: string, entry: GatewayServer): readonly TcpRoute[] {
  const port = entry.server.port.number
  const input: BytesInput = {
    virtualServices: [],
    protocol: 'tcp',
    port,
    caller: { gateways: [entry.gateway.key], namespace: '', labels: {} },
    resolve: (destination) => outbound.resolve(context, { client: namespace, gateway: true }, destination, port),
  }
  return boundTo(model, context, entry.gateway.key, namespace).flatMap((vs) => {
    const hosts = hostsOn(entry, vs)
    if (hosts.length === 0) return []
    // A name that the server does not take stays out.
    const byName = tlsRoutes(vs, input).flatMap((route) => {
      const serverNames = route.serverNames.filter((name) => hosts.some((host) => hostMatches(host, name)))
      return serverNames.length > 0 ? [{ ...route, serverNames }] : []
    })
    if (entry.kind === 'tls-passthrough') return byName
    // Where TLS ends at the gateway, a TLSRoute still goes by the name that was asked for; a VirtualService has `tcp` for that.
    const rest = tcpRoutes(vs, input)
    return entry.kind === 'tls-terminated-tcp' && vs.semantics === 'gateway-api' ? [...byName, ...rest] : rest
  })
}

/** The virtual hosts of servers that share a route configuration, the most specific first. */
export function virtualHosts(
  { model, outbound }: Around,
  context: Context,
  namespace: string,
  servers: readonly GatewayServer[],
): GatewayVirtualHost[] {
  const hosts = new Map<string, { host: GatewayVirtualHost; routes: GatewayVirtualHost['routes'][number][] }>()
  const settings = settingsOf(context, model.inputs)
  for (const entry of servers) {
    const port = entry.server.port.number
    const redirects = entry.server.tls?.httpsRedirect === true
    for (const vs of boundTo(model, context, entry.gateway.key, namespace)) {
      if (!vs.spec.http?.length) continue
      for (const host of hostsOn(entry, vs)) {
        const routesOfHost = virtualServiceRoutes({
          virtualService: vs,
          settings,
          listenPort: port,
          caller: { gateways: [entry.gateway.key], namespace: '', labels: {} },
          encrypted: entry.server.tls !== undefined,
          resolve: (destination) => outbound.resolve(context, { client: namespace, gateway: true }, destination, port),
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
      for (const { host } of entry.hosts) {
        const known = hosts.get(host)
        if (known) known.host = { ...known.host, httpsOnly: true }
        else hosts.set(host, { host: { name: `${host}:${port}`, domain: host, routes: [], httpsOnly: true, sources: [] }, routes: [] })
      }
    }
  }
  return [...hosts.values()].map(({ host, routes: list }) => ({ ...host, routes: list })).sort((a, b) => bySpecificity(a.domain, b.domain))
}

/** The hosts of a VirtualService that a server takes; where both are patterns, the narrower of the two. */
function hostsOn({ hosts }: GatewayServer, vs: VirtualService): string[] {
  const found = new Set<string>()
  for (const { namespace, host } of hosts) {
    if (namespace !== '*' && namespace !== vs.namespace) continue
    for (const own of vs.hosts) {
      if (hostMatches(host, own)) found.add(own)
      else if (isWildcard(own) && hostMatches(own, host)) found.add(host)
    }
  }
  return [...found]
}
