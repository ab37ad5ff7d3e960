/**
 * Keeps an identity from the CA fresh: fetched at the start, renewed before half of its life, retried with back-off.
 *
 * The private key lives in this process, goes to Envoy over the unix socket, and to the last-good file where that is on.
 */

import { readFileSync } from 'node:fs'
import { logger } from '@lateen/base'
import {
  type CertificateInfo,
  inspect,
  inspectAll,
  joinTrustBundle,
  leadsTo,
  rotationTime,
  type TrustIssuer,
  type TrustRoots,
} from '@lateen/ca'
import { exponentialBackoff } from './backoff.ts'
import { watchFiles } from './file-watch.ts'
import type { SteeredIdentity, WorkloadIdentity } from './identity.ts'
import { loadIdentity, saveIdentity } from './last-good.ts'

const log = logger('cache')

export interface RenewingIdentityOptions {
  /** Gets a new identity; is given the one held. */
  readonly fetch: (held: WorkloadIdentity | undefined) => Promise<WorkloadIdentity>
  /** The identity that a saved certificate must be for. */
  readonly uri: string
  /** Where the last good identity is kept; absent to keep none. */
  readonly lastGoodFile?: string
  /** Roots mounted beside, trusted as well as those that the CA sends. */
  readonly rootFile?: string
  /** Revocation lists mounted beside, in force where the control plane does not name its own. */
  readonly crlFile?: string
  readonly graceRatio: number
  readonly jitterRatio: number
  /** Called with each new identity, before subscribers. */
  readonly onIdentity?: (identity: WorkloadIdentity, roots: string) => Promise<void>
}

/** How long a renewal may fail before the saved identity is used at the start. */
const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 30_000
const MIN_PAUSE_MS = 5000
/** A replica of the control plane that has not yet heard of a new issuer signs under the old one for a moment. */
const ISSUER_ATTEMPTS = 6
/** setTimeout's limit; a longer wait is taken in parts. */
const MAX_TIMER_MS = 2 ** 31 - 1

interface IssuerWait {
  readonly rootPem: string
  attempts: number
  readonly settle: (error?: Error) => void
}

export class RenewingIdentity implements SteeredIdentity {
  readonly #options: RenewingIdentityOptions
  readonly #listeners = new Set<() => void>()
  readonly #backoff = exponentialBackoff(FIRST_RETRY_MS, MAX_RETRY_MS)
  readonly #stopWatch: () => void
  #current: WorkloadIdentity | undefined
  #info: CertificateInfo | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #named: { readonly roots: TrustRoots; readonly complete: boolean } | undefined
  #wait: IssuerWait | undefined
  /** Certificates got and attempts that failed, for metrics. */
  readonly counts = { renewed: 0, failed: 0 }

  constructor(options: RenewingIdentityOptions) {
    this.#options = options
    const mounted = [options.rootFile, options.crlFile].filter((file) => file !== undefined)
    this.#stopWatch = mounted.length > 0 ? watchFiles(mounted, () => this.#trustChanged()) : () => undefined
  }

  get current(): WorkloadIdentity | undefined {
    return this.#current
  }

  /** The certificate now in use. */
  get info(): CertificateInfo | undefined {
    return this.#info
  }

  get trust(): TrustRoots | undefined {
    const named = this.#named
    if (named?.complete) return named.roots
    const held = this.#current
    if (!held) return undefined
    const { rootFile, crlFile } = this.#options
    const rootsPem = joinReadable(held.rootsPem, rootFile ? readIfThere(rootFile) : '', named?.roots.rootsPem ?? '')
    const crlPem = named?.roots.crlPem || (crlFile ? readIfThere(crlFile) : '')
    return { rootsPem, domains: named?.roots.domains ?? {}, crlPem }
  }

  setTrust(roots: TrustRoots, complete: boolean): void {
    this.#named = { roots, complete }
    log.info(`the control plane names ${inspectAll(roots.rootsPem).length} roots to trust`)
    this.#trustChanged()
  }

  serverRoots(file: string): string {
    return joinReadable(readFileSync(file, 'utf8'), this.#named?.roots.rootsPem ?? '')
  }

  issuedUnder({ rootPem, spreadMs }: TrustIssuer): Promise<void> {
    this.#wait?.settle(new Error('another issuer is wanted meanwhile'))
    if (!rootPem || (this.#current && leadsTo(this.#current.chainPem, rootPem))) return Promise.resolve()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#wait = { rootPem, attempts: 0, settle: (error) => (error ? reject(error) : resolve()) }
    log.info('the control plane issues under another root: asking for a new certificate')
    this.#schedule(Date.now() + Math.random() * spreadMs)
    return promise
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Starts; fulfilled once there is an identity, saved or new. Never rejects: attempts go on until `close`. */
  async start(): Promise<void> {
    const saved = await this.#loadSaved()
    if (saved && Date.now() < this.#renewalTime(inspect(saved.chainPem))) {
      log.info('using the certificate kept from before the restart')
      await this.#use(saved)
      return
    }
    await this.#renew(saved)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#wait?.settle(new Error('the agent ends'))
    this.#wait = undefined
    this.#stopWatch()
    this.#listeners.clear()
  }

  /** One attempt, and the next one's timer. Fulfilled when there is an identity, which a later attempt may bring. */
  async #renew(fallback?: WorkloadIdentity): Promise<void> {
    try {
      const identity = await this.#options.fetch(this.#current ?? fallback)
      if (this.#closed) return
      this.#backoff.reset()
      this.counts.renewed++
      await this.#use(identity)
      await this.#save(identity)
      return
    } catch (error) {
      this.counts.failed++
      const wait = this.#backoff.next()
      log.warn(`no new certificate: ${error instanceof Error ? error.message : String(error)}; next attempt in ${Math.round(wait)} ms`)
      if (fallback && !this.#current) {
        log.warn('the control plane gives no certificate; using the one kept from before the restart')
        await this.#use(fallback)
      }
      if (this.#closed) return
      const retry = Promise.withResolvers<void>()
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#renew().then(retry.resolve), wait)
      if (!this.#current) await retry.promise
    }
  }

  async #use(identity: WorkloadIdentity): Promise<void> {
    const info = inspect(identity.chainPem)
    this.#current = identity
    this.#info = info
    log.info(`certificate ${info.serial} for ${info.uris.join(', ')} is in use until ${info.notAfter.toISOString()}`)
    await this.#options.onIdentity?.(identity, this.trust?.rootsPem ?? identity.rootsPem)
    this.#notify()
    if (this.#retryForIssuer(identity)) return
    // A CA that gives certificates which are half over at once must not be asked without pause.
    const pause = Math.min(MIN_PAUSE_MS, Math.max(0, info.notAfter.getTime() - Date.now()) / 4)
    this.#schedule(Math.max(this.#renewalTime(info), Date.now() + pause))
  }

  #renewalTime(info: CertificateInfo): number {
    return rotationTime(info, Math.random(), { graceRatio: this.#options.graceRatio, jitterRatio: this.#options.jitterRatio })
  }

  #schedule(at: number): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    const wait = at - Date.now()
    this.#timer = setTimeout(
      () => (wait > MAX_TIMER_MS ? this.#schedule(at) : void this.#renew()),
      Math.min(MAX_TIMER_MS, Math.max(0, wait)),
    )
  }

  /** Whether the certificate is of another issuer than the one wanted, and another is to be asked for soon. */
  #retryForIssuer(identity: WorkloadIdentity): boolean {
    const wait = this.#wait
    if (!wait) return false
    if (leadsTo(identity.chainPem, wait.rootPem)) {
      this.#wait = undefined
      wait.settle()
      return false
    }
    if (++wait.attempts >= ISSUER_ATTEMPTS) {
      this.#wait = undefined
      wait.settle(new Error('the CA goes on issuing under another root'))
      return false
    }
    this.#schedule(Date.now() + FIRST_RETRY_MS * 2 ** wait.attempts)
    return true
  }

  #trustChanged(): void {
    const { current } = this
    if (current) void this.#options.onIdentity?.(current, this.trust?.rootsPem ?? current.rootsPem)
    this.#notify()
  }

  async #loadSaved(): Promise<WorkloadIdentity | undefined> {
    const { lastGoodFile, uri } = this.#options
    if (!lastGoodFile) return undefined
    const { identity, unusable } = await loadIdentity(lastGoodFile, uri, Date.now())
    if (unusable) log.warn(`the certificate kept in ${lastGoodFile} is not used: ${unusable}`)
    return identity
  }

  async #save(identity: WorkloadIdentity): Promise<void> {
    const { lastGoodFile } = this.#options
    if (!lastGoodFile) return
    await saveIdentity(lastGoodFile, identity).catch((error: Error) =>
      log.warn(`cannot keep the certificate in ${lastGoodFile}: ${error.message}; a restart without the control plane will not serve`),
    )
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** One bundle of the texts that hold certificates; a mounted file may be half written. */
function joinReadable(...texts: readonly string[]): string {
  const [first = '', ...rest] = texts
  return rest.reduce((bundle, text) => {
    try {
      return text.trim() ? joinTrustBundle(bundle, text) : bundle
    } catch {
      return bundle
    }
  }, first)
}
