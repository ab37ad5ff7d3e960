/**
 * Ending without losing a request: new inbound work is turned away while what is under way finishes; outbound stays open, because
 * the application may still need it.
 */
import { logger } from '@lateen/base'
import type { DrainSettings, Role } from '../settings/settings.ts'
import type { EnvoyAdmin } from './admin.ts'

const log = logger('drain')

const POLL_MS = 250
/** Listeners that are not traffic. */
const NOT_TRAFFIC = /^listener\.(admin\.|.*worker_)/

export interface DrainOptions extends DrainSettings {
  readonly role: Role
  readonly admin: EnvoyAdmin
  /** Ports whose listeners serve probes and scrapers. */
  readonly ownPorts: readonly number[]
  /** Ends the wait early. */
  readonly signal: AbortSignal
}

/** Tells Envoy to drain. Errors are logged: an Envoy that is gone has nothing to drain. */
export async function beginDrain(admin: EnvoyAdmin, role: Role): Promise<void> {
  const inboundOnly = role === 'sidecar' ? 'inboundonly&' : ''
  for (const path of ['/healthcheck/fail', `/drain_listeners?${inboundOnly}graceful`]) {
    await admin.request('POST', path).catch((error: Error) => log.warn(`Envoy did not take ${path}: ${error.message}`))
  }
}

/** Drains and waits: for the set time, or with EXIT_ON_ZERO_ACTIVE_CONNECTIONS until no connection is left. */
export async function drain(options: DrainOptions): Promise<void> {
  await beginDrain(options.admin, options.role)
  if (!options.untilIdle) {
    log.info(`draining for ${options.terminationMs / 1000} s`)
    await wait(options.terminationMs, options.signal)
    return
  }
  log.info(`draining for ${options.minimumMs / 1000} s, then until no connection is active`)
  await wait(options.minimumMs, options.signal)
  while (!options.signal.aborted) {
    const active = await activeConnections(options.admin, options.ownPorts).catch(() => 0)
    if (active === 0) return
    log.debug(`${active} connections are active`)
    await wait(POLL_MS, options.signal)
  }
}

/** Connections from clients on listeners that carry traffic. */
async function activeConnections(admin: EnvoyAdmin, ownPorts: readonly number[]): Promise<number> {
  const stats = await admin.stats('^listener\\..*downstream_cx_active$')
  let sum = 0
  for (const [name, value] of stats) {
    if (!NOT_TRAFFIC.test(name) && !ownPorts.some((port) => name.includes(`_${port}.`))) sum += value
  }
  return sum
}

/** Waits; an abort ends it early and is no error. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
