/** Virtual hosts and route configurations of sidecars. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { duration, type Resource } from '@lateen/envoy'
import { VirtualHostSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { isWildcard, type MeshSettings, type Service } from '@lateen/model'
import { ANY_PATH } from '../features/match/match.ts'
import type { RouteInit } from '../features/route-feature.ts'
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts'
import { encode } from '../resource.ts'
import { ads } from './config-source.ts'

export type VirtualHostInit = Exclude<MessageInitShape<typeof VirtualHostSchema>, { $typeName: string }>

/** Bodies of direct responses may be this long (bytes), as in Istio. */
const MAX_DIRECT_BODY = 1024 * 1024

/** How long a route configuration waits for its virtual hosts before requests fall to the catch-all (milliseconds). */
const VHDS_WAIT = 2000

/** Names under which a service is called from a namespace, and its addresses. */
export function serviceDomains(service: Service, clientNamespace: string, domain: string): string[] {
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
  return [...names, ...[...service.addresses, ...service.autoAddresses].filter((address) => !address.includes('/')).map(addressDomain)]
}

const addressDomain = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** Names of a VirtualService host that no service has. */
export function hostDomains(host: string): string[] {
  return isWildcard(host) ? [host] : [host, `${host}.`]
}

/** A virtual host as a resource of its own (VHDS): Envoy takes the route configuration's name from before the slash. */
export function virtualHostResource(
  routeConfiguration: string,
  name: string,
  domains: readonly string[],
  routes: readonly RouteInit[],
): Resource {
  const full = `${routeConfiguration}/${name}`
  return encode(VirtualHostSchema, full, virtualHostInit(full, domains, routes))
}

export function virtualHostInit(name: string, domains: readonly string[], routes: readonly RouteInit[]): VirtualHostInit {
  return { name, domains: [...domains], routes: [...routes], includeRequestAttemptCount: true }
}

/** What happens to requests for hosts that the mesh does not know. */
export function catchAll(settings: MeshSettings, allow: boolean): VirtualHostInit {
  if (!allow) {
    return {
      ...virtualHostInit(
        'block_all',
        ['*'],
        [{ name: 'block_all', match: ANY_PATH, action: { case: 'directResponse', value: { status: 502 } } }],
      ),
    }
  }
  const proxy = settings.mesh.outboundTrafficPolicy?.egressProxy
  const cluster = proxy ? `outbound|${proxy.port?.number ?? 0}|${proxy.subset ?? ''}|${proxy.host}` : PASSTHROUGH
  return virtualHostInit(
    'allow_any',
    ['*'],
    [
      {
        name: 'allow_any',
        match: ANY_PATH,
        action: { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: duration(0) } },
      },
    ],
  )
}

export const blackHoleOr = (allow: boolean): string => (allow ? PASSTHROUGH : BLACK_HOLE)

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
export function wholeRouteConfiguration(name: string, virtualHosts: readonly VirtualHostInit[]): Resource {
  return encode(RouteConfigurationSchema, name, {
    name,
    virtualHosts: [...virtualHosts],
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: MAX_DIRECT_BODY,
  })
}
