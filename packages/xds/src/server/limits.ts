/** Bounds on what clients may cost, most of all before it is known who they are. */
import type { ConnectionLimits } from '@lateen/base/connections'

export interface XdsLimits {
  /** Largest request, in bytes. */
  readonly maxRequestBytes: number
  /** Largest Node message, in bytes, and its deepest nesting. */
  readonly maxNodeBytes: number
  readonly maxNodeDepth: number
  /** Names that one stream may subscribe to for one type, and types that it may ask for. */
  readonly maxNames: number
  readonly maxTypes: number
  readonly maxStreamsPerConnection: number
  /** How long a stream may take to send its first request, in milliseconds. */
  readonly firstRequestMs: number
  /** A peer that does not answer pings is dropped: time between pings and time to answer, in milliseconds. */
  readonly keepaliveMs: number
  readonly keepaliveTimeoutMs: number
  /** New streams a second (`PILOT_MAX_REQUESTS_PER_SECOND`); 0 for no limit. */
  readonly streamsPerSecond: number
  /** Bytes of large responses that may wait in the transport, over all streams that still read, before the next stream has to wait. */
  readonly maxBytesInTransit: number
}

export const DEFAULT_LIMITS: XdsLimits = {
  maxRequestBytes: 4 << 20,
  maxNodeBytes: 256 << 10,
  maxNodeDepth: 32,
  maxNames: 100_000,
  maxTypes: 64,
  maxStreamsPerConnection: 100,
  firstRequestMs: 10_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  streamsPerSecond: 0,
  maxBytesInTransit: 16 << 20,
}

/**
 * Of one port. Twenty thousand proxies that come back at once through one address are let in a few thousand at a time: a process takes
 * them from the kernel no faster than it gets through their handshakes. A first request names what its proxy holds, which may be much.
 */
export const CONNECTION_LIMITS: ConnectionLimits = {
  total: 50_000,
  unproven: 4_000,
  unprovenPerAddress: 2_000,
  proofMs: 15_000,
  unprovenBytes: 8 << 20,
  unprovenBytesTogether: 512 << 20,
  unprovenCalls: 32,
}
