/** The two facts inside resources that the order of pushes depends on, read at the wire level and remembered by resource. */

import { VARINT, WireReader } from '../protocol/wire.ts'
import type { Resource } from '../resource-source.ts'

const EDS_TYPE = 3

const endpointNames = new WeakMap<Resource, string>()

/**
 * The ClusterLoadAssignment that a cluster takes its endpoints from, or nothing for other kinds of clusters. Envoy warms a
 * changed cluster anew and waits for its endpoints, without asking for them when it knew the name already.
 */
export function endpointsOf(cluster: Resource): string {
  let name = endpointNames.get(cluster)
  if (name === undefined) endpointNames.set(cluster, (name = readEndpointsName(cluster)))
  return name
}

// Cluster { DiscoveryType type = 2; EdsClusterConfig eds_cluster_config = 3 { string service_name = 2 } }
function readEndpointsName(cluster: Resource): string {
  const reader = new WireReader(asBuffer(cluster.bytes))
  let eds = false
  let service = ''
  while (reader.next()) {
    if (reader.field === 2 && reader.type === VARINT) eds = reader.value === EDS_TYPE
    else if (reader.field === 3) {
      const config = reader.message()
      while (config.next()) if (config.field === 2) service = config.text()
    }
  }
  return eds ? service || cluster.name : ''
}

const withVirtualHosts = new WeakMap<Resource, boolean>()

/** Whether a RouteConfiguration takes virtual hosts from VHDS (`vhds = 9`). */
export function takesVirtualHosts(route: Resource): boolean {
  let takes = withVirtualHosts.get(route)
  if (takes === undefined) {
    takes = false
    const reader = new WireReader(asBuffer(route.bytes))
    while (reader.next()) takes ||= reader.field === 9
    withVirtualHosts.set(route, takes)
  }
  return takes
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
