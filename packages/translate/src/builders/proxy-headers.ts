/** `proxyHeaders` of ProxyConfig, and what else a proxy's own settings say, as fields of connection managers. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import { duration, packAny } from '@lateen/envoy'
import {
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  type HttpConnectionManagerSchema,
  HttpConnectionManager_ServerHeaderTransformation as ServerHeader,
} from '@lateen/envoy/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { PreserveCaseFormatterConfigSchema } from '@lateen/envoy/gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.js'
import type { ProxyTraffic } from '@lateen/model'
import type { HttpChain } from './filter-order.ts'

type ManagerInit = Partial<Exclude<MessageInitShape<typeof HttpConnectionManagerSchema>, { $typeName: string }>>

/** What `server` says in answers of gateways and of workloads; a caller's own sidecar puts Envoy's name there, as in Istio. */
const SERVER_NAME = 'istio-envoy'

/** Names of ways to treat `x-forwarded-client-cert`. */
export const FORWARD: Readonly<Record<string, Forward>> = {
  SANITIZE: Forward.SANITIZE,
  FORWARD_ONLY: Forward.FORWARD_ONLY,
  APPEND_FORWARD: Forward.APPEND_FORWARD,
  SANITIZE_SET: Forward.SANITIZE_SET,
  ALWAYS_FORWARD_ONLY: Forward.ALWAYS_FORWARD_ONLY,
}

/** Headers that proxies of every kind may add or leave. */
export function headerSettings({ headers }: ProxyTraffic, chain: HttpChain): ManagerInit {
  const { server, requestId, xForwardedPort } = headers
  const name = server?.value || (chain === 'outbound' ? '' : SERVER_NAME)
  return {
    ...(server?.disabled ? { serverHeaderTransformation: ServerHeader.PASS_THROUGH } : name && { serverName: name }),
    ...(requestId?.disabled && { generateRequestId: false }),
    ...(xForwardedPort?.enabled && { appendXForwardedPort: true }),
  }
}

/** The caller's certificate: kept only on connections with one, so that a plaintext caller cannot claim it. */
export function clientCertificate({ headers }: ProxyTraffic): ManagerInit {
  const forward = FORWARD[headers.forwardedClientCert ?? ''] ?? Forward.APPEND_FORWARD
  const { subject, dns, uri, cert, chain } = headers.setCurrentClientCertDetails ?? {}
  return {
    forwardClientCertDetails: forward,
    setCurrentClientCertDetails: {
      subject: subject ?? true,
      dns: dns ?? true,
      uri: uri ?? true,
      cert: cert ?? false,
      chain: chain ?? false,
    },
  }
}

/** How HTTP/1 and idle connections are treated. */
export function protocolSettings({ headers, http10, idleTimeout }: ProxyTraffic): ManagerInit {
  const keepsCase = headers.preserveHttp1HeaderCase === true
  return {
    ...((keepsCase || http10) && {
      httpProtocolOptions: { ...(http10 && { acceptHttp10: true }), ...(keepsCase && { headerKeyFormat: PRESERVED_CASE }) },
    }),
    ...(idleTimeout !== undefined && { commonHttpProtocolOptions: { idleTimeout: duration(idleTimeout) } }),
  }
}

/** Upper and lower case of HTTP/1 header names, kept. */
export const PRESERVED_CASE = {
  headerFormat: {
    case: 'statefulFormatter' as const,
    value: {
      name: 'preserve_case',
      typedConfig: packAny(PreserveCaseFormatterConfigSchema, { forwardReasonPhrase: false, formatterTypeOnEnvoyHeaders: 0 }),
    },
  },
}

/** The same limit for connections of bytes. */
export const idleConnection = ({ idleTimeout }: ProxyTraffic) => (idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) })
