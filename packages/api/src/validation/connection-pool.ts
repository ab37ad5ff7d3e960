/** The check of limits on connections and requests. */
import { parseDuration } from '@lateen/base'
import type { At } from '../diagnostics/at.ts'
import type { ConnectionPoolSettings } from '../messages/connection-pool.ts'
import { checkDuration, checkNotNegative } from './values.ts'

export function checkConnectionPool(pool: ConnectionPoolSettings | undefined, at: At): void {
  if (!pool) return
  const { http, tcp } = pool
  if (!http && !tcp) return at.say('PoolEmpty')
  if (http) {
    const place = at.in('http')
    for (const field of [
      'http1MaxPendingRequests',
      'http2MaxRequests',
      'maxRequestsPerConnection',
      'maxRetries',
      'maxConcurrentStreams',
    ] as const) {
      checkNotNegative(http[field], place.in(field))
    }
    checkDuration(http.idleTimeout, place.in('idleTimeout'))
    if (http.h2UpgradePolicy === 'UPGRADE' && http.useClientProtocol) place.say('UpgradeAndClientProtocol')
  }
  if (tcp) {
    const place = at.in('tcp')
    checkNotNegative(tcp.maxConnections, place.in('maxConnections'))
    for (const field of ['connectTimeout', 'maxConnectionDuration'] as const) checkDuration(tcp[field], place.in(field))
    // 0s turns the limit off.
    if (parseDuration(tcp.idleTimeout ?? '') !== 0) checkDuration(tcp.idleTimeout, place.in('idleTimeout'))
    for (const field of ['time', 'interval'] as const) checkDuration(tcp.tcpKeepalive?.[field], place.in('tcpKeepalive', field))
  }
}
