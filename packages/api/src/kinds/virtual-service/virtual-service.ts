/** VirtualService: how requests for hosts are matched, changed and routed. */
import { Destination } from '../../messages/destination.ts'
import { StringMatch } from '../../messages/string-match.ts'
import {
  alias,
  bytes,
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
} from '../../schema/define.ts'
import { AGE, column, defineKind, versions } from '../kind.ts'

export const Percent = message('Percent', { value: double('Share in percent, 0 to 100.') })
export interface Percent extends Static<typeof Percent> {}

export const HeaderOperations = message('HeaderOperations', {
  set: map(text(), 'Headers that replace what was there.'),
  add: map(text(), 'Headers that are appended.'),
  remove: list(text(), 'Headers that are taken away.'),
})
export interface HeaderOperations extends Static<typeof HeaderOperations> {}

export const Headers = message('Headers', {
  request: of(HeaderOperations, 'Changes before the request goes to the destination.'),
  response: of(HeaderOperations, 'Changes before the response goes to the client.'),
})
export interface Headers extends Static<typeof Headers> {}

export const HTTPMatchRequest = message('HTTPMatchRequest', {
  name: text('Names the match; appears in access logs behind the name of the route.'),
  uri: of(StringMatch, 'Path of the request, without the query.'),
  scheme: of(StringMatch, 'http or https.'),
  method: of(StringMatch, 'HTTP method.'),
  authority: of(StringMatch, 'Value of Host or :authority.'),
  headers: map(of(StringMatch), 'Headers by lower-case name; an empty match asks only that the header is there.'),
  port: uint32('Port that the request was sent to.'),
  sourceLabels: map(text(), 'Labels that the calling workload must carry.'),
  gateways: list(text(), "Gateways to which the match applies, instead of the object's own."),
  queryParams: map(of(StringMatch), 'Query parameters by name.'),
  ignoreUriCase: flag('Compare exact and prefix paths without regard to case.'),
  withoutHeaders: map(of(StringMatch), 'Headers that must not match.'),
  sourceNamespace: text('Namespace of the calling workload.'),
  statPrefix: text('Begins the names of the statistics of this route.'),
})
export interface HTTPMatchRequest extends Static<typeof HTTPMatchRequest> {}

export const HTTPRouteDestination = message('HTTPRouteDestination', {
  destination: required(of(Destination, 'Where to.')),
  weight: int32('Share of the requests, in proportion to the other weights.'),
  headers: of(Headers, 'Header changes for this destination only.'),
})
export interface HTTPRouteDestination extends Static<typeof HTTPRouteDestination> {}

export const HTTPRedirect = message(
  'HTTPRedirect',
  {
    uri: text('New path; with %PREFIX()% the matched prefix is replaced.'),
    authority: text('New host.'),
    port: uint32('New port.'),
    derivePort: oneOf(['FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT'], 'Where the new port comes from.'),
    scheme: text('New scheme, http or https.'),
    redirectCode: uint32('Status code, 301 when unset.'),
  },
  { oneOfs: [['port', 'derivePort']] },
)
export interface HTTPRedirect extends Static<typeof HTTPRedirect> {}

export const HTTPBody = message(
  'HTTPBody',
  { string: text('Body as text.'), bytes: bytes('Body as base64.') },
  { oneOfs: [['string', 'bytes']] },
)
export interface HTTPBody extends Static<typeof HTTPBody> {}

export const HTTPDirectResponse = message('HTTPDirectResponse', {
  status: required(uint32('Status code of the answer.')),
  body: of(HTTPBody, 'Body of the answer; empty when unset.'),
})
export interface HTTPDirectResponse extends Static<typeof HTTPDirectResponse> {}

export const Delegate = message('Delegate', {
  name: text('Name of the VirtualService that holds the routes.'),
  namespace: text('Its namespace; the same one when unset.'),
})
export interface Delegate extends Static<typeof Delegate> {}

export const RegexRewrite = message('RegexRewrite', {
  match: text('RE2 expression for the part of the path to replace.'),
  rewrite: text('Replacement; \\1 to \\9 stand for groups.'),
})
export interface RegexRewrite extends Static<typeof RegexRewrite> {}

export const HTTPRewrite = message('HTTPRewrite', {
  uri: text('Replaces the path, or the matched prefix of it.'),
  authority: text('Replaces the host.'),
  uriRegexRewrite: of(RegexRewrite, 'Replaces what an expression matches; excludes uri.'),
})
export interface HTTPRewrite extends Static<typeof HTTPRewrite> {}

export const HTTPRetry = message('HTTPRetry', {
  attempts: int32('How often a failed request is tried again; 0 turns retries off.'),
  perTryTimeout: positiveDuration('How long one attempt may take.'),
  retryOn: text('Conditions, separated by commas, under which to retry; also plain status codes.'),
  retryRemoteLocalities: flag('Whether retries may go to other localities.', { nullable: true }),
  retryIgnorePreviousHosts: flag('Whether retries avoid hosts already tried.', { nullable: true }),
  backoff: positiveDuration('Least wait before a retry; 25ms when unset.'),
})
export interface HTTPRetry extends Static<typeof HTTPRetry> {}

export const HTTPFaultDelay = message(
  'HTTPFaultDelay',
  {
    percent: int32('Share in whole percent; use percentage.'),
    fixedDelay: positiveDuration('How long requests are held up; at least 1ms.'),
    exponentialDelay: duration('Not supported.'),
    percentage: of(Percent, 'Share of requests that are held up; none when unset.'),
  },
  { oneOfs: [['fixedDelay', 'exponentialDelay']] },
)
export interface HTTPFaultDelay extends Static<typeof HTTPFaultDelay> {}

export const HTTPFaultAbort = message(
  'HTTPFaultAbort',
  {
    httpStatus: int32('Status code to answer with.'),
    grpcStatus: text('gRPC status name to answer with, e.g. UNAVAILABLE.'),
    http2Error: text('Not supported.'),
    percentage: of(Percent, 'Share of requests that are answered so; all when unset.'),
  },
  { oneOfs: [['httpStatus', 'grpcStatus', 'http2Error']] },
)
export interface HTTPFaultAbort extends Static<typeof HTTPFaultAbort> {}

export const HTTPFaultInjection = message('HTTPFaultInjection', {
  delay: of(HTTPFaultDelay, 'Holds requests up.'),
  abort: of(HTTPFaultAbort, 'Answers requests with an error, without asking the destination.'),
})
export interface HTTPFaultInjection extends Static<typeof HTTPFaultInjection> {}

export const HTTPMirrorPolicy = message('HTTPMirrorPolicy', {
  destination: required(of(Destination, 'Where copies go.')),
  percentage: of(Percent, 'Share of requests that are copied; all when unset.'),
})
export interface HTTPMirrorPolicy extends Static<typeof HTTPMirrorPolicy> {}

export const CorsPolicy = message('CorsPolicy', {
  allowOrigin: list(text(), 'Older form of allowOrigins: exact origins.'),
  allowOrigins: list(of(StringMatch), 'Origins that may call.'),
  allowMethods: list(text(), 'Methods for Access-Control-Allow-Methods.'),
  allowHeaders: list(text(), 'Headers for Access-Control-Allow-Headers.'),
  exposeHeaders: list(text(), 'Headers that a page may read.'),
  maxAge: positiveDuration('How long a preflight answer may be kept.'),
  allowCredentials: flag('Whether credentials may be sent.', { nullable: true }),
  unmatchedPreflights: oneOf(
    ['UNSPECIFIED', 'FORWARD', 'IGNORE'],
    'What to do with a preflight of an origin that is not allowed; FORWARD when unset.',
  ),
})
export interface CorsPolicy extends Static<typeof CorsPolicy> {}

export const HTTPRoute = message('HTTPRoute', {
  name: text('Names the route; appears in access logs.'),
  match: list(of(HTTPMatchRequest), 'Conditions of which one must hold; an empty list matches everything.'),
  route: list(of(HTTPRouteDestination), 'Destinations and their shares.'),
  redirect: of(HTTPRedirect, 'Answer with a redirect; excludes route and directResponse.'),
  directResponse: of(HTTPDirectResponse, 'Answer at once with a fixed response; excludes route and redirect.'),
  delegate: of(Delegate, 'Another VirtualService whose routes are put here; excludes route and redirect.'),
  rewrite: of(HTTPRewrite, 'Changes of path and host before forwarding; excludes redirect.'),
  timeout: positiveDuration('How long a request may take in all; no limit when unset.'),
  retries: of(HTTPRetry, 'When to try again.'),
  fault: of(HTTPFaultInjection, 'Faults on purpose, for testing clients.'),
  mirror: of(Destination, 'A copy of the requests goes here as well; its answers are dropped.'),
  mirrors: list(of(HTTPMirrorPolicy), 'Several places for copies; excludes mirror.'),
  mirrorPercent: alias(
    uint32('Share of requests that are copied, in whole percent; use mirrorPercentage.', { nullable: true }),
    'mirror_percent',
  ),
  mirrorPercentage: of(Percent, 'Share of requests that are copied; all when unset.'),
  corsPolicy: of(CorsPolicy, 'Which web pages of other origins may call.'),
  headers: of(Headers, 'Header changes for all destinations of the route.'),
})
export interface HTTPRoute extends Static<typeof HTTPRoute> {}

export const RouteDestination = message('RouteDestination', {
  destination: required(of(Destination, 'Where to.')),
  weight: int32('Share of the connections, in proportion to the other weights.'),
})
export interface RouteDestination extends Static<typeof RouteDestination> {}

export const TLSMatchAttributes = message('TLSMatchAttributes', {
  sniHosts: required(list(text(), 'Server names of the TLS hello; within the hosts of the VirtualService.')),
  destinationSubnets: list(text(), 'Destination addresses, as IP or CIDR.'),
  port: uint32('Port that the connection was made to.'),
  sourceLabels: map(text(), 'Labels that the calling workload must carry.'),
  gateways: list(text(), "Gateways to which the match applies, instead of the object's own."),
  sourceNamespace: text('Namespace of the calling workload.'),
})
export interface TLSMatchAttributes extends Static<typeof TLSMatchAttributes> {}

export const TLSRoute = message('TLSRoute', {
  match: required(list(of(TLSMatchAttributes), 'Conditions of which one must hold.')),
  route: list(of(RouteDestination), 'Destinations and their shares.'),
})
export interface TLSRoute extends Static<typeof TLSRoute> {}

export const L4MatchAttributes = message('L4MatchAttributes', {
  destinationSubnets: list(text(), 'Destination addresses, as IP or CIDR.'),
  port: uint32('Port that the connection was made to.'),
  sourceSubnet: text('Not supported.'),
  sourceLabels: map(text(), 'Labels that the calling workload must carry.'),
  gateways: list(text(), "Gateways to which the match applies, instead of the object's own."),
  sourceNamespace: text('Namespace of the calling workload.'),
})
export interface L4MatchAttributes extends Static<typeof L4MatchAttributes> {}

export const TCPRoute = message('TCPRoute', {
  match: list(of(L4MatchAttributes), 'Conditions of which one must hold; an empty list matches everything.'),
  route: list(of(RouteDestination), 'Destinations and their shares.'),
})
export interface TCPRoute extends Static<typeof TCPRoute> {}

export const VirtualServiceSpec = message('VirtualService', {
  hosts: list(
    text(),
    'Names that clients call: DNS names, with a leading * as wildcard, or IP addresses; short names get the own namespace.',
  ),
  gateways: list(text(), 'Gateways that the routes apply to, as name or namespace/name; "mesh" (the default) means all sidecars.'),
  http: list(of(HTTPRoute), 'Routes for HTTP, tried in order.'),
  tls: list(of(TLSRoute), 'Routes for TLS that is not ended here, tried in order.'),
  tcp: list(of(TCPRoute), 'Routes for other connections, tried in order.'),
  exportTo: list(text(), 'Namespaces that see the object: names, "." for the own one, "*" for all (the default).'),
})
export interface VirtualServiceSpec extends Static<typeof VirtualServiceSpec> {}

export const VirtualServiceKind = defineKind({
  group: 'networking.istio.io',
  kind: 'VirtualService',
  plural: 'virtualservices',
  shortNames: ['vs'],
  versions: versions('v1', 'v1alpha3', 'v1beta1'),
  columns: [
    column('Gateways', '.spec.gateways', 'Gateways and sidecars that the routes apply to.'),
    column('Hosts', '.spec.hosts', 'Names that clients call.'),
    AGE,
  ],
  description: 'How requests for hosts are matched, changed and routed.',
  spec: VirtualServiceSpec,
})
