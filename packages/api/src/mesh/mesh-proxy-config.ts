/** The mesh's ProxyConfig: settings of proxies (`defaultConfig` of MeshConfig, annotation `proxy.istio.io/config`). */
import { ClientTLSSettings } from '../kinds/destination-rule/destination-rule.ts'
import { ProxyImage } from '../kinds/proxy-config/proxy-config.ts'
import { ReadinessProbe } from '../kinds/workload-group/workload-group.ts'
import { TcpKeepalive } from '../messages/connection-pool.ts'
import { double, duration, flag, int32, list, map, message, of, oneOf, type Static, text, uint32 } from '../schema/define.ts'
import { TRACE_CONTEXTS } from './extension-provider.ts'

const wrapped = (description: string) => flag(description, { nullable: true })

const TracingLightstep = message('TracingLightstep', { address: text('host:port of the collector.'), accessToken: text('Access token.') })
const TracingAddress = message('TracingAddress', { address: text('host:port of the collector.') })
const TracingStackdriver = message('TracingStackdriver', {
  debug: flag('Write traces to standard output.'),
  maxNumberOfAttributes: int32('Most attributes of a span.', { nullable: true }),
  maxNumberOfAnnotations: int32('Most annotations of a span.', { nullable: true }),
  maxNumberOfMessageEvents: int32('Most message events of a span.', { nullable: true }),
})
const TracingOpenCensus = message('TracingOpenCensusAgent', {
  address: text('gRPC address of the agent.'),
  context: list(oneOf(TRACE_CONTEXTS), 'Forms of trace context.'),
})
const CustomTagSource = message('CustomTagSource', {
  name: text('Name of the header or variable.'),
  defaultValue: text('Value when it is missing.'),
})
const CustomTagLiteral = message('CustomTagLiteral', { value: text('The value.') })
const CustomTag = message(
  'CustomTag',
  {
    literal: of(CustomTagLiteral, 'A fixed value.'),
    environment: of(CustomTagSource, 'An environment variable.'),
    header: of(CustomTagSource, 'A request header.'),
  },
  { oneOfs: [['literal', 'environment', 'header']] },
)

export const MeshTracing = message(
  'MeshTracing',
  {
    zipkin: of(TracingAddress, 'Send to Zipkin.'),
    lightstep: of(TracingLightstep, 'Send to Lightstep.'),
    datadog: of(TracingAddress, 'Send to Datadog.'),
    stackdriver: of(TracingStackdriver, 'Send to Stackdriver.'),
    openCensusAgent: of(TracingOpenCensus, 'Send to an OpenCensus agent.'),
    customTags: map(of(CustomTag), 'Further tags of spans, by name.'),
    maxPathTagLength: uint32('Longest path in a tag.'),
    sampling: double('Share of requests that are traced, in percent.'),
    tlsSettings: of(ClientTLSSettings, 'TLS towards the collector.'),
    enableIstioTags: wrapped("Whether Istio's own tags are put on spans."),
  },
  { oneOfs: [['zipkin', 'lightstep', 'datadog', 'stackdriver', 'openCensusAgent']] },
)
export interface MeshTracing extends Static<typeof MeshTracing> {}

const RemoteService = message('RemoteService', {
  address: text('host:port.'),
  tlsSettings: of(ClientTLSSettings, 'TLS towards it.'),
  tcpKeepalive: of(TcpKeepalive, 'Keep-alive probes.'),
})

const FORWARD_CLIENT_CERT = ['UNDEFINED', 'SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY'] as const

const ProxyProtocolConfiguration = message('ProxyProtocolConfiguration', {})
export const Topology = message('Topology', {
  numTrustedProxies: uint32('Proxies in front of the gateway whose X-Forwarded-For is believed.'),
  forwardClientCertDetails: oneOf(FORWARD_CLIENT_CERT, 'What happens to the header X-Forwarded-Client-Cert.'),
  proxyProtocol: of(ProxyProtocolConfiguration, 'Take the PROXY protocol.'),
})
export interface Topology extends Static<typeof Topology> {}

const PrivateKeyMethod = message('PrivateKeyMethod', {
  pollDelay: duration('Time between polls of the queue.'),
  fallback: wrapped('Go on without when it is missing.'),
})
const PrivateKeyProvider = message(
  'PrivateKeyProvider',
  { cryptomb: of(PrivateKeyMethod, 'CryptoMb.'), qat: of(PrivateKeyMethod, 'QAT.') },
  { oneOfs: [['cryptomb', 'qat']] },
)

const Disabling = message('DisablingHeader', { disabled: wrapped('Leave the header out.') })
const Enabling = message('EnablingHeader', { enabled: wrapped('Set the header.') })
const ServerHeader = message('ServerHeader', { disabled: wrapped("Pass the server's own header on."), value: text('Value of the header.') })
const MetadataExchangeHeaders = message('MetadataExchangeHeaders', { mode: oneOf(['UNDEFINED', 'IN_MESH'], 'Where the headers are set.') })
const ClientCertDetails = message('SetCurrentClientCertDetails', {
  subject: wrapped('Pass the subject on.'),
  cert: wrapped('Pass the certificate on.'),
  chain: wrapped('Pass the whole chain on.'),
  dns: wrapped('Pass the DNS names on.'),
  uri: wrapped('Pass the URIs on.'),
})

export const ProxyHeaders = message('ProxyHeaders', {
  forwardedClientCert: oneOf(FORWARD_CLIENT_CERT, 'What happens to X-Forwarded-Client-Cert.'),
  setCurrentClientCertDetails: of(ClientCertDetails, 'Which details of the client certificate are put into it.'),
  requestId: of(Disabling, 'X-Request-Id.'),
  server: of(ServerHeader, 'Server.'),
  attemptCount: of(Disabling, 'X-Envoy-Attempt-Count.'),
  envoyDebugHeaders: of(Disabling, 'Headers with which Envoy tells about itself.'),
  metadataExchangeHeaders: of(MetadataExchangeHeaders, 'Headers with which proxies tell each other their workloads.'),
  preserveHttp1HeaderCase: wrapped('Keep upper and lower case of header names.'),
  xForwardedHost: of(Enabling, 'X-Forwarded-Host.'),
  xForwardedPort: of(Enabling, 'X-Forwarded-Port.'),
})
export interface ProxyHeaders extends Static<typeof ProxyHeaders> {}

const ProxyStatsMatcher = message('ProxyStatsMatcher', {
  inclusionPrefixes: list(text(), 'Statistics by the beginning of their names.'),
  inclusionSuffixes: list(text(), 'Statistics by the end of their names.'),
  inclusionRegexps: list(text(), 'Statistics by RE2 expressions for their names.'),
})

const SdsSettings = message('SDS', { enabled: flag('Not used any more.'), k8sSaJwtPath: text('Not used any more.') })

export const MeshProxyConfig = message(
  'MeshProxyConfig',
  {
    configPath: text('Folder for generated files.'),
    binaryPath: text('Path of Envoy.'),
    serviceCluster: text("Name that the proxy gives itself to Envoy's peers."),
    tracingServiceName: oneOf(['APP_LABEL_AND_NAMESPACE', 'CANONICAL_NAME_ONLY', 'CANONICAL_NAME_AND_NAMESPACE'], 'How that name is made.'),
    drainDuration: duration('How long connections may take to end when Envoy restarts.'),
    terminationDrainDuration: duration('How long connections may take to end when the pod stops.'),
    discoveryAddress: text('host:port of the control plane.'),
    discoveryRefreshDelay: duration('Not used any more.'),
    zipkinAddress: text('Not used any more; use tracing.'),
    statsdUdpAddress: text('host:port of statsd.'),
    proxyAdminPort: int32("Port of Envoy's admin page."),
    availabilityZone: text('Not used any more.'),
    controlPlaneAuthPolicy: oneOf(['NONE', 'MUTUAL_TLS', 'INHERIT'], 'How the control plane is reached.', [0, 1, 1000]),
    customConfigFile: text('Bootstrap file to use instead of a generated one.'),
    statNameLength: int32('Longest name of a cluster in statistics.'),
    concurrency: int32('Worker threads; 0 means one for each core.', { nullable: true }),
    proxyBootstrapTemplatePath: text('Template of the bootstrap file.'),
    interceptionMode: oneOf(['REDIRECT', 'TPROXY', 'NONE'], 'How connections are captured.'),
    tracing: of(MeshTracing, 'Traces.'),
    sds: of(SdsSettings, 'Not used any more.'),
    envoyAccessLogService: of(RemoteService, 'Where access logs are sent by gRPC.'),
    envoyMetricsService: of(RemoteService, 'Where metrics are sent by gRPC.'),
    envoyMetricsServiceAddress: text('Older form of envoyMetricsService.'),
    proxyMetadata: map(text(), "Environment variables of the proxy; ISTIO_META_… become the node's metadata."),
    runtimeValues: map(text(), "Envoy's runtime values."),
    statusPort: int32('Port of the agent for probes and metrics.'),
    extraStatTags: list(text(), 'Further tags of statistics.'),
    gatewayTopology: of(Topology, 'What stands in front of a gateway.'),
    meshId: text('Name of the mesh, for telemetry.'),
    readinessProbe: of(ReadinessProbe, 'Readiness of a workload on a virtual machine.'),
    proxyStatsMatcher: of(ProxyStatsMatcher, 'Further statistics that Envoy keeps.'),
    holdApplicationUntilProxyStarts: wrapped('The application starts when the proxy is ready.'),
    caCertificatesPem: list(text(), 'Further authorities, as PEM.'),
    image: of(ProxyImage, 'Image of the proxy.'),
    privateKeyProvider: of(PrivateKeyProvider, 'Hardware for private keys.'),
    proxyHeaders: of(ProxyHeaders, 'Headers that proxies add.'),
    fileFlushInterval: duration('Time between two writes of access logs.'),
    fileFlushMinSizeKb: uint32('KiB of access logs that are gathered before a write.'),
    statsCompression: wrapped('Compress the metrics page.'),
  },
  { oneOfs: [['serviceCluster', 'tracingServiceName']] },
)
export interface MeshProxyConfig extends Static<typeof MeshProxyConfig> {}
