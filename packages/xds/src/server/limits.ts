/** Bounds on what clients may cost, most of all before it is known who they are. */

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
