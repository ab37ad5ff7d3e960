/** The order in which features contribute; later ones see nothing of earlier ones, the last word on a field counts. */
import { clientTls } from './client-tls/client-tls.ts'
import type { ClusterFeature } from './cluster-feature.ts'
import { connectionPool } from './connection-pool/connection-pool.ts'
import { cors } from './cors/cors.ts'
import { fault } from './fault/fault.ts'
import { headers } from './headers/headers.ts'
import { loadBalancer } from './load-balancer/load-balancer.ts'
import { mirror } from './mirror/mirror.ts'
import { outlierDetection } from './outlier-detection/outlier-detection.ts'
import { retries } from './retries/retries.ts'
import { rewrite } from './rewrite/rewrite.ts'
import type { RouteFeature } from './route-feature.ts'
import { timeout } from './timeout/timeout.ts'

export const CLUSTER_FEATURES: readonly ClusterFeature[] = [connectionPool, outlierDetection, loadBalancer, clientTls]

/** Features of HTTP routes. Redirects and direct responses are the route's action instead of forwarding, chosen by the builder. */
export const ROUTE_FEATURES: readonly RouteFeature[] = [timeout, retries, rewrite, headers, mirror, cors, fault]
