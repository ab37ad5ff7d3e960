/** What the environment says of translation: Istio's switches, and one of our own, that change what every proxy gets. */
import { TLS_POLICIES, TLS_POLICY_VARIABLE } from '@lateen/base'
import type { MeshSwitches } from './settings.ts'

/** Reads variables, with what holds where one is not set. */
export interface SwitchReader {
  boolean(name: string, fallback: boolean): boolean
  number(name: string, fallback: number): number
  /** Milliseconds. */
  duration(name: string, fallback: number): number
  /** One of the values; nothing where the variable is not set. */
  choice<T extends string>(name: string, values: readonly T[]): T | undefined
}

/** Throws what the reader throws for a value that cannot be read. */
export const switchesFrom = (environment: SwitchReader): Partial<MeshSwitches> => ({
  http10: environment.boolean('PILOT_HTTP10', false),
  dualStack: environment.boolean('ISTIO_DUAL_STACK', false),
  sendsUnhealthy: environment.boolean('PILOT_SEND_UNHEALTHY_ENDPOINTS', false),
  tracksRemaining: !environment.boolean('DISABLE_TRACK_REMAINING_CB_METRICS', true),
  weighsLocalities: environment.boolean('ENABLE_LOCALITY_WEIGHTED_LB_CONFIG', false),
  usesRemoteAddress: environment.boolean('PILOT_SIDECAR_USE_REMOTE_ADDRESS', false),
  passesContinue: environment.boolean('ENABLE_100_CONTINUE_HEADERS', true),
  dottedHosts: environment.boolean('PILOT_ENABLE_ABSOLUTE_FQDN_VHOST_DOMAIN', true),
  allocatesAddresses: environment.boolean('PILOT_ENABLE_IP_AUTOALLOCATE', true),
  mergesIngress: environment.boolean('PILOT_ALLOW_SIDECAR_SERVICE_INBOUND_LISTENER_MERGE', false),
  acceptedAtOnce: environment.number('MAX_CONNECTIONS_PER_SOCKET_EVENT_LOOP', 1),
  gatewayHandshake: environment.duration('PILOT_GATEWAY_TRANSPORT_SOCKET_CONNECT_TIMEOUT', 15_000),
  dnsJitter: environment.duration('PILOT_DNS_JITTER_DURATION', 100),
  everySpelling: environment.boolean('LATEEN_EVERY_SPELLING', false),
  tlsPolicy: environment.choice(TLS_POLICY_VARIABLE, TLS_POLICIES),
  dnsMostQueries: environment.number('PILOT_DNS_CARES_UDP_MAX_QUERIES', 100),
  severalAuthorizers: environment.boolean('PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS', false),
  gatewaysOfOwnNamespace: environment.boolean('PILOT_SCOPE_GATEWAY_TO_NAMESPACE', false),
  http3: environment.boolean('PILOT_ENABLE_QUIC_LISTENERS', false),
})
