/** Fetches of public keys. */
import type { Instruments } from './instruments.ts'

export interface KeyMetrics {
  fetched(): void
  failed(): void
}

export function createKeyMetrics({ counter }: Instruments): KeyMetrics {
  const fetched = counter('pilot_jwks_resolver_network_fetch_success_total', 'Key sets fetched')
  const failed = counter('pilot_jwks_resolver_network_fetch_fail_total', 'Key sets that could not be fetched')
  return { fetched: () => fetched.inc(), failed: () => failed.inc() }
}
