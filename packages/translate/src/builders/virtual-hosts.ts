/** Virtual hosts and route configurations of sidecars. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Resource } from '@lateen/envoy'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { type AddressFamilies, isWildcard, type MeshSettings, type ProxyTraffic, reachable, type Service } from '@lateen/model'
import { ANY_PATH } from '../features/match/match.ts'
import type { RouteActionInit, RouteInit } from '../features/route-feature.ts'
import { limitOf } from '../features/timeout/timeout.ts'
import { BLACK_HOLE, PASSTHROUGH, RESOLVED } from '../names.ts'
import { encode } from '../resource.ts'
import { ads } from './config-source.ts'
import { structOf } from './struct.ts'
import { offering } from './upstream-protocol.ts'

export type VirtualHostInit = Exclude<MessageInitShape<typeof VirtualHostSchema>, { $typeName: string }>

/** Bodies of direct responses may be this long (bytes), as in Istio. */
const MAX_DIRECT_BODY = 1024 * 1024

/** How long a route configuration waits for its virtual hosts before requests fall to the catch-all (milliseconds). */
const VHDS_WAIT = 2000

/** Names under which a service is called from a namespace. */
export interface ServiceNames {
  /** Its host, and what stands for that: `cart`, `cart.shop`. */
  readonly own: readonly string[]
  /** Its pods' names, where they have any. */
  readonly pods: readonly string[]
  readonly addresses: readonly string[]
}

/** Who calls. */
export interface NameQuery {
  /** The client's namespace where short names of the service count in it. */
  readonly local: string
  /** What the client reaches of the addresses that hosts are given for its DNS; undefined where its agent answers no DNS. */
  readonly capturesDns: AddressFamilies | undefined
}

export function serviceNames(
  { host, headless, addresses, autoAddresses }: Service,
  { local, capturesDns }: NameQuery,
  { domain, switches }: Pick<MeshSettings, 'domain' | 'switches'>,
): ServiceNames {
  const own = [host, ...(switches.dottedHosts ? [`${host}.`] : []), ...shortNames(host, local, domain)]
  return {
    own,
    // A headless service's pods have names of their own below its name.
    pods: headless ? own.map((name) => `*.${name}`) : [],
    addresses: [...addresses, ...(capturesDns ? reachable(autoAddresses, capturesDns) : [])].filter((address) => !address.includes('/')),
  }
}

/** What is left of a name of the cluster where its end goes without saying. */
function shortNames(host: string, clientNamespace: string, domain: string): string[] {
  const suffix = `.svc.${domain}`
  if (!host.endsWith(suffix)) return []
  const named = host.slice(0, -suffix.length)
  const dot = named.indexOf('.')
  if (dot < 1) return []
  const first = named.slice(0, dot)
  if (named.slice(dot + 1) !== clientNamespace) return [named, `${named}.svc`]
  // The first label of a pattern would be every name there is.
  return [...(isWildcard(first) ? [] : [first]), `${named}.svc`, named]
}

/** A host as a virtual host names it. */
export const domainOf = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** Headers about a request's way that proxies add to it. */
export interface HostHeaders {
  /** How often it was tried (`x-envoy-attempt-count`). */
  readonly attempts: boolean
  /** The host that a rewrite replaced (`x-forwarded-host`). */
  readonly forwardedHost: boolean
}

export const USUAL_HEADERS: HostHeaders = { attempts: true, forwardedHost: false }

/** What `proxyHeaders` say of them. */
export const hostHeaders = ({ headers }: Pick<ProxyTraffic, 'headers'>): HostHeaders => ({
  attempts: !headers.attemptCount?.disabled,
  forwardedHost: headers.xForwardedHost?.enabled === true,
})

/** A virtual host as a resource of its own (VHDS): Envoy takes the route configuration's name from before the slash. */
export function virtualHostResource(
  routeConfiguration: string,
  name: string,
  domains: readonly string[],
  routes: readonly RouteInit[],
  headers: HostHeaders,
): Resource {
  const full = `${routeConfiguration}/${name}`
  return encode(VirtualHostSchema, full, virtualHostInit(full, domains, routes, headers))
}

export function virtualHostInit(
  name: string,
  domains: readonly string[],
  routes: readonly RouteInit[],
  { attempts, forwardedHost }: HostHeaders = USUAL_HEADERS,
): VirtualHostInit {
  return {
    name,
    domains: [...domains],
    routes: forwardedHost ? routes.map(keepingHost) : [...routes],
    ...(attempts && { includeRequestAttemptCount: true }),
  }
}

function keepingHost(route: RouteInit): RouteInit {
  const { action } = route
  return action?.case === 'route' ? { ...route, action: { case: 'route', value: { ...action.value, appendXForwardedHost: true } } } : route
}

/** What happens to requests for hosts that the mesh does not know. */
export function catchAll(unknown: string, headers: HostHeaders): VirtualHostInit {
  if (unknown === BLACK_HOLE) {
    const refusal: RouteInit = {
      name: 'block_all',
      match: ANY_PATH,
      ...meant(BLACK_HOLE),
      action: { case: 'directResponse', value: { status: 502 } },
    }
    return virtualHostInit('block_all', ['*'], [refusal], headers)
  }
  const value: RouteActionInit = { clusterSpecifier: { case: 'cluster', value: unknown }, ...limitOf(0) }
  const route: RouteInit = { name: 'allow_any', match: ANY_PATH, action: { case: 'route', value } }
  // Servers of all kinds may be behind it: they are offered what the caller speaks.
  const offer = unknown === RESOLVED ? { typedPerFilterConfig: offering('outside') } : {}
  return virtualHostInit('allow_any', ['*'], [{ ...route, ...(unknown === RESOLVED && meant(PASSTHROUGH)), ...offer }], headers)
}

/** What metrics call the destination, where no cluster of that name is used. */
const meant = (service: string) => ({ metadata: { filterMetadata: { istio: structOf({ service }) } } })

/** The fixed part of a route configuration whose virtual hosts are sent apart. */
export function routeConfiguration(name: string, catchAllHost: VirtualHostInit, options: { readonly vhds: boolean }): Resource {
  return encode(RouteConfigurationSchema, name, {
    name,
    virtualHosts: [catchAllHost],
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_BODY,
    ...(options.vhds && { vhds: { configSource: ads(VHDS_WAIT) } }),
  })
}

/** A route configuration with all of its virtual hosts inside. */
export function wholeRouteConfiguration(
  name: string,
  virtualHosts: readonly VirtualHostInit[],
  options: { readonly matchPorts: boolean } = { matchPorts: false },
): Resource {
  return encode(RouteConfigurationSchema, name, {
    name,
    virtualHosts: [...virtualHosts],
    validateClusters: false,
    ...(!options.matchPorts && { ignorePortInHostMatching: true }),
    maxDirectResponseBodySizeBytes: MAX_DIRECT_BODY,
  })
}
