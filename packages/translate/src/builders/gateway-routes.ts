/** Route configurations of gateways: every virtual host inside. */
import type { Resource } from '@lateen/envoy'
import { VirtualHost_TlsRequirementType as Require } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
import { type RouteMatchInit, takesAll } from '../features/match/match.ts'
import type { RouteInit } from '../features/route-feature.ts'
import { encode } from '../resource.ts'
import { virtualHostInit } from './virtual-hosts.ts'

export interface GatewayVirtualHost {
  readonly name: string
  readonly domain: string
  readonly routes: readonly RouteInit[]
  /** Plain requests are answered by a redirect to https. */
  readonly httpsOnly: boolean
  /** Keys of the VirtualServices whose routes are in it. */
  readonly sources: readonly string[]
}

/**
 * A configuration without hosts still answers, with 404: Envoy must not wait for it. With `http3`, answers tell that the same port
 * takes HTTP/3.
 */
export function gatewayRouteConfiguration(
  name: string,
  hosts: readonly GatewayVirtualHost[],
  options: { readonly port: number; readonly http3: boolean },
): Resource {
  const virtualHosts =
    hosts.length > 0
      ? hosts.map((host) => ({
          ...virtualHostInit(host.name, [host.domain], catchAllLast(host.routes)),
          ...(host.httpsOnly && { requireTls: Require.ALL }),
        }))
      : [{ name: `blackhole:${options.port}`, domains: ['*'] }]
  return encode(RouteConfigurationSchema, name, {
    name,
    virtualHosts,
    ...(options.http3 && {
      // Believed for a day.
      responseHeadersToAdd: [{ header: { key: 'alt-svc', value: `h3=":${options.port}"; ma=86400` } }],
    }),
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: 1024 * 1024,
  })
}

/** Routes of several VirtualServices may stand in one virtual host: one that takes everything must not hide those behind it. */
function catchAllLast(routes: readonly RouteInit[]): readonly RouteInit[] {
  const rest = routes.filter((route) => !catchesAll(route))
  return rest.length === routes.length ? routes : [...rest, ...routes.filter(catchesAll)]
}

const catchesAll = ({ match }: RouteInit): boolean => match !== undefined && takesAll(match as RouteMatchInit)
