/**
 * Takes the mesh from one root to another, one phase after the other, without a request failing. Everything it decides on is in the
 * record, so that whichever replica leads next goes on from there.
 */
import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { logger } from '@lateen/base'
import {
  type CaFiles,
  CertificateAuthority,
  endOfLists,
  type OutsideCa,
  type Phase,
  type Reason,
  ROTATION_NAME,
  type Rotation,
  type RotationRecord,
  readRevocationLists,
} from '@lateen/ca'
import type { CaSource, OfferedCa } from '../ca-source.ts'
import { type Facts, progressOf } from './progress.ts'
import { casOf, type RotationStore } from './store.ts'
import { factsOf, rootFacts } from './view.ts'

export interface ConductorOptions {
  readonly store: RotationStore
  readonly source: CaSource
  /** The CA that signs now, as texts; absent when it cannot be had any more. */
  readonly signing: () => CaFiles | undefined
  /** Who signs for workloads in place of it. */
  readonly outside: () => OutsideCa | undefined
  /** A new root of the mesh's own. */
  readonly makeRoot: () => CaFiles
  readonly facts: () => Promise<Omit<Facts, 'now' | 'replicas'>>
  /** A root of our own is replaced when less of its life is left: 0 to 1; 0 for never. */
  readonly graceRatio: number
  readonly now: () => number
}

const log = logger('ca')
const TICK_MS = 500
const FAILED_MS = 5_000

export class Conductor {
  readonly #options: ConductorOptions
  #timer: NodeJS.Timeout | undefined
  #running = false
  /** Something has changed since the round under way began. */
  #again = false
  #leading = false

  constructor(options: ConductorOptions) {
    this.#options = options
  }

  lead(signal: AbortSignal): void {
    this.#leading = true
    signal.addEventListener('abort', () => this.stop())
    this.wake()
  }

  /** Something has changed that may need a decision. */
  wake(): void {
    if (!this.#leading) return
    this.#again = true
    if (this.#running) return
    this.#running = true
    clearTimeout(this.#timer)
    void this.#rounds().then((wait) => this.#sleep(wait))
  }

  stop(): void {
    this.#leading = false
    clearTimeout(this.#timer)
  }

  /** @returns milliseconds until the next round, if nothing happens before */
  async #rounds(): Promise<number> {
    let wait = 0
    while (this.#again && this.#leading) {
      this.#again = false
      try {
        wait = await this.#tick()
      } catch (error) {
        log.warn(`the change of the root waits: ${error instanceof Error ? error.message : String(error)}`)
        wait = FAILED_MS
        break
      }
    }
    return wait
  }

  #sleep(wait: number): void {
    this.#running = false
    if (!this.#leading) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.wake(), wait)
    this.#timer.unref()
  }

  /** One round of decisions; @returns milliseconds until the next, if nothing happens before. */
  async #tick(): Promise<number> {
    const { store } = this.#options
    await this.#answerRequest()
    const { rotation } = store.record
    if (rotation) await this.#goOn(rotation)
    else await this.#settle()
    return store.record.rotation ? TICK_MS : 60_000
  }

  /** Nothing is under way: notes what holds, or begins what the newest CA asks for. */
  async #settle(): Promise<void> {
    const { store, source, graceRatio, now } = this.#options
    const offered = source.current
    const { inForce } = store.record
    if (store.keys) await store.saveKeys(undefined)
    if (inForce && inForce.fingerprint !== rootFacts(offered.authority).fingerprint) {
      return this.#begin('replaced', offered.files, this.#options.signing())
    }
    const holds = inForceOf(offered)
    const outside = this.#options.outside()
    if (!isDeepStrictEqual({ holds, outside }, { holds: inForce, outside: store.record.outside }))
      await store.update(({ outside: _, ...record }) => ({ ...record, inForce: holds, ...(outside ? { outside } : {}) }))
    if (offered.ownSecret === undefined || graceRatio <= 0) return
    const { validFromDate: from, validToDate: to } = offered.authority.material.certificate
    if (to.getTime() - now() > (to.getTime() - from.getTime()) * graceRatio) return
    await this.#begin('expiring', this.#options.makeRoot(), offered.files)
  }

  async #begin(reason: Reason, next: CaFiles, old: CaFiles | undefined): Promise<void> {
    const { store, now } = this.#options
    const { inForce } = store.record
    const id = randomBytes(4).toString('hex')
    await store.saveKeys({ rotation: id, next, ...(old ? { old } : {}) })
    const rotation: Rotation = {
      id,
      phase: 'distribute',
      reason,
      old: old ? signerRoot(old) : { ...(inForce ?? signerRoot(next)) },
      next: signerRoot(next),
      startedAt: now(),
      phaseAt: now(),
    }
    log.info(`changing the root from "${rotation.old.subject}" to "${rotation.next.subject}" (${reason})`)
    await store.update((record) => ({ ...record, rotation, replicas: {} }))
  }

  async #goOn(rotation: Rotation): Promise<void> {
    const { store, now } = this.#options
    // What the watch has not told yet may be there.
    if (!casOf(rotation, store.keys) && !casOf(rotation, await store.loadKeys())) {
      return this.#waitFor(rotation, `its keys: Secret ${ROTATION_NAME} is gone; put it back, or abort the change`)
    }
    if (await this.#isReplacedAgain(rotation)) return
    const facts = { ...(await this.#options.facts()), now: now(), replicas: Object.values(store.record.replicas) }
    const { next, waitingFor } = progressOf(rotation, facts)
    if (next === 'done') await this.#finish(rotation)
    else if (next) await this.#enter(rotation, next)
    else await this.#waitFor(rotation, waitingFor)
  }

  async #waitFor(rotation: Rotation, waitingFor: string): Promise<void> {
    if (waitingFor === rotation.waitingFor) return
    await this.#options.store.update((record) =>
      record.rotation?.id === rotation.id ? { ...record, rotation: { ...record.rotation, waitingFor } } : undefined,
    )
  }

  /** Another CA was plugged in while proxies were still learning the root of the one before. */
  async #isReplacedAgain(rotation: Rotation): Promise<boolean> {
    const { source, store, now } = this.#options
    const offered = source.current
    if (rotation.phase !== 'distribute' || rotation.reason !== 'replaced') return false
    const { fingerprint } = rootFacts(offered.authority)
    if (fingerprint === rotation.next.fingerprint) return false
    log.info('the CA was replaced again')
    await store.update((record) => withoutRotation(record, now()))
    return true
  }

  async #enter(rotation: Rotation, phase: Phase): Promise<void> {
    const { store, source, now } = this.#options
    const next = casOf(rotation, store.keys)?.next
    // From here on the new root is the only one: whoever starts anew must find it.
    if (phase === 'retire' && next && source.current.ownSecret !== undefined) await source.replaceOwn(next)
    log.info(`the change of the root goes on: ${phase}`)
    await store.update((record) => {
      if (record.rotation?.id !== rotation.id) return undefined
      const { forced: _, waitingFor: __, ...rest } = record.rotation
      return { ...record, rotation: { ...rest, phase, phaseAt: now() } }
    })
  }

  async #finish(rotation: Rotation): Promise<void> {
    const { store, source, now } = this.#options
    const cas = casOf(rotation, store.keys)
    if (!cas) return
    const authority = CertificateAuthority.load(cas.next)
    const holds = inForceOf({ authority, origin: source.current.origin })
    await store.update((record) => ({ ...withoutRotation(record, now()), inForce: holds }))
    await store.saveKeys(undefined)
    log.info(`the change of the root is complete: "${holds.subject}"`)
  }

  async #answerRequest(): Promise<void> {
    const { store } = this.#options
    const { request, answer } = store.record
    if (!request || request.id === answer?.id) return
    const message = await this.#obey(request.action)
    await store.update((record) => ({ ...record, answer: { id: request.id, message } }))
  }

  /** @returns what was done, or why not */
  async #obey(action: 'rotate' | 'abort' | 'force'): Promise<string> {
    const { store, source, now } = this.#options
    const { rotation } = store.record
    const { ownSecret, origin, files } = source.current
    if (action === 'rotate') {
      if (rotation) return `a change of the root is under way already (${rotation.phase})`
      if (ownSecret === undefined)
        return `refused: the CA of ${origin} was plugged in; replace it there, and the root is changed without further ado`
      await this.#begin('requested', this.#options.makeRoot(), files)
      return 'begun'
    }
    if (!rotation) return 'refused: no change of the root is under way'
    if (action === 'force') {
      await store.update((record) => (record.rotation ? { ...record, rotation: { ...record.rotation, forced: true } } : undefined))
      return `the phase ${rotation.phase} ends without waiting for proxies`
    }
    if (rotation.reason === 'replaced') return `refused: put the former CA back to ${origin}, and the root is changed back`
    if (rotation.phase === 'retire')
      return 'refused: the old root is being taken away already; ask for another change when this one is over'
    if (rotation.phase === 'distribute' || !casOf(rotation, store.keys)) {
      await store.update((record) => withoutRotation(record, now()))
      await store.saveKeys(undefined)
      return 'aborted: the old root stays'
    }
    return this.#turnBack(rotation)
  }

  /** Proxies have both roots and some have certificates of the new one: they get certificates of the old one again. */
  async #turnBack(rotation: Rotation): Promise<string> {
    const { store, now } = this.#options
    if (!store.keys?.old) return 'refused: the old CA is not at hand any more'
    if (rotation.back) return 'refused: the change goes back already'
    const { forced: _, waitingFor: __, ...rest } = rotation
    const back: Rotation = { ...rest, back: true, reason: 'aborted', old: rotation.next, next: rotation.old, phaseAt: now() }
    await store.update((record) => (record.rotation?.id === rotation.id ? { ...record, rotation: back } : undefined))
    return 'turned back: proxies get certificates of the old root again'
  }
}

const signerRoot = (files: CaFiles) => rootFacts(CertificateAuthority.load(files))

function inForceOf({ authority, origin }: Pick<OfferedCa, 'authority' | 'origin'>): NonNullable<RotationRecord['inForce']> {
  const { certPem, crlPem } = authority.material
  const listsEnd = endOfLists(readRevocationLists(crlPem))?.toISOString()
  const facts = { ...rootFacts(authority), rootsPem: authority.rootsPem, origin, signer: factsOf(certPem) }
  return listsEnd ? { ...facts, listsEnd } : facts
}

function withoutRotation({ rotation, ...record }: RotationRecord, endedAt: number): RotationRecord {
  if (!rotation) return record
  const { id, reason, old, next, startedAt } = rotation
  return { ...record, last: { id, reason, old, next, startedAt, endedAt }, replicas: {} }
}
