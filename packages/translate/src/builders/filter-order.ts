/**
 * The order of filters in every chain: the one place that decides what sees a request before what. Features give filters for
 * places; they never choose a position of their own. The order is Istio's.
 *
 * Requests that reach a workload or a gateway: external authorization asks first, with the request as the caller sent it; then
 * tokens are verified (and taken off the request unless the policy forwards them); then rules decide, which may look at the
 * token's claims; then come filters that routes configure; the router ends the chain.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { packAny } from '@lateen/envoy'
import type { FilterSchema } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import { CorsSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { HTTPFaultSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { GrpcWebSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.js'
import { RouterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/router/v3/router_pb.js'
import type { HttpFilterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { ProxyTraffic } from '@lateen/model'
import { CORS_FILTER } from '../features/cors/cors.ts'
import { FAULT_FILTER } from '../features/fault/fault.ts'
import { OFFER_FILTERS } from './upstream-protocol.ts'

export type HttpFilterInit = MessageInitShape<typeof HttpFilterSchema>
export type NetworkFilterInit = MessageInitShape<typeof FilterSchema>

/** Places for filters of requests, in the order in which a request passes them. */
export interface HttpFilterSlots {
  /** Asks an external authorizer. */
  readonly authorizers?: readonly HttpFilterInit[]
  /** Verifies tokens. */
  readonly authentication?: readonly HttpFilterInit[]
  /** Rules that allow and deny. */
  readonly authorization?: readonly HttpFilterInit[]
  /** What counts and changes requests that were let in. */
  readonly admitted?: readonly HttpFilterInit[]
  /** Calls of gRPC-Web, as browsers make them, go on as gRPC. */
  readonly grpcWeb?: boolean
}

/** Places for filters of connections, in order; the filter that passes bytes on comes after them. */
export interface NetworkFilterSlots {
  readonly authorizers?: readonly NetworkFilterInit[]
  readonly authorization?: readonly NetworkFilterInit[]
  readonly admitted?: readonly NetworkFilterInit[]
}

/** What policies put into the chains of one workload. */
export interface PolicyFilters {
  readonly http: HttpFilterSlots
  readonly bytes: NetworkFilterSlots
}

export const NO_POLICIES: PolicyFilters = { http: {}, bytes: {} }

/** Where a request comes from: leaving its workload, reaching one, or entering by a gateway. */
export type HttpChain = 'outbound' | 'inbound' | 'gateway'

export const httpFilter = (name: string, value: Any): HttpFilterInit => ({ name, configType: { case: 'typedConfig', value } })
export const networkFilter = (name: string, value: Any): NetworkFilterInit => ({ name, configType: { case: 'typedConfig', value } })

const ROUTER = httpFilter('envoy.filters.http.router', packAny(RouterSchema, {}))
/** Adds no headers that tell of Envoy (`x-envoy-upstream-service-time` and the like). */
const QUIET_ROUTER = httpFilter('envoy.filters.http.router', packAny(RouterSchema, { suppressEnvoyHeaders: true }))
const GRPC_WEB = httpFilter('envoy.filters.http.grpc_web', packAny(GrpcWebSchema, {}))
const CORS = httpFilter(CORS_FILTER, packAny(CorsSchema, {}))
const FAULT = httpFilter(FAULT_FILTER, packAny(HTTPFaultSchema, {}))

export function httpFilters(chain: HttpChain, slots: HttpFilterSlots, { headers }: Pick<ProxyTraffic, 'headers'>): HttpFilterInit[] {
  return [
    ...(slots.authorizers ?? []),
    ...(slots.authentication ?? []),
    ...(slots.authorization ?? []),
    ...(slots.admitted ?? []),
    ...(slots.grpcWeb ? [GRPC_WEB] : []),
    ...(chain === 'inbound' ? [] : OFFER_FILTERS[chain]),
    FAULT,
    CORS,
    headers.envoyDebugHeaders?.disabled ? QUIET_ROUTER : ROUTER,
  ]
}

export function networkFilters(slots: NetworkFilterSlots, last: NetworkFilterInit): NetworkFilterInit[] {
  return [...(slots.authorizers ?? []), ...(slots.authorization ?? []), ...(slots.admitted ?? []), last]
}
