/** Route configurations of gateways: every virtual host inside. */
import type { Resource } from '@lateen/envoy'
import { VirtualHost_TlsRequirementType as Require } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_pb.js'
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

/** A configuration without hosts still answers, with 404: Envoy must not wait for it. */
export function gatewayRouteConfiguration(name: string, hosts: readonly GatewayVirtualHost[]): Resource {
  const port = name.split('.')[1] ?? ''
  const virtualHosts =
    hosts.length > 0
      ? hosts.map((host) => ({
          ...virtualHostInit(host.name, [host.domain], host.routes),
          ...(host.httpsOnly && { requireTls: Require.ALL }),
        }))
      : [{ name: `blackhole:${port}`, domains: ['*'] }]
  return encode(RouteConfigurationSchema, name, {
    name,
    virtualHosts,
    validateClusters: false,
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: 1024 * 1024,
  })
}
