/** The last filter of a chain, that decides where bytes go. */
import { anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { FilterChain } from '@lateen/envoy/gen/envoy/config/listener/v3/listener_components_pb.js'
import {
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { type TcpProxy, TcpProxySchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'

export type Terminal =
  | { readonly kind: 'http'; readonly manager: HttpConnectionManager }
  | { readonly kind: 'tcp'; readonly proxy: TcpProxy }

/** The last filter of a chain that decides where bytes go. */
export function terminalOf(chain: FilterChain): Terminal | undefined {
  for (const filter of chain.filters) {
    if (filter.configType.case !== 'typedConfig') continue
    const any = filter.configType.value
    if (anyIs(any, HttpConnectionManagerSchema)) {
      const manager = anyUnpack(any, HttpConnectionManagerSchema)
      if (manager) return { kind: 'http', manager }
    }
    if (anyIs(any, TcpProxySchema)) {
      const proxy = anyUnpack(any, TcpProxySchema)
      if (proxy) return { kind: 'tcp', proxy }
    }
  }
  return undefined
}
