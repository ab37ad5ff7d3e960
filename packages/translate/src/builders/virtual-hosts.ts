/** Virtual hosts and route configurations of sidecars. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Resource } from '@lateen/envoy'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { isWildcard, type ProxyTraffic, type Service } from '@lateen/model'
import { ANY_PATH } from '../features/match/match.ts'
import type { RouteActionInit, RouteInit } from '../features/route-feature.ts'
import { limitOf } from '../features/timeout/timeout.ts'
import { BLACK_HOLE } from '../names.ts'
import { encode } from '../resource.ts'
import { ads } from './config-source.ts'

export type VirtualHostInit = Exclude<MessageInitShape<typeof VirtualHostSchema>, { $typeName: string }>

/** Bodies of direct responses may be this long (bytes), as in Istio. */
const MAX_DIRECT_BODY = 1024 * 1024

/** How long a route configuration waits for its virtual hosts before requests fall to the catch-all (milliseconds). */
const VHDS_WAIT = 2000

/** Names under which a service is called from a namespace, and those of its addresses by which it is meant. */
export function serviceDomains(
  service: Service,
  clientNamespace: string,
  domain: string,
  holds: (address: string) => boolean = () => true,
): string[] {
  const { host } = service
  const suffix = `.svc.${domain}`
  const names = [host]
  if (host !== '*') names.push(`${host}.`)
  if (host.endsWith(suffix)) {
    const [name = '', namespace = ''] = host.slice(0, -suffix.length).split('.')
    if (namespace === clientNamespace) names.push(name)
    if (namespace === clientNamespace) names.push(`${name}.${namespace}.svc`, `${name}.${namespace}`)
    else names.push(`${name}.${namespace}`, `${name}.${namespace}.svc`)
  }
  // A headless service's pods have names of their own below its name.
  const pods = service.headless ? names.map((name) => `*.${name}`) : []
  const addresses = [...service.addresses, ...service.autoAddresses].filter((address) => !address.includes('/') && holds(address))
  return [...names, ...pods, ...addresses.map(addressDomain)]
}

const addressDomain = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** Names of a VirtualService host that no service has. */
export function hostDomains(host: string): string[] {
  return isWildcard(host) ? [host] : [host, `${host}.`]
}

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
    const refusal: RouteInit = { name: 'block_all', match: ANY_PATH, action: { case: 'directResponse', value: { status: 502 } } }
    return virtualHostInit('block_all', ['*'], [refusal], headers)
  }
  const value: RouteActionInit = { clusterSpecifier: { case: 'cluster', value: unknown }, ...limitOf(0) }
  return virtualHostInit('allow_any', ['*'], [{ name: 'allow_any', match: ANY_PATH, action: { case: 'route', value } }], headers)
}

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
