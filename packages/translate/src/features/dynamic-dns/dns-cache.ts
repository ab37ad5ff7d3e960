/**
 * Names that the proxy resolves as they are asked for (ServiceEntry `DYNAMIC_DNS`): filters look a request's name up, the cluster
 * connects to what was found. They meet in a cache that all such services of a proxy share.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import type { DnsCacheConfigSchema } from '@lateen/envoy/gen/envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache_pb.js'
import { FilterConfigSchema as HttpForwardProxySchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy_pb.js'
import type { HttpFilterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { FilterConfigSchema as SniForwardProxySchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy_pb.js'
import type { AddressFamilies, MeshSettings } from '@lateen/model'
import type { NetworkFilterInit } from '../../builders/filter-order.ts'
import { LOOKUP } from '../../builders/lookup-family.ts'

/** The cache: Envoy refuses a second one of the same name with other settings, so that they are in the name. */
export function dnsCache(settings: MeshSettings, families: AddressFamilies): MessageInitShape<typeof DnsCacheConfigSchema> {
  const refresh = parseDuration(settings.mesh.dnsRefreshRate ?? '60s') ?? 60_000
  return { name: `dynamic_dns_${families}_${refresh}`, dnsLookupFamily: LOOKUP[families], dnsRefreshRate: duration(refresh) }
}

/** Looks the host of a request up; it lets requests to clusters of other kinds pass. */
export const httpNameLookup = (settings: MeshSettings, families: AddressFamilies): MessageInitShape<typeof HttpFilterSchema> => ({
  name: 'envoy.filters.http.dynamic_forward_proxy',
  configType: {
    case: 'typedConfig',
    value: packAny(HttpForwardProxySchema, {
      implementationSpecifier: { case: 'dnsCacheConfig', value: dnsCache(settings, families) },
    }),
  },
})

/** Looks the server name of a TLS connection up; it stands before the proxy of bytes. */
export const sniNameLookup = (settings: MeshSettings, families: AddressFamilies, port: number): NetworkFilterInit => ({
  name: 'envoy.filters.network.sni_dynamic_forward_proxy',
  configType: {
    case: 'typedConfig',
    value: packAny(SniForwardProxySchema, {
      dnsCacheConfig: dnsCache(settings, families),
      portSpecifier: { case: 'portValue', value: port },
    }),
  },
})
