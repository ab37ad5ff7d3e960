/** Envoy's response flags in words, with what usually causes them and what to do. */

export interface FlagMeaning {
  readonly flag: string
  readonly name: string
  readonly meaning: string
  readonly causes: readonly string[]
  readonly fix: string
}

const flag = (short: string, name: string, meaning: string, causes: readonly string[], fix: string): FlagMeaning => ({
  flag: short,
  name,
  meaning,
  causes,
  fix,
})

export const RESPONSE_FLAGS: readonly FlagMeaning[] = [
  flag(
    'UH',
    'NoHealthyUpstream',
    'the cluster had no healthy endpoint',
    [
      'the pods of the destination are not ready, or there are none',
      'the labels of a subset select no pod',
      'outlier detection has ejected all endpoints',
    ],
    'look at the pods and at the subset labels of the DestinationRule',
  ),
  flag(
    'UF',
    'UpstreamConnectionFailure',
    'no connection to the endpoint came about',
    [
      'the application does not listen on the target port',
      'one side wants mutual TLS and the other sends or takes plain text',
      'a network policy or firewall',
    ],
    'compare the tls mode of the DestinationRule with the PeerAuthentication of the destination, and the targetPort with the port of the application',
  ),
  flag(
    'UO',
    'UpstreamOverflow',
    'a circuit breaker was open',
    ['connectionPool of the DestinationRule allows fewer connections, requests or retries than there were'],
    'raise the limits of connectionPool, or add replicas',
  ),
  flag(
    'NR',
    'NoRouteFound',
    'no route took the request, or no filter chain took the connection',
    [
      'no VirtualService for the host matches the request',
      'the host is not that of any Gateway server or service',
      'TLS with a server name that no server has',
    ],
    'compare host, path, headers and port with the matches of the VirtualService',
  ),
  flag(
    'URX',
    'UpstreamRetryLimitExceeded',
    'the limit of retries or of connection attempts was reached',
    ['each try failed: the destination is broken for longer than retries last'],
    'look at the answers of the destination; retries are set by the VirtualService',
  ),
  flag(
    'NC',
    'NoClusterFound',
    'the cluster that the route names does not exist',
    [
      'the destination names a host that no Service or ServiceEntry has',
      'the subset is not defined in a DestinationRule',
      'the service is not visible to this proxy (exportTo, Sidecar)',
    ],
    'define the host or the subset, or correct its name',
  ),
  flag(
    'DT',
    'DurationTimeout',
    'the request or connection lasted longer than it may',
    ['maxConnectionDuration or a stream limit was reached'],
    'raise the limit in connectionPool',
  ),
  flag(
    'DC',
    'DownstreamConnectionTermination',
    'the caller closed the connection before the answer was there',
    ['the caller has a shorter timeout', 'the caller was stopped'],
    'look at the timeout of the caller and at the duration of the request',
  ),
  flag(
    'LH',
    'LocalHealthCheckFailed',
    "the proxy's own health check failed",
    ['the proxy is draining'],
    'wait until the pod has ended, or look why it ends',
  ),
  flag(
    'UT',
    'UpstreamRequestTimeout',
    'the destination did not answer in time',
    ['the timeout of the VirtualService is shorter than the destination takes', 'the destination hangs'],
    'raise timeout or perTryTimeout, or make the destination faster',
  ),
  flag(
    'LR',
    'LocalReset',
    'the proxy reset the connection',
    ['a protocol error, or a local limit'],
    'look at the details field and the log of the proxy',
  ),
  flag(
    'UR',
    'UpstreamRemoteReset',
    'the destination reset the request',
    ['the application ended the stream or crashed', 'HTTP/2 is spoken to an application that speaks HTTP/1.1'],
    'look at the log of the application, and at the protocol in the name or appProtocol of the port',
  ),
  flag(
    'UC',
    'UpstreamConnectionTermination',
    'the destination closed the connection',
    ['the application closes idle connections sooner than the proxy', 'the application crashed or was stopped'],
    'set a shorter idleTimeout in connectionPool than the keep-alive of the application',
  ),
  flag(
    'DI',
    'DelayInjected',
    'the request was held up by an injected fault',
    ['fault.delay of a VirtualService'],
    'remove the fault when it is not wanted',
  ),
  flag(
    'FI',
    'FaultInjected',
    'the request was aborted by an injected fault',
    ['fault.abort of a VirtualService'],
    'remove the fault when it is not wanted',
  ),
  flag('RL', 'RateLimited', 'a rate limit refused the request', ['a local or global rate limit'], 'raise the limit or send fewer requests'),
  flag(
    'UAEX',
    'UnauthorizedExternalService',
    'the external authorizer refused the request',
    ['the provider of an AuthorizationPolicy with action CUSTOM said no, or was not reachable'],
    'look at the log of the authorizer',
  ),
  flag(
    'RLSE',
    'RateLimitServiceError',
    'the rate limit service failed',
    ['it is down or does not answer in time'],
    'look at the rate limit service',
  ),
  flag(
    'IH',
    'InvalidEnvoyRequestHeaders',
    'a header for Envoy had a value that is not allowed',
    ['the caller sets an x-envoy-… header wrongly'],
    'correct or remove the header',
  ),
  flag(
    'SI',
    'StreamIdleTimeout',
    'nothing was sent on the request for too long',
    ['a long request without traffic, such as an open stream'],
    'raise the stream idle timeout',
  ),
  flag(
    'DPE',
    'DownstreamProtocolError',
    'the caller broke the protocol',
    ['the caller speaks something else than the port expects', 'a request that HTTP does not allow'],
    'look at the protocol of the port and at what the caller sends',
  ),
  flag(
    'UPE',
    'UpstreamProtocolError',
    'the destination broke the protocol',
    ['the port is declared as http or http2 and the application speaks something else'],
    'correct the name or appProtocol of the port of the Service',
  ),
  flag(
    'UMSDR',
    'UpstreamMaxStreamDurationReached',
    'the request lasted longer than a stream may',
    ['maxStreamDuration, or the timeout header of gRPC'],
    'raise the timeout',
  ),
  flag(
    'OM',
    'OverloadManagerTerminated',
    'the proxy was overloaded',
    ['memory or connection limits of the proxy'],
    'give the proxy more resources',
  ),
  flag(
    'DF',
    'DnsResolutionFailed',
    'the name of the destination could not be resolved',
    ['the host or endpoint of a ServiceEntry with resolution DNS does not exist'],
    'check the name, and DNS from the pod',
  ),
  flag('DO', 'DropOverLoad', 'requests were dropped because of overload', ['drop settings of the endpoints'], 'add replicas'),
  flag('DR', 'DownstreamRemoteReset', 'the caller reset the request', ['the caller gave up'], 'look at the timeout of the caller'),
  flag(
    'NFCF',
    'NoFilterConfigFound',
    'the configuration of a filter has not arrived',
    ['an extension could not be fetched'],
    'look at the log of the proxy',
  ),
]

/** The meanings of a flags field: `UF,URX`; `-` and empty for none. */
export function meaningsOf(flags: string): FlagMeaning[] {
  return flags
    .split(',')
    .map((word) => word.trim())
    .flatMap((word) => RESPONSE_FLAGS.find((meaning) => meaning.flag === word || meaning.name === word) ?? [])
}
