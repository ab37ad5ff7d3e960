/** Which HTTP version a cluster speaks, and the filters that offer a version in the TLS handshake where that is up to the request. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import type { TrafficPolicy } from '@lateen/api'
import { packAny } from '@lateen/envoy'
import { FilterConfigSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { ConfigSchema as SetFilterStateSchema } from '@lateen/envoy/gen/envoy/extensions/filters/http/set_filter_state/v3/set_filter_state_pb.js'
import type { HttpFilterSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { isHttp, isHttp2, type MeshSettings, type ServicePort } from '@lateen/model'
import { MESH_ALPN } from './tls-context.ts'

/**
 * - `caller`: the version in which the request came (ports whose protocol is found out, `useClientProtocol`)
 * - `http2`, `http1`: always that one; bytes of any kind count as `http1`, which says nothing to Envoy
 */
export type UpstreamVersion = 'caller' | 'http2' | 'http1'

/**
 * A rule may upgrade any port, the mesh only those that are said to speak HTTP. A gateway speaks HTTP/1 to ports of unknown protocol: its
 * callers agree on HTTP/2 with the gateway itself, which says nothing of the application.
 */
export function upstreamVersion(
  port: Pick<ServicePort, 'protocol'>,
  policy: TrafficPolicy,
  { settings, gateway }: { readonly settings: MeshSettings; readonly gateway: boolean },
): UpstreamVersion {
  const http = policy.connectionPool?.http
  const byRule = http?.h2UpgradePolicy
  if (byRule === 'UPGRADE') return 'http2'
  if (byRule !== 'DO_NOT_UPGRADE' && settings.mesh.h2UpgradePolicy === 'UPGRADE' && isHttp(port.protocol)) return 'http2'
  if (http?.useClientProtocol === true) return 'caller'
  if (isHttp2(port.protocol)) return 'http2'
  return port.protocol === 'auto' && !gateway ? 'caller' : 'http1'
}

/**
 * What requests on a route offer in the TLS handshake, in place of what the cluster offers by itself.
 * - `caller`: to a workload of the mesh, the version in which the request came
 * - `outside`: the same to a server that is not of the mesh
 * - `http1`: to a workload of the mesh, HTTP/1; the cluster carries bytes of other kinds too
 */
export type Offer = 'caller' | 'outside' | 'http1'

/** What requests to a port must offer for themselves; undefined where its cluster says it for all. */
export function offerOf(
  port: Pick<ServicePort, 'protocol'>,
  policy: TrafficPolicy,
  at: { readonly settings: MeshSettings; readonly gateway: boolean },
): Offer | undefined {
  const version = upstreamVersion(port, policy, at)
  const outside = policy.tls?.mode === 'SIMPLE' || policy.tls?.mode === 'MUTUAL'
  if (version === 'caller') return outside ? 'outside' : 'caller'
  return version === 'http1' && port.protocol === 'auto' && !outside ? 'http1' : undefined
}

const byCaller = (http2: readonly string[], http1: readonly string[]): string =>
  `%CEL(request.protocol == 'HTTP/2' ? '${http2.join(',')}' : '${http1.join(',')}')%`

const OFFERS: Readonly<Record<Offer, string>> = {
  caller: byCaller(MESH_ALPN.http2, MESH_ALPN.http1),
  outside: byCaller(['h2'], ['http/1.1']),
  http1: MESH_ALPN.http1.join(','),
}

/** The name under which routes switch a filter on. */
const filterName = (offer: Offer): string => `lateen.offer_${offer}`

/**
 * A filter that offers a version. It speaks over what a cluster offers by itself, so it is off unless a route switches it on. Stands in
 * for Istio's own ALPN filter, which upstream Envoy lacks.
 */
const offerFilter = (offer: Offer): MessageInitShape<typeof HttpFilterSchema> => ({
  name: filterName(offer),
  disabled: true,
  configType: {
    case: 'typedConfig',
    value: packAny(SetFilterStateSchema, {
      onRequestHeaders: [
        {
          key: { case: 'objectKey', value: 'envoy.network.application_protocols' },
          value: {
            case: 'formatString',
            value: {
              format: { case: 'textFormatSource', value: { specifier: { case: 'inlineString', value: OFFERS[offer] } } },
            },
          },
        },
      ],
    }),
  },
})

/** The filters that routes of outgoing requests switch on; gateways offer HTTP/1 to ports of unknown protocol. */
export const OFFER_FILTERS = {
  outbound: [offerFilter('caller'), offerFilter('outside')],
  gateway: [offerFilter('caller'), offerFilter('outside'), offerFilter('http1')],
} as const

/** What a route, or one of its weighted clusters, says to switch a filter on: Envoy takes an empty configuration for that. */
const SWITCHED_ON = packAny(FilterConfigSchema, { config: {} })

export const offering = (offer: Offer | undefined): Readonly<Record<string, Any>> => (offer ? { [filterName(offer)]: SWITCHED_ON } : {})
