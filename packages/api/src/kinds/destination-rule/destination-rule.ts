/** DestinationRule: subsets of a service, and how connections to it are made. */
import { ConnectionPoolSettings } from '../../messages/connection-pool.ts'
import { LocalityLoadBalancerSetting } from '../../messages/locality-lb-setting.ts'
import { PortSelector } from '../../messages/port.ts'
import { WorkloadSelector } from '../../messages/workload-selector.ts'
import {
  double,
  duration,
  flag,
  int32,
  list,
  map,
  message,
  of,
  oneOf,
  positiveDuration,
  required,
  type Static,
  text,
  uint32,
  uint64,
} from '../../schema/define.ts'
import { AGE, column, defineKind, versions } from '../kind.ts'

export const ClientTLSSettings = message('ClientTLSSettings', {
  mode: oneOf(['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'], 'Whether TLS is begun, and whether a client certificate is shown.'),
  clientCertificate: text('Path of the client certificate file; for MUTUAL without a credential name.'),
  privateKey: text('Path of the key file.'),
  caCertificates: text("Path of the file with authorities for the server's certificate."),
  credentialName: text('Secret with key, certificate and authorities.'),
  subjectAltNames: list(text(), "Names of which the server's certificate must carry one."),
  sni: text('Server name to send.'),
  insecureSkipVerify: flag("Do not check the server's certificate.", { nullable: true }),
  caCrl: text('Path of the file with revoked server certificates.'),
})
export interface ClientTLSSettings extends Static<typeof ClientTLSSettings> {}

export const HTTPCookieAttribute = message('HTTPCookieAttribute', {
  name: required(text('Name of the attribute.')),
  value: text('Its value.'),
})
export interface HTTPCookieAttribute extends Static<typeof HTTPCookieAttribute> {}

export const HTTPCookie = message('HTTPCookie', {
  name: required(text('Name of the cookie.')),
  path: text('Path of the cookie.'),
  ttl: duration('Life of a cookie that the proxy makes; 0s makes a session cookie.'),
  attributes: list(of(HTTPCookieAttribute), 'Further attributes of the cookie.'),
})
export interface HTTPCookie extends Static<typeof HTTPCookie> {}

export const RingHash = message('RingHash', { minimumRingSize: uint64('Least entries of the ring; 1024 when unset.') })
export interface RingHash extends Static<typeof RingHash> {}

export const MagLev = message('MagLev', { tableSize: uint64('Size of the table, a prime number; 65537 when unset.') })
export interface MagLev extends Static<typeof MagLev> {}

export const ConsistentHashLB = message(
  'ConsistentHashLB',
  {
    httpHeaderName: text('Hash this header.'),
    httpCookie: of(HTTPCookie, 'Hash this cookie.'),
    useSourceIp: flag('Hash the address of the client.'),
    httpQueryParameterName: text('Hash this query parameter.'),
    ringHash: of(RingHash, 'Use a hash ring.'),
    maglev: of(MagLev, 'Use a Maglev table.'),
    minimumRingSize: uint64('Older place of ringHash.minimumRingSize.'),
  },
  {
    oneOfs: [
      ['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'],
      ['ringHash', 'maglev'],
    ],
  },
)
export interface ConsistentHashLB extends Static<typeof ConsistentHashLB> {}

export const WarmupConfiguration = message('WarmupConfiguration', {
  duration: required(duration('How long a new endpoint is given less load.')),
  minimumPercent: double('Share of load at the beginning, in percent; 10 when unset.', { minimum: 0, maximum: 100, nullable: true }),
  aggression: double('How steep the share rises; 1 (a straight line) when unset.', { minimum: 0, nullable: true }),
})
export interface WarmupConfiguration extends Static<typeof WarmupConfiguration> {}

export const LoadBalancerSettings = message(
  'LoadBalancerSettings',
  {
    simple: oneOf(
      ['UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST'],
      'How an endpoint is picked; LEAST_REQUEST when unset.',
    ),
    consistentHash: of(ConsistentHashLB, 'Pick the endpoint by a hash, so that a client keeps its endpoint.'),
    localityLbSetting: of(LocalityLoadBalancerSetting, 'Spread over localities; replaces the setting of the mesh.'),
    warmupDurationSecs: duration('Older place of warmup.duration.'),
    warmup: of(WarmupConfiguration, 'Gives new endpoints less load at first; only for ROUND_ROBIN and LEAST_REQUEST.'),
  },
  { oneOfs: [['simple', 'consistentHash']] },
)
export interface LoadBalancerSettings extends Static<typeof LoadBalancerSettings> {}

export const OutlierDetection = message('OutlierDetection', {
  consecutiveErrors: int32('Older form of consecutive5xxErrors.'),
  splitExternalLocalOriginErrors: flag('Count failures to connect apart from errors that the host answers with.'),
  consecutiveLocalOriginFailures: uint32('Failures to connect in a row after which a host is ejected.', { nullable: true }),
  consecutiveGatewayErrors: uint32('502, 503 and 504 in a row after which a host is ejected.', { nullable: true }),
  consecutive5xxErrors: uint32('5xx in a row after which a host is ejected; 5 when unset, 0 turns it off.', { nullable: true }),
  interval: positiveDuration('Time between two looks at the hosts; 10s when unset.'),
  baseEjectionTime: positiveDuration('How long a host stays out, times how often it was out; 30s when unset.'),
  maxEjectionPercent: int32('Most hosts that may be out, in percent; 10 when unset.'),
  minHealthPercent: int32('Share of healthy hosts below which nothing is ejected; 0 when unset.'),
})
export interface OutlierDetection extends Static<typeof OutlierDetection> {}

export const PortTrafficPolicy = message('PortTrafficPolicy', {
  port: of(PortSelector, 'Port of the service that this is for.'),
  loadBalancer: of(LoadBalancerSettings, 'How an endpoint is picked.'),
  connectionPool: of(ConnectionPoolSettings, 'Limits on connections and requests.'),
  outlierDetection: of(OutlierDetection, 'When a failing endpoint is left out.'),
  tls: of(ClientTLSSettings, 'TLS towards the service.'),
})
export interface PortTrafficPolicy extends Static<typeof PortTrafficPolicy> {}

export const TunnelSettings = message('TunnelSettings', {
  protocol: text('CONNECT (the default) or POST.'),
  targetHost: required(text('Host that the tunnel leads to.')),
  targetPort: required(uint32('Port that the tunnel leads to.')),
})
export interface TunnelSettings extends Static<typeof TunnelSettings> {}

export const ProxyProtocol = message('ProxyProtocol', { version: oneOf(['V1', 'V2'], 'Version of the PROXY protocol.') })
export interface ProxyProtocol extends Static<typeof ProxyProtocol> {}

export const RetryBudget = message('RetryBudget', {
  percent: double('Most retries, in percent of the requests under way; 20 when unset.', { minimum: 0, maximum: 100, nullable: true }),
  minRetryConcurrency: uint32('Retries that are always allowed; 3 when unset.'),
})
export interface RetryBudget extends Static<typeof RetryBudget> {}

export const TrafficPolicy = message('TrafficPolicy', {
  loadBalancer: of(LoadBalancerSettings, 'How an endpoint is picked.'),
  connectionPool: of(ConnectionPoolSettings, 'Limits on connections and requests.'),
  outlierDetection: of(OutlierDetection, 'When a failing endpoint is left out.'),
  tls: of(ClientTLSSettings, 'TLS towards the service.'),
  portLevelSettings: list(of(PortTrafficPolicy), 'Settings of single ports; they replace the others whole.', { maxItems: 4096 }),
  tunnel: of(TunnelSettings, 'Reach the host through a tunnel (HTTP CONNECT or POST).'),
  proxyProtocol: of(ProxyProtocol, 'Tell the host the address of the client by the PROXY protocol.'),
  retryBudget: of(RetryBudget, 'Limit retries by the number of requests under way.'),
})
export interface TrafficPolicy extends Static<typeof TrafficPolicy> {}

export const Subset = message('Subset', {
  name: required(text('Name of the subset, used by routes.')),
  labels: map(text(), 'Labels of the endpoints that belong to it.'),
  trafficPolicy: of(TrafficPolicy, 'Settings of the subset; what is unset comes from the rule.'),
})
export interface Subset extends Static<typeof Subset> {}

export const DestinationRuleSpec = message('DestinationRule', {
  host: required(text('Name of the service, with a leading * as wildcard; a short name gets the own namespace.')),
  trafficPolicy: of(TrafficPolicy, 'Settings for all of the service.'),
  subsets: list(of(Subset), 'Named parts of the service, told apart by labels.'),
  exportTo: list(text(), 'Namespaces that see the object: names, "." for the own one, "*" for all (the default).'),
  workloadSelector: of(WorkloadSelector, 'Only these client workloads, in the own namespace.'),
})
export interface DestinationRuleSpec extends Static<typeof DestinationRuleSpec> {}

export const DestinationRuleKind = defineKind({
  group: 'networking.istio.io',
  kind: 'DestinationRule',
  plural: 'destinationrules',
  shortNames: ['dr'],
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  columns: [column('Host', '.spec.host', 'Name of the service.'), AGE],
  description: 'Subsets of a service, and how connections to it are made.',
  spec: DestinationRuleSpec,
})
