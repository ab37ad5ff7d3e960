/** Extension providers that decide requests: Envoy's `ext_authz`, over gRPC or HTTP. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { EnvoyExtAuthzGrpc, EnvoyExtAuthzHttp, ExtAuthzRequestBody, ExtensionProvider } from '@lateen/api'
import { parseDuration } from '@lateen/base'
import { duration, packAny } from '@lateen/envoy'
import { ApiVersion } from '@lateen/envoy/gen/envoy/config/core/v3/config_source_pb.js'
import type { GrpcServiceSchema } from '@lateen/envoy/gen/envoy/config/core/v3/grpc_service_pb.js'
import {
  ExtAuthzSchema as HttpExtAuthzSchema,
  type HttpServiceSchema,
} from '@lateen/envoy/gen/envoy/extensions/filters/http/ext_authz/v3/ext_authz_pb.js'
import { ExtAuthzSchema as NetworkExtAuthzSchema } from '@lateen/envoy/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import type { MetadataMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { ListStringMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/string_pb.js'
import { StatusCode } from '@lateen/envoy/gen/envoy/type/v3/http_status_pb.js'
import { type HttpFilterInit, httpFilter, type NetworkFilterInit, networkFilter } from '../../builders/filter-order.ts'
import { clusterName } from '../../names.ts'
import { endingWith, exactly, startingWith } from '../authorization/matchers.ts'

type HttpInit = Partial<Exclude<MessageInitShape<typeof HttpExtAuthzSchema>, { $typeName: string }>>
type NetworkInit = Partial<Exclude<MessageInitShape<typeof NetworkExtAuthzSchema>, { $typeName: string }>>
type MarkInit = MessageInitShape<typeof MetadataMatcherSchema>
type GrpcServiceInit = MessageInitShape<typeof GrpcServiceSchema>

/** An extension provider that can be asked. */
export interface Authorizer {
  readonly http: HttpInit
  /** Absent where it is asked over HTTP, which says nothing of connections. */
  readonly bytes?: NetworkInit
}

const HTTP_EXT_AUTHZ = 'envoy.filters.http.ext_authz'
const NETWORK_EXT_AUTHZ = 'envoy.filters.network.ext_authz'

/** Istio's time for an answer where the provider names none (milliseconds). */
const DEFAULT_TIMEOUT_MS = 600_000

export function httpAuthorizer({ http }: Authorizer, marked: MarkInit): HttpFilterInit {
  return httpFilter(HTTP_EXT_AUTHZ, packAny(HttpExtAuthzSchema, { ...http, filterEnabledMetadata: marked }))
}

export function networkAuthorizer({ bytes }: Authorizer, marked: MarkInit): NetworkFilterInit | undefined {
  return bytes && networkFilter(NETWORK_EXT_AUTHZ, packAny(NetworkExtAuthzSchema, { ...bytes, filterEnabledMetadata: marked }))
}

/**
 * The authorizer that a provider describes. Undefined when it cannot be asked as it is written: its service is not known, a value
 * is out of range. What policies send to it is then refused.
 */
export function authorizerOf(provider: ExtensionProvider, hostOf: (service: string) => string | undefined): Authorizer | undefined {
  const settings = provider.envoyExtAuthzHttp ?? provider.envoyExtAuthzGrpc
  const port = settings?.port ?? 0
  const host = hostOf(settings?.service ?? '')
  const status = statusOf(settings?.statusOnError)
  if (!settings || host === undefined || !(port >= 1 && port <= 65535) || status === null) return undefined
  const body = settings.includeRequestBodyInCheck
  if (body && !(Number(body.maxRequestBytes) > 0)) return undefined
  const common: HttpInit = {
    transportApiVersion: ApiVersion.V3,
    failureModeAllow: settings.failOpen ?? false,
    clearRouteCache: settings.clearRouteCache ?? false,
    ...(status !== undefined && { statusOnError: { code: status } }),
    ...(body && { withRequestBody: requestBody(body) }),
  }
  const cluster = clusterName('outbound', port, '', host)
  if (provider.envoyExtAuthzHttp) {
    const service = httpService(provider.envoyExtAuthzHttp, host, cluster)
    const asked = headerList('allowedHeaders', headersAsked(provider.envoyExtAuthzHttp))
    return service && { http: { ...common, ...asked, services: { case: 'httpService', value: service } } }
  }
  return grpcAuthorizer(settings, grpcService(settings, host, cluster), common)
}

function grpcAuthorizer(settings: EnvoyExtAuthzGrpc, service: GrpcServiceInit, common: HttpInit): Authorizer {
  return {
    http: { ...common, services: { case: 'grpcService', value: service } },
    bytes: {
      statPrefix: 'tcp.',
      failureModeAllow: settings.failOpen ?? false,
      transportApiVersion: ApiVersion.V3,
      grpcService: service,
    },
  }
}

function grpcService(settings: EnvoyExtAuthzGrpc, authority: string, clusterName: string): GrpcServiceInit {
  return { targetSpecifier: { case: 'envoyGrpc', value: { clusterName, authority } }, timeout: timeoutOf(settings) }
}

function httpService(settings: EnvoyExtAuthzHttp, host: string, cluster: string): MessageInitShape<typeof HttpServiceSchema> | undefined {
  const { pathPrefix = '', includeAdditionalHeadersInCheck = {} } = settings
  const lists = [
    settings.includeRequestHeadersInCheck,
    settings.includeHeadersInCheck,
    settings.headersToUpstreamOnAllow,
    settings.headersToDownstreamOnDeny,
    settings.headersToDownstreamOnAllow,
  ]
  // A lone star would pass every header on, which nobody is taken to mean.
  if ((pathPrefix !== '' && !pathPrefix.startsWith('/')) || lists.some((list) => list?.includes('*'))) return undefined
  const added = Object.entries(includeAdditionalHeadersInCheck).sort(([a], [b]) => (a < b ? -1 : 1))
  const response = {
    ...headerList('allowedUpstreamHeaders', settings.headersToUpstreamOnAllow),
    ...headerList('allowedClientHeaders', settings.headersToDownstreamOnDeny),
    ...headerList('allowedClientHeadersOnSuccess', settings.headersToDownstreamOnAllow),
  }
  return {
    pathPrefix,
    serverUri: { uri: `http://${host}`, timeout: timeoutOf(settings), httpUpstreamType: { case: 'cluster', value: cluster } },
    ...(added.length > 0 && { authorizationRequest: { headersToAdd: added.map(([key, value]) => ({ key, value })) } }),
    ...(Object.keys(response).length > 0 && { authorizationResponse: response }),
  }
}

/** Of the two names of the field the newer counts, where it names any. */
const headersAsked = ({ includeRequestHeadersInCheck: asked, includeHeadersInCheck: older }: EnvoyExtAuthzHttp) =>
  asked?.length ? asked : older

const timeoutOf = ({ timeout }: { readonly timeout?: string }) => duration(parseDuration(timeout ?? '') ?? DEFAULT_TIMEOUT_MS)

const requestBody = ({ maxRequestBytes = 0, allowPartialMessage = false, packAsBytes = false }: ExtAuthzRequestBody) => ({
  maxRequestBytes,
  allowPartialMessage,
  packAsBytes,
})

/** The status that a text names: undefined for none, null for one that Envoy does not know. */
function statusOf(text: string | undefined): StatusCode | undefined | null {
  if (!text) return undefined
  const code = /^\d{3}$/.test(text) ? Number(text) : 0
  return code !== 0 && code in StatusCode ? code : null
}

function headerList<K extends string>(
  field: K,
  names: readonly string[] | undefined,
): { [P in K]?: MessageInitShape<typeof ListStringMatcherSchema> } {
  if (!names?.length) return {}
  const patterns = names.map((name) => ({ ...headerName(name), ignoreCase: true }))
  return { [field]: { patterns } } as { [P in K]?: MessageInitShape<typeof ListStringMatcherSchema> }
}

function headerName(name: string) {
  if (name.startsWith('*')) return endingWith(name.slice(1))
  return name.endsWith('*') ? startingWith(name.slice(0, -1)) : exactly(name)
}
