/** Which addresses a proxy asks DNS for. */
import { Cluster_DnsLookupFamily } from '@lateen/envoy/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { AddressFamilies } from '@lateen/model'

/** Envoy's names for the families; with both, connecting tries one after the other. */
export const LOOKUP: Readonly<Record<AddressFamilies, Cluster_DnsLookupFamily>> = {
  v4: Cluster_DnsLookupFamily.V4_ONLY,
  v6: Cluster_DnsLookupFamily.V6_ONLY,
  both: Cluster_DnsLookupFamily.ALL,
}
