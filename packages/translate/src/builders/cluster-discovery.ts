/** How a cluster finds its endpoints. */
import type { TrafficPolicy } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import { Cluster_DiscoveryType, Cluster_LbPolicy } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterConfigSchema as DynamicForwardProxySchema } from '@lateen/envoy/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js'
import { CaresDnsResolverConfigSchema } from '@lateen/envoy/gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.js'
import type { AddressFamilies, MeshSettings } from '@lateen/model'
import type { ClusterInit } from '../features/cluster-feature.ts'
import { dnsCache } from '../features/dynamic-dns/dns-cache.ts'
import type { ClusterInput } from './cluster.ts'
import { ads } from './config-source.ts'
import { LOOKUP } from './lookup-family.ts'

/** The discovery of a port's or subset's cluster, given what the traffic policy made of it. */
export function discovery(input: ClusterInput, subset: string, name: string, cluster: ClusterInit, policy: TrafficPolicy): ClusterInit {
  const { service, port, settings } = input
  const keepsAddress = cluster.lbPolicy === Cluster_LbPolicy.CLUSTER_PROVIDED
  switch (service.resolution) {
    case 'dns':
    case 'dns-round-robin': {
      if (keepsAddress) return typeOf(Cluster_DiscoveryType.ORIGINAL_DST)
      const loadAssignment = input.assignment(subset)
      // Envoy's logical DNS takes exactly one name; a subset may have none.
      const names = (loadAssignment.endpoints ?? []).flatMap((group) => group.lbEndpoints ?? [])
      const logical = service.resolution === 'dns-round-robin' && names.length === 1
      return {
        ...typeOf(logical ? Cluster_DiscoveryType.LOGICAL_DNS : Cluster_DiscoveryType.STRICT_DNS),
        ...resolving(settings, input.families),
        loadAssignment,
      }
    }
    case 'dynamic-dns':
      return byName(settings, input.families, policy)
    case 'passthrough':
      // A gateway has no address that the application dialled: it needs the endpoints.
      if (input.gateway) break
      return {
        ...typeOf(Cluster_DiscoveryType.ORIGINAL_DST),
        lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
        ...(service.origin.kind === 'ServiceEntry' &&
          port.target !== port.number && {
            lbConfig: { case: 'originalDstLbConfig' as const, value: { upstreamPortOverride: Number(port.target) } },
          }),
      }
    case 'static':
      if (keepsAddress) return typeOf(Cluster_DiscoveryType.ORIGINAL_DST)
  }
  return { ...typeOf(Cluster_DiscoveryType.EDS), edsClusterConfig: { edsConfig: ads(), serviceName: name } }
}

/** Endpoints are found by the name that each request or connection asks for. */
export const byName = (settings: MeshSettings, families: AddressFamilies, { tls }: Pick<TrafficPolicy, 'tls'>): ClusterInit => ({
  clusterDiscoveryType: {
    case: 'clusterType',
    value: {
      name: 'envoy.clusters.dynamic_forward_proxy',
      typedConfig: packAny(DynamicForwardProxySchema, {
        clusterImplementationSpecifier: { case: 'dnsCacheConfig', value: dnsCache(settings, families) },
        // Otherwise Envoy insists on checking the server by the name that was resolved.
        allowInsecureClusterOptions: tls?.insecureSkipVerify === true,
      }),
    },
  },
})

const typeOf = (value: Cluster_DiscoveryType) => ({ clusterDiscoveryType: { case: 'type' as const, value } })

/** How names are resolved: the families that a client can reach, answers as long as they say, all clients not at the same moment. */
function resolving(settings: MeshSettings, families: AddressFamilies): ClusterInit {
  return {
    dnsLookupFamily: LOOKUP[families],
    dnsRefreshRate: duration(parseDuration(settings.mesh.dnsRefreshRate ?? '60s') ?? 60_000),
    dnsJitter: duration(settings.switches.dnsJitter),
    respectDnsTtl: true,
    typedDnsResolverConfig: {
      name: 'envoy.network.dns_resolver.cares',
      typedConfig: packAny(CaresDnsResolverConfigSchema, { udpMaxQueries: settings.switches.dnsMostQueries }),
    },
  }
}
