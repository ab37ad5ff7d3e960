/**
 * Every message about a user's object: stable code, severity, words. Arguments stand in braces.
 *
 * `istio` is the code that Istio's analysis gives to the same finding; where it is missing, errors are Istio's IST0106
 * (schema validation error) and warnings its IST0133 (schema validation warning). Codes are never used again.
 */
import type { Severity } from '@lateen/base'

export interface MessageDefinition<T extends string = string> {
  readonly code: string
  readonly severity: Severity
  readonly text: T
  readonly istio?: string
}

function error<const T extends string>(code: string, text: T, istio?: string): MessageDefinition<T> {
  return { code, severity: 'Error', text, ...(istio && { istio }) }
}

function warning<const T extends string>(code: string, text: T, istio?: string): MessageDefinition<T> {
  return { code, severity: 'Warning', text, ...(istio && { istio }) }
}

function info<const T extends string>(code: string, text: T, istio?: string): MessageDefinition<T> {
  return { code, severity: 'Info', text, ...(istio && { istio }) }
}

export const MESSAGES = {
  // Reading files
  NotYaml: error('LTN0001', 'not readable as YAML: {problem}'),
  TabIndent: error('LTN0002', 'the line is indented with a tab; YAML allows only spaces there, replace the tab'),
  OddBlank: error('LTN0003', 'the line{others} a {blank}, which looks like a space but is none; replace it by a plain space'),
  DuplicateKey: error('LTN0004', '"{key}" is given twice in the same place; keep one of them'),
  TooLarge: error('LTN0005', 'the file is larger than {limit} MiB; split it'),
  TooDeep: error('LTN0006', 'nested deeper than {limit} levels'),
  NotAnObject: error('LTN0007', 'the document is {found}; an object with apiVersion, kind and metadata is needed'),
  NoApiVersion: error('LTN0008', 'apiVersion is missing{hint}'),
  NoKind: error('LTN0009', 'kind is missing; it says what the object is, for example kind: VirtualService'),
  NoName: error('LTN0010', 'metadata.name is missing; every object needs a name'),
  UnknownKind: error('LTN0011', 'the kind {kind} does not exist in {group}{hint}'),
  UnknownGroup: error('LTN0012', 'the API group {group} is not known{hint}'),
  UnknownVersion: error('LTN0013', '{kind} has no version {version}; use {allowed}'),
  TooManyDocuments: error('LTN0014', 'the file holds more than {limit} documents; split it'),
  ShellCommand: error('LTN0016', 'the line looks like a shell command, not like YAML; remove it from the file'),
  SmartQuote: warning('LTN0015', 'the line holds a typographic quotation mark, which YAML takes as part of the text; use " or \''),

  // Shape
  UnknownField: error('LTN0101', 'unknown field{hint}'),
  UnknownTopField: error('LTN0102', 'unknown field{hint}; an object has apiVersion, kind, metadata, spec and status'),
  WrongType: error('LTN0103', 'found {found}; {wanted} is needed{hint}'),
  UnknownEnumValue: error('LTN0104', 'found "{value}"; allowed: {allowed}{hint}'),
  NotADuration: error('LTN0105', 'found "{value}"; a duration is a number with a unit, such as 250ms, 1.5s or 1h30m'),
  NotBase64: error('LTN0106', 'the text is not base64'),
  OutOfNumberRange: error('LTN0107', 'found {value}; a whole number from {least} to {most} is needed'),
  ExclusiveFields: info('LTN0108', 'a Kubernetes API server refuses this: only one of {fields} may be set; {last} counts'),
  BadMapKey: error('LTN0109', 'found the key "{key}"; a whole number is needed'),
  ServerRefuses: info('LTN0110', 'a Kubernetes API server refuses this: {reason}'),
  SnakeCase: info('LTN0111', 'a Kubernetes API server drops this field because of its spelling; write {name}'),
  TooManyProblems: info('LTN0112', 'more than {limit} problems; the rest is not shown'),

  // Metadata
  AlwaysReject: error('LTN0120', 'the annotation {annotation} asks to refuse the object; remove it'),
  DryRunNotSupported: error('LTN0121', 'the annotation {annotation} works only for an AuthorizationPolicy; remove it'),
  DryRunAction: error('LTN0122', 'the annotation {annotation} works only with action ALLOW or DENY, found {action}'),
  DryRunValue: error('LTN0123', 'the annotation {annotation} is "{value}"; true or false is needed'),
  SpellingNotSupported: warning('LTN0124', 'the annotation {annotation} has an effect on an AuthorizationPolicy alone; remove it'),
  SpellingValue: warning('LTN0125', 'the annotation {annotation} is "{value}", which counts as true; write true or false'),
  InternalAnnotation: error('LTN0126', 'the annotation {annotation} is set by the control plane alone; remove it'),

  // Names, hosts, addresses
  Required: error('LTN0201', 'must be set'),
  EmptyHost: error('LTN0202', 'the host is empty'),
  HostTooLong: error('LTN0203', 'the host has {length} characters; at most 255 are allowed'),
  BadHostLabel: error('LTN0204', 'found "{host}"; the part "{label}" is not a DNS label (letters, digits and dashes, at most 63)'),
  NumericTopDomain: error('LTN0205', 'found "{host}"; the last part of a host name must not be a number'),
  PartialWildcard: error('LTN0206', 'found "{host}"; a wildcard is the whole first part: *.example.com'),
  PartialWildcardHost: warning('LTN0207', 'found "{host}"; a wildcard should be the whole first part: *.example.com'),
  WildcardHostAlone: error('LTN0208', 'the host * is not allowed here; name the hosts'),
  ShortHost: error('LTN0209', 'found "{host}"; a full name with a dot is needed, or *'),
  NotNamespaceSlashHost: error(
    'LTN0210',
    'found "{value}"; the form is namespace/host, for example ./* or shop/cart.shop.svc.cluster.local',
  ),
  EmptyNamespaceOrHost: error('LTN0211', 'found "{value}"; namespace and host must not be empty'),
  BadNamespacePart: error('LTN0212', 'found the namespace "{namespace}"; allowed: {allowed}'),
  BadLabelName: error('LTN0213', 'found "{name}"; a name of at most 63 letters, digits and dashes is needed'),
  BadPort: error('LTN0214', 'found {port}; a port is between 1 and 65535'),
  BadPortText: error('LTN0215', 'found "{port}"; a port is a number between 0 and 65535'),
  UnknownProtocol: error('LTN0216', 'found "{protocol}"; allowed: {allowed}{hint}'),
  NotAnIp: error('LTN0217', 'found "{value}"; an IP address is needed'),
  NotACidr: error('LTN0218', 'found "{value}"; an address range such as 10.1.0.0/16 is needed'),
  NotASocket: error('LTN0219', 'found "{value}"; a unix socket is an absolute path to a file, or begins with @'),
  BadLabelKey: error(
    'LTN0220',
    'found the label key "{key}"; it has letters, digits, dashes, dots and underscores, at most 63, after an optional prefix/',
  ),
  BadLabelValue: error('LTN0221', 'found the label value "{value}"; it has letters, digits, dashes, dots and underscores'),
  SelectorWildcard: error('LTN0222', 'found "{label}"; wildcards do not work in a selector'),
  SelectorEmptyKey: error('LTN0223', 'the selector has an empty key'),
  SelectorWithoutLabels: warning(
    'LTN0224',
    'the selector has no labels, so it selects all workloads of the namespace; add labels, or leave the selector out',
  ),
  ExportToDuplicate: error('LTN0225', 'found "{value}" twice'),
  ExportToOwnTwice: error('LTN0226', 'found both "." and the own namespace {namespace}, which are the same'),
  ExportToBad: error('LTN0227', 'found "{value}"; allowed: ".", "*", or a namespace'),
  ExportToNobody: error('LTN0228', '"~" (nobody) works only for a ServiceEntry'),
  ExportToPublicAndMore: error('LTN0229', 'found "*" (everybody) beside others; keep "*" alone or drop it'),
  ExportToNobodyAndMore: error('LTN0230', 'found "~" (nobody) beside others; keep "~" alone or drop it'),
  ExportToWithSelector: error(
    'LTN0231',
    'a DestinationRule with a workloadSelector is seen only in its own namespace; leave exportTo out or set it to "."',
  ),
  HostsOverlap: error('LTN0232', '"{first}" and "{second}" overlap; keep one of them'),
  BadDuration: error('LTN0233', 'found {value}; at least 1ms is needed'),
  DurationPrecision: error('LTN0234', 'found {value}; a duration is a whole number of milliseconds'),
  BadRegex: error('LTN0235', 'the regular expression is not RE2: {problem}'),
  EmptyRegex: error('LTN0236', 'the regular expression is empty'),
  RegexTooLong: error('LTN0237', 'the regular expression has {length} characters; at most 1024 are allowed'),
  EmptyPrefix: error('LTN0238', 'the prefix is empty, which Envoy refuses; leave the match out, or write {} to ask only that it is there'),
  DuplicateName: error('LTN0239', 'the name "{name}" is used twice; names are unique here'),
  TargetPortUnused: error('LTN0240', 'targetPort has no meaning here; remove it'),
  NegativeNumber: error('LTN0241', 'found {value}; it must not be negative'),
  OneOfSelectors: error('LTN0242', 'selector, targetRef and targetRefs exclude each other; keep one'),
  TargetRefName: error('LTN0243', 'the target needs a name'),
  TargetRefNamespace: error('LTN0244', 'the target must be in the own namespace; remove namespace'),
  TargetRefKind: error(
    'LTN0245',
    'found {group}/{kind}; a policy is attached to a Service (group ""), ServiceEntry (networking.istio.io), Gateway or GatewayClass (gateway.networking.k8s.io)',
  ),
  PercentRange: error('LTN0247', 'found {value}; a share is between 0 and 100'),
  FractionRange: error('LTN0248', 'found {value}; a share is 0, or between 0.0001 and 100'),
  BadUrl: error('LTN0249', 'found "{value}"; it is not a URL ({problem})'),
  UrlScheme: error('LTN0250', 'found the scheme "{scheme}"; allowed: {allowed}'),
  BadHeaderName: error('LTN0251', 'found the header name "{name}"; it has {allowed}'),
  EmptyHeaderName: error('LTN0252', 'the header name is empty'),
  PseudoHeader: error('LTN0253', 'the header "{name}" belongs to the protocol and cannot be changed here'),
  HostHeader: error('LTN0254', 'the Host header cannot be changed here; use rewrite.authority'),
  BadHeaderValue: error('LTN0255', 'the header value "{value}" is not understood by Envoy: {problem}'),
  EmptyName: error('LTN0256', 'the name is empty'),

  // VirtualService
  DelegateWith: error('LTN0301', 'a VirtualService without hosts is used by others (delegate) and must not have {field}'),
  NoRoutes: error('LTN0302', 'http, tls or tcp must hold a route'),
  MeshWildcard: error('LTN0303', 'the host * needs a gateway: it would catch all traffic of the mesh'),
  BadGatewayName: error('LTN0304', 'found the gateway "{name}"; the form is name or namespace/name'),
  LegacyGatewayName: warning('LTN0305', 'found "{name}", an old form; write {better}'),
  ClaimNeedsGateway: error(
    'LTN0306',
    'the header "{name}" routes by a token claim, which works only at a gateway; list gateways without mesh',
  ),
  RouteConflict: error('LTN0307', '{first} and {second} exclude each other in one route; keep one'),
  RouteActionMissing: error('LTN0308', 'the route does nothing; add route, redirect or directResponse'),
  RootRouteWith: error('LTN0309', 'a route with delegate must not have {field}'),
  DelegateInDelegate: error('LTN0310', 'a delegate must not have a delegate of its own'),
  DestinationMissing: error('LTN0311', 'destination must be set'),
  ZeroWeights: error('LTN0312', 'all weights are 0, so no destination would get anything; give at least one a weight'),
  DeprecatedField: warning('LTN0313', '{field} is deprecated; use {better}'),
  AuthorityTwice: error('LTN0314', 'the host is set to "{first}" and to "{second}"; keep one'),
  RedirectEmpty: error('LTN0315', 'the redirect changes nothing; set uri, authority, scheme or port'),
  RedirectCode: error('LTN0316', 'found {code}; a redirect has a 3xx code'),
  RedirectScheme: error('LTN0317', 'found "{scheme}"; http or https is needed'),
  RewriteEmpty: error('LTN0318', 'the rewrite changes nothing; set uri, uriRegexRewrite or authority'),
  RewriteTwice: error('LTN0319', 'uri and uriRegexRewrite exclude each other; keep one'),
  RegexRewriteIncomplete: error('LTN0320', 'uriRegexRewrite needs both match and rewrite'),
  RetryNegative: error('LTN0321', 'found {value}; attempts is 0 or more'),
  RetriesOffButSet: error('LTN0322', 'attempts is 0, which turns retries off, yet {field} is set; raise attempts or remove {field}'),
  RetryPolicy: error('LTN0323', 'found "{policy}"; it is neither a retry condition of Envoy nor a status code{hint}'),
  FaultEmpty: error('LTN0324', 'the fault has neither delay nor abort; add one or remove fault'),
  HttpStatusRange: error('LTN0326', 'found {status}; a status is between 200 and 599'),
  GrpcStatus: error('LTN0327', 'found "{status}"; it is no gRPC status{hint}'),
  NotSupported: error('LTN0328', '{field} is not supported; {instead}'),
  CorsOriginEmpty: error('LTN0329', 'the origin matches nothing; set exact, prefix or regex'),
  HttpMethod: error('LTN0330', 'found "{method}"; allowed: {allowed}'),
  MaxAgePrecision: error('LTN0331', 'found {value}; maxAge is a whole number of seconds'),
  BodyTooLarge: error('LTN0332', 'the body has {size} bytes; at most 1 MiB is allowed'),
  BodyLarge: warning('LTN0333', 'the body has {size} bytes; above 100 KiB it slows the control plane down'),
  TlsMatchMissing: error('LTN0334', 'a TLS route needs a match'),
  SniMissing: error('LTN0335', 'sniHosts needs at least one host'),
  SniOutside: error('LTN0336', 'found "{host}", which is not within the hosts of the object: {hosts}'),
  SniIp: warning('LTN0337', 'found "{host}"; clients do not send an IP address as server name'),
  UnreachableRule: warning('LTN0338', 'the rule is never used: {reason}', 'IST0130'),
  IneffectiveMatch: warning('LTN0339', 'the match is never used: {reason}', 'IST0131'),
  WildcardDestination: error('LTN0340', 'found "{host}"; a destination is one service, without wildcard'),

  // DestinationRule
  PolicyEmpty: error('LTN0401', 'the policy sets nothing; fill it in or remove it'),
  TunnelAndProxyProtocol: error('LTN0402', 'tunnel and proxyProtocol exclude each other; keep one'),
  TunnelProtocol: error('LTN0403', 'found "{protocol}"; CONNECT or POST is needed'),
  TunnelHost: error('LTN0404', 'found "{host}"; a host name or an IP address is needed'),
  LocalOriginWithoutSplit: error('LTN0405', 'consecutiveLocalOriginFailures works only with splitExternalLocalOriginErrors: true'),
  PoolEmpty: error('LTN0406', 'the connection pool sets nothing; add tcp or http'),
  UpgradeAndClientProtocol: error('LTN0407', 'useClientProtocol and h2UpgradePolicy UPGRADE exclude each other; keep one'),
  CookieName: error('LTN0408', 'the cookie needs a name'),
  RingSizeTwice: error('LTN0409', 'minimumRingSize excludes ringHash and maglev; use ringHash.minimumRingSize'),
  MaglevSize: error('LTN0410', 'found {size}; the table size is a prime number below 5000011'),
  LocalityConflict: error('LTN0411', '{first} and {second} exclude each other; keep one'),
  LocalityWeight: error('LTN0412', 'found the share {weight}; a share is between 1 and 100'),
  LocalityTotal: error('LTN0413', 'the shares add up to {total}; they must add up to 100'),
  LocalityBad: error('LTN0414', 'found "{locality}"; the form is region/zone/sub-zone with * at most once, at the end'),
  LocalityOverlap: error('LTN0415', 'found "{locality}", which another entry already covers'),
  FailoverNeedsOutlier: warning('LTN0416', 'failover needs outlierDetection: without it no endpoint counts as unhealthy'),
  FailoverSame: error('LTN0417', 'found "{region}" twice; failover leads to another region'),
  FailoverRegion: error('LTN0418', 'found "{region}"; failover names a region alone, without zone and without *'),
  PortMissing: error('LTN0419', 'port must be set'),
  ClientTlsSkipVerify: error('LTN0420', 'insecureSkipVerify turns checking off, yet {field} is set; keep one'),
  ClientTlsCredential: error('LTN0421', 'credentialName already holds the certificates; remove {field}'),
  ClientTlsMissing: error('LTN0422', 'mode MUTUAL needs {field}'),
  ConfigMapCredential: error('LTN0423', 'found "{name}"; the form is configmap://name, in the own namespace'),
  WarmupAggression: error('LTN0425', 'found {value}; at least 1 is needed'),
  WarmupMissing: error('LTN0424', 'warmup needs a duration'),

  // Gateway, TLS of servers
  GatewayName: error('LTN0501', 'found the name "{name}"; the name of a Gateway has no dots, only letters, digits and dashes'),
  NoServers: error('LTN0502', 'servers must hold at least one server'),
  NoHosts: error('LTN0503', 'hosts must hold at least one host'),
  TlsMissing: error('LTN0504', 'the protocol {protocol} needs tls'),
  TlsOnPlain: error(
    'LTN0505',
    'the protocol {protocol} is not encrypted, so tls can only redirect (httpsRedirect); use HTTPS or remove tls',
  ),
  TlsOnOther: error('LTN0506', 'the protocol {protocol} has no TLS; use TLS or HTTPS, or remove tls'),
  RedirectOnNonHttp: warning('LTN0507', 'httpsRedirect works only for HTTP'),
  SocketPort: error('LTN0508', 'found {port}; with a unix socket the port number is 0'),
  OldTlsCiphers: warning('LTN0509', 'TLS below 1.2 needs cipherSuites: the default ones do not fit it'),
  UnknownCiphers: warning('LTN0510', 'unknown cipher suites are ignored: {suites}'),
  DuplicateCiphers: warning('LTN0511', 'cipher suites given twice: {suites}'),
  MutualTlsWith: error('LTN0512', 'mode {mode} takes the certificates of the mesh; remove {field}'),
  PassthroughCertificates: warning('LTN0513', 'mode {mode} uses no certificates; they are ignored'),
  TlsNeeds: error('LTN0514', 'mode {mode} needs {field}, or a credentialName'),
  CrlWithCredential: error('LTN0515', 'caCrl does not go with credentialName; put the list into the secret'),
  CrlWithSimple: error('LTN0516', 'caCrl does not go with mode SIMPLE: clients show no certificate'),
  OneCertificateSource: error(
    'LTN0517',
    'the certificates come from several places; keep one of credentialName, credentialNames, tlsCertificates, serverCertificate with privateKey',
  ),
  TooManyCertificates: warning('LTN0518', 'found {count} certificates; at most 2 are used'),

  // ServiceEntry, WorkloadEntry, WorkloadGroup
  SelectorAndEndpoints: error('LTN0601', 'workloadSelector and endpoints exclude each other; keep one'),
  CidrResolution: error('LTN0602', 'address ranges work only with resolution NONE or STATIC, found {resolution}'),
  DuplicatePort: error('LTN0603', 'port {port} is given twice'),
  TcpNeedsAddress: warning('LTN0604', 'a port of plain TCP needs addresses when no address is allotted automatically'),
  EndpointsWithNone: error('LTN0606', 'resolution NONE has no endpoints; remove them, or use STATIC or DNS'),
  SelectorWithResolution: warning('LTN0607', 'workloadSelector should not be set with resolution {resolution}'),
  DnsHosts: error('LTN0608', 'found "{host}"; without endpoints, resolution {resolution} needs a full host name without wildcard'),
  OneEndpoint: error('LTN0609', 'resolution DNS_ROUND_ROBIN takes at most one endpoint'),
  EndpointAddress: error('LTN0610', 'found "{address}"; {wanted} is needed'),
  EndpointPort: error('LTN0611', 'the port "{name}" is not among the ports of the ServiceEntry'),
  AddressMissing: error('LTN0612', 'address must be set, or network'),
  AddressEmptyWithNetwork: warning('LTN0613', 'address is not set; the workload is reached through the gateway of network {network}'),
  SocketWithPorts: error('LTN0614', 'an endpoint at a unix socket has no ports; remove them'),
  SocketOnePort: error('LTN0615', 'an endpoint at a unix socket needs exactly one port in the ServiceEntry'),
  HostsShareTcp: error(
    'LTN0616',
    'several hosts share the port {port} of plain TCP, where they cannot be told apart; make one ServiceEntry a host',
  ),
  HostsShareAddress: warning('LTN0617', 'several hosts share addresses and a TCP port, where they cannot be told apart'),
  DynamicDnsEndpoints: error('LTN0618', 'resolution DYNAMIC_DNS finds endpoints by itself; remove {field}'),
  DynamicDnsHost: error('LTN0619', 'found "{host}"; resolution DYNAMIC_DNS needs hosts with a wildcard, such as *.example.com'),
  DynamicDnsProtocol: error('LTN0620', 'found the protocol "{protocol}"; resolution DYNAMIC_DNS works with HTTP, HTTP2, GRPC and TLS'),
  DynamicDnsLocation: error('LTN0621', 'resolution DYNAMIC_DNS does not go with location MESH_INTERNAL'),
  ProbeMissing: error('LTN0622', 'the probe has no check; add httpGet, tcpSocket, exec or grpc'),
  ProbeScheme: error('LTN0623', 'found "{scheme}"; HTTP or HTTPS is needed'),
  CommandMissing: error('LTN0624', 'command must hold at least the program'),
  DynamicDnsNeedsHost: error('LTN0625', 'resolution DYNAMIC_DNS needs at least one host with a wildcard, such as *.example.com'),

  // Sidecar
  SidecarEmpty: error('LTN0701', 'the object sets nothing; add ingress, egress, outboundTrafficPolicy or inboundConnectionPool'),
  PortTwice: error('LTN0702', 'port {port} is used by several listeners'),
  DefaultEndpoint: error('LTN0703', 'found "{value}"; the form is 127.0.0.1:port, 0.0.0.0:port, [::1]:port, [::]:port or unix:///path'),
  SidecarTlsField: error('LTN0704', '{field} does not work in the tls of a sidecar; remove it'),
  SidecarTlsMode: error('LTN0705', 'mode {mode} does not work in the tls of a sidecar; use SIMPLE or MUTUAL'),
  HttpPoolOnTcp: warning('LTN0706', 'the http settings have no effect: port {port} is {protocol}'),
  CatchAllNotLast: error('LTN0707', 'a listener without port catches the rest and must be the last'),
  CatchAllTwice: error('LTN0708', 'only one listener may be without port'),
  ZeroPortNeedsSocket: error('LTN0709', 'port 0 needs a unix socket in bind'),
  SocketCapture: error('LTN0710', 'captureMode {mode} does not go with a unix socket; use DEFAULT or NONE'),
  SocketTwice: error('LTN0711', 'the unix socket "{bind}" is used by several listeners'),
  EgressHostTwice: warning('LTN0712', 'found "{host}", which another entry already covers'),
  EgressAllAndMore: warning('LTN0713', '*/* already covers everything; the other hosts have no effect'),
  EgressProxyMode: error('LTN0714', 'egressProxy works only with mode ALLOW_ANY'),
  EgressProxyPort: error('LTN0715', 'egressProxy needs a port'),

  // Security
  ProviderName: error('LTN0801', 'action CUSTOM needs provider.name, an extension provider of the mesh configuration'),
  ProviderWithoutCustom: error('LTN0802', 'provider works only with action CUSTOM, found {action}'),
  RulesMissing: error('LTN0803', 'action {action} without rules never applies; add rules, or one empty rule {} to mean every request'),
  CustomUnsupported: error('LTN0804', '{field} does not work with action CUSTOM'),
  SourceMissing: error('LTN0806', 'source must be set'),
  SourceEmpty: error('LTN0807', 'the source sets nothing; fill it in or remove from'),
  OperationMissing: error('LTN0808', 'operation must be set'),
  OperationEmpty: error('LTN0809', 'the operation sets nothing; fill it in or remove to'),
  EmptyValue: error('LTN0810', 'the value is empty'),
  PathTemplate: error(
    'LTN0811',
    'found "{path}"; {*} and {**} stand for whole path segments, other braces and wildcards do not go with them',
  ),
  KeyEmpty: error('LTN0812', 'key must be set'),
  ValuesMissing: error('LTN0813', 'key {key} needs values or notValues'),
  UnknownAttribute: error('LTN0814', 'found "{key}"; it is no attribute of a request{hint}'),
  AttributeForm: error('LTN0815', 'found "{key}"; the form is name[key], for example request.headers[x-user]'),
  AttributeReplaced: error('LTN0816', 'found "{key}"; it no longer works, use {better}'),
  DenyAllTcp: warning('LTN0817', 'a DENY rule with only HTTP attributes denies all plain TCP of the workload; add ports to the operation'),
  ServiceAccountsWith: error('LTN0818', 'service accounts exclude principals and namespaces in one source; keep one'),
  ServiceAccountForm: error('LTN0819', 'found "{value}"; the form is account or namespace/account, without wildcard'),
  PortMtlsNeedsSelector: error('LTN0820', 'portLevelMtls needs a selector with labels'),
  PortMtlsEmpty: error('LTN0821', 'portLevelMtls is empty; fill it in or remove it'),
  IssuerMissing: error('LTN0822', 'issuer or jwksUri must be set'),
  JwksBad: error('LTN0823', 'jwks is not a JSON Web Key Set: {problem}'),
  JwksPrivate: warning('LTN0824', 'key {index} holds private parts; only public keys belong here, change the key'),
  AudienceEmpty: error('LTN0825', 'the audience is empty'),
  ClaimToHeader: error('LTN0826', 'header and claim must both be set'),

  // Telemetry and extensions
  SeveralTracings: warning('LTN0901', 'found {count} entries; only one is used'),
  SeveralTracingProviders: warning('LTN0902', 'found {count} providers; only one is used'),
  OverrideNameEmpty: warning('LTN0930', 'the name of the tag is empty, so nothing is changed'),
  EnvoyV2Type: error('LTN0931', 'found the type "{type}" of the v2 API, which Envoy no longer has; use the type of the v3 API'),
  TagValueMissing: error('LTN0903', 'operation UPSERT needs a value'),
  TagValueWithRemove: error('LTN0904', 'operation REMOVE takes no value'),
  TagNameEmpty: error('LTN0905', 'the name of the tag is empty'),
  TagTextEmpty: error('LTN0906', 'the {field} of the tag is empty'),
  CelSyntax: error('LTN0907', 'the expression is not CEL: {problem}'),
  Sha256Length: error('LTN0908', 'found {length} characters; a checksum has 64 hex digits'),
  Sha256Digits: error('LTN0909', 'a checksum has only the digits 0-9 and a-f'),
  TooLong: error('LTN0910', 'found {length} characters; at most {limit} are allowed'),
  EnvNameMissing: error('LTN0911', 'the variable needs a name'),
  EnvTwice: error('LTN0912', 'the variable "{name}" is given twice'),
  EnvValueFromHost: error('LTN0913', 'value works only with valueFrom INLINE'),
  LuaSize: error('LTN0914', 'the script has {size} bytes; at most 64 KiB are allowed'),
  ExtensionMissing: error('LTN0915', 'wasm or lua must be set'),
  EnvoyFilterInUse: warning(
    'LTN0916',
    'an EnvoyFilter changes inner configuration that any upgrade may alter; use another API where one does the job',
  ),
  ApplyToMissing: error('LTN0917', 'applyTo must be set'),
  PatchMissing: error('LTN0918', 'patch must be set'),
  PatchUseless: warning('LTN0929', 'the entry has no patch and so does nothing; add one or remove the entry'),
  OperationNotSet: error('LTN0919', 'operation must be set'),
  PatchValueMissing: error('LTN0920', 'operation {operation} needs a value'),
  PatchMatchClass: error('LTN0921', 'applyTo {applyTo} goes with {wanted}, found {found}'),
  FilterMatchUseless: warning('LTN0922', 'a match by filter has no effect with applyTo {applyTo}'),
  FilterNameMissing: error('LTN0923', 'the match by filter needs a name'),
  SubFilterApplyTo: error('LTN0924', 'subFilter goes only with applyTo HTTP_FILTER'),
  SubFilterParent: error('LTN0925', 'subFilter goes only with the filter envoy.filters.network.http_connection_manager'),
  DeprecatedFilterName: warning('LTN0926', 'found the old filter name "{name}"; write {better}'),
  PatchType: error('LTN0927', 'found {found}; {wanted} is needed'),
  ProxyVersionRegex: error('LTN0928', 'the regular expression is not RE2: {problem}'),

  // Mesh configuration
  MeshValue: error('LTN1001', 'found "{value}"; {wanted} is needed'),
  MeshDeprecated: warning('LTN1002', '{field} is deprecated; {better}'),
  UnknownCurves: warning('LTN1003', 'found unknown key exchange curves: {curves}; allowed: {allowed}'),
  DuplicateCurves: warning('LTN1004', 'found key exchange curves twice: {curves}'),
} as const satisfies Record<string, MessageDefinition>

export type MessageName = keyof typeof MESSAGES

type Names<T extends string> = T extends `${string}{${infer N}}${infer R}` ? (N extends '' | '*' | '**' ? never : N) | Names<R> : never
type TextOf<K extends MessageName> = (typeof MESSAGES)[K]['text']

/** The arguments that a message asks for. */
export type ArgumentsOf<K extends MessageName> = [Names<TextOf<K>>] extends [never]
  ? []
  : [Readonly<Record<Names<TextOf<K>>, string | number>>]

const LONGEST_VALUE = 200

/** The words of a message; long values are cut. */
export function wordsOf(text: string, values: Readonly<Record<string, string | number>> | undefined): string {
  return text.replace(/\{([a-zA-Z]+)\}/g, (whole, name: string) => {
    const value = values?.[name]
    if (value === undefined) return whole
    const shown = String(value)
    return shown.length > LONGEST_VALUE ? `${shown.slice(0, LONGEST_VALUE)}…` : shown
  })
}

const byCode = new Map<string, MessageDefinition>(Object.values(MESSAGES).map((message) => [message.code, message]))

/** The code under which Istio's analysis reports the same finding. */
export function istioCode(code: string): string {
  const message = byCode.get(code)
  if (!message) return code
  return message.istio ?? (message.severity === 'Error' ? 'IST0106' : 'IST0133')
}
