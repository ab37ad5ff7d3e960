/** Limits on connections and requests to a service. */
import { duration, flag, int32, message, of, oneOf, positiveDuration, type Static, uint32 } from '../schema/define.ts'

export const TcpKeepalive = message('TcpKeepalive', {
  probes: uint32('Unanswered probes after which the connection counts as dead; the system decides when unset.'),
  time: positiveDuration('How long a connection is idle before the first probe.'),
  interval: positiveDuration('Time between probes.'),
})
export interface TcpKeepalive extends Static<typeof TcpKeepalive> {}

export const TCPSettings = message('TCPSettings', {
  maxConnections: int32('Most connections to a destination host.'),
  connectTimeout: positiveDuration('How long connecting may take; at least 1ms.'),
  tcpKeepalive: of(TcpKeepalive, 'Turns on keep-alive probes.'),
  maxConnectionDuration: positiveDuration('Age at which a connection is drained and closed.'),
  idleTimeout: duration('How long a connection may be idle; 0s means for ever.'),
})
export interface TCPSettings extends Static<typeof TCPSettings> {}

export const HTTPSettings = message('HTTPSettings', {
  http1MaxPendingRequests: int32('Most requests that wait for a connection.'),
  http2MaxRequests: int32('Most requests under way to a destination.'),
  maxRequestsPerConnection: int32('Requests after which a connection is closed; 1 turns keep-alive off, 0 means no limit.'),
  maxRetries: int32('Most retries under way to all hosts of a cluster.'),
  idleTimeout: duration('How long a connection without requests stays open.'),
  h2UpgradePolicy: oneOf(['DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE'], 'Whether HTTP/1.1 connections to the host are upgraded to HTTP/2.'),
  useClientProtocol: flag("Use the client's own protocol towards the host; excludes upgrading."),
  maxConcurrentStreams: int32('Most streams of one HTTP/2 connection.'),
})
export interface HTTPSettings extends Static<typeof HTTPSettings> {}

export const ConnectionPoolSettings = message('ConnectionPoolSettings', {
  tcp: of(TCPSettings, 'For every connection, HTTP or not.'),
  http: of(HTTPSettings, 'For HTTP connections.'),
})
export interface ConnectionPoolSettings extends Static<typeof ConnectionPoolSettings> {}
