/**
 * Ending without losing a request: new inbound work is turned away while what is under way finishes; outbound stays as it is, because
 * the application may still need it.
 */
import { logger } from '@lateen/base'
import type { DrainSettings, Role } from '../settings/settings.ts'
import type { EnvoyAdmin } from './admin.ts'
import { applicationHasSockets } from './application.ts'

const log = logger('drain')

const POLL_MS = 250
/** A drained proxy that waits for last answers holds up its pod: look often. */
const LAST_ANSWERS_POLL_MS = 25
/** Looks in a row without an answer after which Envoy counts as idle. */
const MAX_SILENT_LOOKS = 5
/** Listeners that are not traffic. */
const NOT_TRAFFIC = /^listener\.(admin\.|.*worker_)/

export interface DrainOptions extends DrainSettings {
  readonly role: Role
  readonly admin: EnvoyAdmin
  /** Ports whose listeners serve probes and scrapers. */
  readonly ownPorts: readonly number[]
  /** The agent and Envoy. */
  readonly pids: readonly number[]
  /** Ends the wait early. */
  readonly signal: AbortSignal
}

/**
 * Tells Envoy to drain: clients are asked to go elsewhere (`connection: close`, GOAWAY). Errors are logged: an Envoy that is gone has
 * nothing to drain.
 *
 * @param then whether listeners close when Envoy's drain time is over. Where nobody knows yet when the end will be, they `stay open`:
 *   a client that has not heard of the end is better served than refused.
 */
export async function beginDrain(admin: EnvoyAdmin, role: Role, then: 'close' | 'stay open'): Promise<void> {
  const options = [...(role === 'sidecar' ? ['inboundonly'] : []), 'graceful', ...(then === 'stay open' ? ['skip_exit'] : [])]
  const path = `/drain_listeners?${options.join('&')}`
  await admin.request('POST', path).catch((error: Error) => log.warn(`Envoy did not take ${path}: ${error.message}`))
}

/**
 * Drains and waits: for the set time, or with EXIT_ON_ZERO_ACTIVE_CONNECTIONS until no connection is left; then, beside an
 * application, until that has ended.
 */
export async function drain(options: DrainOptions): Promise<void> {
  await beginDrain(options.admin, options.role, 'close')
  if (options.untilIdle) {
    log.info(`draining for ${options.minimumMs / 1000} s, then until no connection is active`)
    await wait(options.minimumMs, options.signal)
    await untilNone(options, activeConnections)
  } else {
    log.info(`draining for ${options.terminationMs / 1000} s`)
    await wait(options.terminationMs, options.signal)
  }
  if (options.besideApplication) await untilApplicationEnds(options)
}

/**
 * For a proxy that was drained before, by a hook, and is told to end now that the application has: only answers that are still on
 * their way to clients are waited for, no longer than a drain would take.
 */
export async function finishDrain(options: DrainOptions): Promise<void> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(Math.max(1, options.terminationMs))])
  await untilNone({ ...options, signal }, activeRequests, LAST_ANSWERS_POLL_MS)
}

async function untilNone(
  { admin, ownPorts, signal }: DrainOptions,
  count: (admin: EnvoyAdmin, ownPorts: readonly number[]) => Promise<number>,
  everyMs = POLL_MS,
): Promise<void> {
  let silent = 0
  while (!signal.aborted) {
    const active = await count(admin, ownPorts).catch(() => undefined)
    silent = active === undefined ? silent + 1 : 0
    if (active === 0 || silent === MAX_SILENT_LOOKS) return
    await wait(everyMs, signal)
  }
}

/**
 * Without the proxy the application's own last calls would fail. It counts as ended when it has had no connection for as long as a drain
 * takes: one that listens no more may still have a call to make. Whoever ends the pod sets the limit.
 */
async function untilApplicationEnds({ pids, signal, terminationMs }: DrainOptions): Promise<void> {
  if (!(await applicationHasSockets(pids))) return
  log.info('drained; the application still has connections, waiting for its end')
  let lastSeen = performance.now()
  while (!signal.aborted && performance.now() - lastSeen <= terminationMs) {
    await wait(POLL_MS, signal)
    if (await applicationHasSockets(pids)) lastSeen = performance.now()
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

/** Requests from outside that are not answered to the end. */
async function activeRequests(admin: EnvoyAdmin): Promise<number> {
  const stats = await admin.stats('^http\\.inbound.*downstream_rq_active$')
  return [...stats.values()].reduce((sum, value) => sum + value, 0)
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
