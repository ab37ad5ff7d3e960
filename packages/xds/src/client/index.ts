/** The client side: an ADS client, and the agent's relay. Loads nothing of the server. */
export type { DeltaResource } from '../protocol/messages.ts'
export { type AdsClient, type AdsClientOptions, createAdsClient, type Subscription } from './ads-client.ts'
export { type Answered, type Asked, inquire } from './inquire.ts'
export { type RelayStatus, XdsRelay, type XdsRelayOptions } from './relay.ts'
export type { Watch } from './relay-watches.ts'
export type { Upstream } from './upstream-stream.ts'
