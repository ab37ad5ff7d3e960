/** Extension providers of the mesh: services that telemetry and authorization name. */
import { duration, flag, free, int32, list, map, message, of, oneOf, type Static, text, uint32, uint64 } from '../schema/define.ts'

export const TRACE_CONTEXTS = ['UNSPECIFIED', 'W3C_TRACE_CONTEXT', 'GRPC_BIN', 'CLOUD_TRACE_CONTEXT', 'B3'] as const

const service = () => text('Host of the service, as host or namespace/host.')
const port = () => uint32('Port of the service.')
const maxTagLength = () => uint32('Longest path in a tag; 256 when unset.')

export const ExtAuthzRequestBody = message('EnvoyExternalAuthorizationRequestBody', {
  maxRequestBytes: uint32('Most bytes of the body that are sent.'),
  allowPartialMessage: flag('Send the beginning of a longer body instead of refusing.'),
  packAsBytes: flag('Send the body as bytes instead of UTF-8 text.'),
})
export interface ExtAuthzRequestBody extends Static<typeof ExtAuthzRequestBody> {}

export const EnvoyExtAuthzHttp = message('EnvoyExternalAuthorizationHttpProvider', {
  service: service(),
  port: port(),
  timeout: duration('How long the answer may take.'),
  pathPrefix: text('Put before the path of the request.'),
  failOpen: flag('Allow when the service cannot be reached.'),
  statusOnError: text('Status when the service cannot be reached; 403 when unset.'),
  includeHeadersInCheck: list(text(), 'Older form of includeRequestHeadersInCheck.'),
  includeRequestHeadersInCheck: list(text(), 'Headers of the request that are sent, with * at either end.'),
  includeAdditionalHeadersInCheck: map(text(), 'Headers that are added.'),
  includeRequestBodyInCheck: of(ExtAuthzRequestBody, 'Send the body as well.'),
  headersToUpstreamOnAllow: list(text(), 'Headers of the answer that are passed to the workload.'),
  headersToDownstreamOnDeny: list(text(), 'Headers of the answer that are passed to the client when denied.'),
  headersToDownstreamOnAllow: list(text(), 'Headers of the answer that are passed to the client when allowed.'),
  clearRouteCache: flag('Choose the route anew after changes of headers.'),
})
export interface EnvoyExtAuthzHttp extends Static<typeof EnvoyExtAuthzHttp> {}

export const EnvoyExtAuthzGrpc = message('EnvoyExternalAuthorizationGrpcProvider', {
  service: service(),
  port: port(),
  timeout: duration('How long the answer may take.'),
  failOpen: flag('Allow when the service cannot be reached.'),
  statusOnError: text('Status when the service cannot be reached; 403 when unset.'),
  includeRequestBodyInCheck: of(ExtAuthzRequestBody, 'Send the body as well.'),
  clearRouteCache: flag('Choose the route anew after changes of headers.'),
})
export interface EnvoyExtAuthzGrpc extends Static<typeof EnvoyExtAuthzGrpc> {}

const ProviderHeader = message(
  'HttpHeader',
  { name: text('Name of the header.'), value: text('Its value.'), envName: text('Environment variable that holds the value.') },
  { oneOfs: [['value', 'envName']] },
)
const HttpService = message('HttpService', {
  path: text('Path to send to.'),
  timeout: duration('How long it may take.'),
  headers: list(of(ProviderHeader), 'Headers to add.'),
})
const GrpcService = message('GrpcService', {
  timeout: duration('How long it may take.'),
  initialMetadata: list(of(ProviderHeader), 'Metadata to send.'),
})

export const ZipkinProvider = message('ZipkinTracingProvider', {
  service: service(),
  port: port(),
  maxTagLength: maxTagLength(),
  enable64bitTraceId: flag('Trace ids of 64 bits instead of 128.'),
  path: text('Path to send to.'),
  traceContextOption: oneOf(['USE_B3', 'USE_B3_WITH_W3C_PROPAGATION'], 'Forms of trace context.'),
  timeout: duration('How long it may take.'),
  headers: list(of(ProviderHeader), 'Headers to add.'),
})
export interface ZipkinProvider extends Static<typeof ZipkinProvider> {}

const Nothing = message('Empty', {})
const ResourceDetectors = message('ResourceDetectors', {
  environment: of(Nothing, 'Take attributes from OTEL_RESOURCE_ATTRIBUTES.'),
  dynatrace: of(Nothing, "Take attributes from Dynatrace's files."),
})
const DynatraceApi = message('DynatraceApi', { service: service(), port: port(), http: of(HttpService, 'How it is asked.') })
const DynatraceSampler = message('DynatraceSampler', {
  tenant: text('Tenant id.'),
  clusterId: int32('Cluster id.'),
  rootSpansPerMinute: uint32('Traces a minute when the API cannot be reached.'),
  httpService: of(DynatraceApi, 'The API.'),
})

export const OpenTelemetryProvider = message('OpenTelemetryTracingProvider', {
  service: service(),
  port: port(),
  maxTagLength: maxTagLength(),
  http: of(HttpService, 'Send by HTTP instead of gRPC.'),
  grpc: of(GrpcService, 'Settings of gRPC.'),
  resourceDetectors: of(ResourceDetectors, 'Where attributes of the resource come from.'),
  dynatraceSampler: of(DynatraceSampler, "Dynatrace's sampling."),
  serviceAttributeEnrichment: oneOf(['ISTIO_CANONICAL', 'OTEL_SEMANTIC_CONVENTIONS'], 'How the service is named.'),
})
export interface OpenTelemetryProvider extends Static<typeof OpenTelemetryProvider> {}

const Datadog = message('DatadogTracingProvider', { service: service(), port: port(), maxTagLength: maxTagLength() })
const Lightstep = message('LightstepTracingProvider', {
  service: service(),
  port: port(),
  accessToken: text('Access token.'),
  maxTagLength: maxTagLength(),
})
const SkyWalking = message('SkyWalkingTracingProvider', { service: service(), port: port(), accessToken: text('Access token.') })
const OpenCensus = message('OpenCensusAgentTracingProvider', {
  service: service(),
  port: port(),
  context: list(oneOf(TRACE_CONTEXTS), 'Forms of trace context.'),
  maxTagLength: maxTagLength(),
})
const StackdriverLogging = message('StackdriverLogging', { labels: map(text(), 'Labels of log entries, by name.') })
const Stackdriver = message('StackdriverProvider', {
  debug: flag('Write traces to standard output.'),
  maxNumberOfAttributes: uint64('Most attributes of a span.', { nullable: true }),
  maxNumberOfAnnotations: uint64('Most annotations of a span.', { nullable: true }),
  maxNumberOfMessageEvents: uint64('Most message events of a span.', { nullable: true }),
  maxTagLength: maxTagLength(),
  logging: of(StackdriverLogging, 'Settings of logs.'),
})
const Prometheus = message('PrometheusMetricsProvider', {})
const Sds = message('SDSProvider', { name: text('Name of the provider.'), service: service(), port: port() })

const FileLogFormat = message(
  'EnvoyFileAccessLogFormat',
  { text: text('A line, with commands of Envoy.'), labels: free('An object whose texts hold commands of Envoy.') },
  { oneOfs: [['text', 'labels']] },
)
export const EnvoyFileAccessLog = message('EnvoyFileAccessLogProvider', {
  path: text('Where lines are written, e.g. /dev/stdout.'),
  logFormat: of(FileLogFormat, "Form of the lines; Istio's when unset."),
  omitEmptyValues: flag('Leave empty values out.'),
})
export interface EnvoyFileAccessLog extends Static<typeof EnvoyFileAccessLog> {}

const HttpGrpcLog = message('EnvoyHttpGrpcV3LogProvider', {
  service: service(),
  port: port(),
  logName: text('Name of the log.'),
  filterStateObjectsToLog: list(text(), 'Filter state to send.'),
  additionalRequestHeadersToLog: list(text(), 'Request headers to send.'),
  additionalResponseHeadersToLog: list(text(), 'Response headers to send.'),
  additionalResponseTrailersToLog: list(text(), 'Response trailers to send.'),
})
const TcpGrpcLog = message('EnvoyTcpGrpcV3LogProvider', {
  service: service(),
  port: port(),
  logName: text('Name of the log.'),
  filterStateObjectsToLog: list(text(), 'Filter state to send.'),
})
const OtelLogFormat = message('EnvoyOpenTelemetryLogFormat', { text: text('Body of a record.'), labels: free('Attributes of a record.') })
const OtelLog = message('EnvoyOpenTelemetryLogProvider', {
  service: service(),
  port: port(),
  logName: text('Name of the log.'),
  logFormat: of(OtelLogFormat, 'Form of the records.'),
})

const PROVIDERS = {
  envoyExtAuthzHttp: of(EnvoyExtAuthzHttp, 'Authorization by HTTP.'),
  envoyExtAuthzGrpc: of(EnvoyExtAuthzGrpc, 'Authorization by gRPC.'),
  zipkin: of(ZipkinProvider, 'Traces to Zipkin.'),
  lightstep: of(Lightstep, 'Traces to Lightstep.'),
  datadog: of(Datadog, 'Traces to Datadog.'),
  stackdriver: of(Stackdriver, 'Traces, metrics and logs to Stackdriver.'),
  opencensus: of(OpenCensus, 'Traces to an OpenCensus agent.'),
  skywalking: of(SkyWalking, 'Traces to SkyWalking.'),
  opentelemetry: of(OpenTelemetryProvider, 'Traces to OpenTelemetry.'),
  prometheus: of(Prometheus, 'Metrics for Prometheus.'),
  envoyFileAccessLog: of(EnvoyFileAccessLog, 'Access logs to a file.'),
  envoyHttpAls: of(HttpGrpcLog, 'Access logs of HTTP by gRPC.'),
  envoyTcpAls: of(TcpGrpcLog, 'Access logs of TCP by gRPC.'),
  envoyOtelAls: of(OtelLog, 'Access logs to OpenTelemetry.'),
  sds: of(Sds, 'Secrets from a service.'),
} as const

export const ExtensionProvider = message(
  'ExtensionProvider',
  { name: text('Name by which the provider is used.'), ...PROVIDERS },
  { oneOfs: [Object.keys(PROVIDERS)] },
)
export interface ExtensionProvider extends Static<typeof ExtensionProvider> {}
