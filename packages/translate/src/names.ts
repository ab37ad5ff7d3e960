/** The names of Envoy resources, which Istio's tools and dashboards read. */

/** `outbound|9080|v1|reviews.default.svc.cluster.local`. */
export function clusterName(direction: 'outbound' | 'inbound', port: number, subset: string, host: string): string {
  return `${direction}|${port}|${subset}|${host}`
}

/** `outbound_.9080_.v1_.reviews.default.svc.cluster.local`: the server name of mutual TLS to a cluster. */
export function clusterSni(port: number, subset: string, host: string): string {
  return `outbound_.${port}_.${subset}_.${host}`
}

export const PASSTHROUGH = 'PassthroughCluster'
export const BLACK_HOLE = 'BlackHoleCluster'
/** For hosts that nobody knows, found by the name that a request asks for. */
export const RESOLVED = 'AllowAnyDynamicDNSCluster'
export const INBOUND_PASSTHROUGH = 'InboundPassthroughCluster'

/** `spiffe://cluster.local/ns/shop/sa/cart`. */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}
