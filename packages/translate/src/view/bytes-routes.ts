/** `tls` and `tcp` routes of VirtualServices, for the bytes of one port. */
import type { Destination, L4MatchAttributes, RouteDestination, TLSMatchAttributes } from '@lateen/api'
import { isTls, type Protocol, selects, type VirtualService } from '@lateen/model'
import type { Caller } from '../builders/routes.ts'
import type { RouteOrigin, TcpRoute, TcpTarget } from '../builders/tcp-routes.ts'
import type { Target } from '../features/route-feature.ts'

export interface BytesInput {
  readonly virtualServices: readonly VirtualService[]
  readonly protocol: Protocol
  readonly port: number
  readonly caller: Caller
  readonly resolve: (destination: Destination) => Target
}

export interface BytesRoutes {
  readonly routes: readonly TcpRoute[]
  /** Nothing is left for the port's own service. */
  readonly complete: boolean
}

/**
 * Routes for a port in a sidecar: TLS is routed by server name alone, so that a port with such routes takes no other name; other
 * bytes by the address dialled, up to the first route that takes every address.
 */
export function bytesRoutes(input: BytesInput): BytesRoutes {
  if (isTls(input.protocol)) {
    const routes = input.virtualServices.flatMap((vs) => tlsRoutes(vs, input))
    return { routes, complete: routes.length > 0 }
  }
  const routes: TcpRoute[] = []
  for (const vs of input.virtualServices) {
    for (const route of tcpRoutes(vs, input)) {
      routes.push(route)
      if (route.ranges.length === 0) return { routes, complete: true }
    }
  }
  return { routes, complete: false }
}

/** The `tls` routes of a VirtualService that hold for a port and a caller. */
export function tlsRoutes(vs: VirtualService, input: BytesInput): TcpRoute[] {
  return (vs.spec.tls ?? []).flatMap((route, i) =>
    (route.match ?? []).flatMap((match, j): TcpRoute[] => {
      if (!applies(match, input)) return []
      return [
        {
          serverNames: (match.sniHosts ?? []).map((name) => name.toLowerCase()),
          ranges: match.destinationSubnets ?? [],
          targets: targetsOf(route.route, input),
          origin: originOf(vs, `spec.tls[${i}].match[${j}]`),
        },
      ]
    }),
  )
}

/** The `tcp` routes of a VirtualService that hold for a port and a caller. */
export function tcpRoutes(vs: VirtualService, input: BytesInput): TcpRoute[] {
  return (vs.spec.tcp ?? []).flatMap((route, i): TcpRoute[] => {
    const matches = (route.match ?? []).filter((match) => applies(match, input))
    if (route.match?.length && matches.length === 0) return []
    // One match without addresses takes them all.
    const ranges = matches.every((match) => match.destinationSubnets?.length)
      ? matches.flatMap((match) => match.destinationSubnets ?? [])
      : []
    return [{ serverNames: [], ranges, targets: targetsOf(route.route, input), origin: originOf(vs, `spec.tcp[${i}]`) }]
  })
}

/** Only a VirtualService's own text has the places of its rules. */
const originOf = ({ origin }: VirtualService, path: string): RouteOrigin => ({
  object: origin,
  ...(origin.kind === 'VirtualService' && { path }),
})

type Match = L4MatchAttributes | TLSMatchAttributes

function applies(match: Match, { port, caller }: BytesInput): boolean {
  if (match.gateways?.length && !match.gateways.some((name) => caller.gateways.includes(name))) return false
  if (match.port && match.port !== port) return false
  if (match.sourceNamespace && match.sourceNamespace !== caller.namespace) return false
  return selects(match.sourceLabels ?? {}, caller.labels)
}

function targetsOf(destinations: readonly RouteDestination[] | undefined, input: BytesInput): TcpTarget[] {
  return (destinations ?? []).map(({ destination, weight }) => ({
    target: input.resolve(destination),
    subset: destination.subset ?? '',
    weight: weight ?? 0,
  }))
}
