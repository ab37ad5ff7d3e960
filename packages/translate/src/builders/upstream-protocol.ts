/** Which HTTP version a cluster speaks, and the filter that offers the caller's version in the TLS handshake where it follows the caller. */
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

export function upstreamVersion(port: Pick<ServicePort, 'protocol'>, policy: TrafficPolicy, settings: MeshSettings): UpstreamVersion {
  const http = policy.connectionPool?.http
  if (http?.useClientProtocol === true) return 'caller'
  const upgrade =
    http?.h2UpgradePolicy === undefined || http.h2UpgradePolicy === 'DEFAULT' ? settings.mesh.h2UpgradePolicy : http.h2UpgradePolicy
  if (isHttp2(port.protocol) || (upgrade === 'UPGRADE' && isHttp(port.protocol))) return 'http2'
  if (port.protocol !== 'auto') return 'http1'
  return upgrade === 'UPGRADE' ? 'http2' : 'caller'
}

/** The name under which routes switch the filter on. */
const CALLER_ALPN = 'lateen.caller_alpn'

/**
 * Offers, in the handshake of mutual TLS, the version that the caller speaks. It speaks over what a cluster offers by itself, so it
 * is off unless a route to a cluster that follows the caller switches it on. Stands in for Istio's own ALPN filter, which upstream
 * Envoy lacks.
 */
export const CALLER_ALPN_FILTER: MessageInitShape<typeof HttpFilterSchema> = {
  name: CALLER_ALPN,
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
              format: {
                case: 'textFormatSource',
                value: {
                  specifier: {
                    case: 'inlineString',
                    value: `%CEL(request.protocol == 'HTTP/2' ? '${MESH_ALPN.http2.join(',')}' : '${MESH_ALPN.http1.join(',')}')%`,
                  },
                },
              },
            },
          },
        },
      ],
    }),
  },
}

/** What a route, or one of its weighted clusters, says to switch the filter on: Envoy takes an empty configuration for that. */
export const OFFER_CALLER_VERSION: Readonly<Record<string, Any>> = { [CALLER_ALPN]: packAny(FilterConfigSchema, { config: {} }) }
