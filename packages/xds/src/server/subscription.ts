/**
 * One type on one stream: what the client asked for, what it holds, and the one response that it has not answered yet.
 *
 * Enters: requests and the newest set of resources. Leaves: the next response, if there is one to send. What the client holds is
 * "the view last sent, but for these exceptions", so a stream in its normal state costs a few references, and streams in equal
 * states get the same bytes.
 */

import { culpritsNamed, othersWereApplied } from '../protocol/culprits.ts'
import { type HeldVersions, sameFingerprint } from '../protocol/held-versions.ts'
import type { DeltaRequest, ErrorDetail, SotwRequest } from '../protocol/messages.ts'
import type { Resource, ResourceSet } from '../resource-source.ts'
import type { NameInterner, NameSet } from './names.ts'
import type { Encoded, Push, PushCache, PushKey } from './pushes.ts'
import { ABSENT_VERSION, type ResponseEncoder } from './responses.ts'
import {
  covers,
  EMPTY_SET,
  exactlyHeld,
  findIn,
  lookUp,
  parentOf,
  resourcesOf,
  type Selection,
  type Steps,
  selection,
  type View,
} from './views.ts'

/** What a client holds under a name. The bytes are not known when the client brought it from an earlier stream. */
export interface Held {
  readonly version: string
  readonly bytes?: Uint8Array
}

/** What all subscriptions of a server share. */
export interface SharedState {
  readonly names: NameInterner
  readonly pushes: PushCache
}

/** `additions` keeps removals back: they come with the next call for `all`. */
export type Mode = 'all' | 'additions'

/** A response to send. */
export interface Outgoing extends Encoded {
  readonly changed: readonly Resource[]
  readonly removed: readonly string[]
  /** Names that the client held before, in another version. */
  readonly replaced: readonly Resource[]
}

/** What an answer of the client meant. */
export type Answer =
  | { readonly kind: 'stale' }
  | { readonly kind: 'accepted'; readonly sentAt: number; readonly count: number }
  /** `culprits` is empty while it is still being found out which resource is at fault. */
  | { readonly kind: 'refused'; readonly culprits: readonly string[] }

interface InFlight {
  readonly nonce: string
  readonly sentAt: number
  readonly from: View
  readonly before: Exceptions | undefined
  readonly changed: readonly Resource[]
  readonly removed: readonly string[]
}

type Exceptions = ReadonlyMap<string, Held | undefined>

/** Most responses spent on finding a resource at fault before all that are suspected are given up. */
const MAX_SEARCH = 64

export class Subscription {
  readonly typeUrl: string
  readonly #encoder: ResponseEncoder
  readonly #shared: SharedState
  #selection: Selection
  #sent: View
  #exceptions: Exceptions | undefined
  #refused: Map<string, string> | undefined
  /** Groups of names of which one is at fault; each is sent apart from everything else. */
  #suspects: string[][] = []
  #searched = 0
  /** Covered names that the client waits for a word on: it has let go of what it held, if anything. */
  #asked: Set<string> | undefined
  #mustAnswer = false
  #dirty = false
  #inFlight: InFlight | undefined
  #first = true
  #seed: HeldVersions | undefined
  #seedVersion = ''
  #heldMemo: { readonly sent: View; readonly exceptions: Exceptions | undefined; readonly names: NameSet } | undefined
  /** Responses sent and answered so far. */
  sentCount = 0
  answeredCount = 0

  constructor(typeUrl: string, encoder: ResponseEncoder, shared: SharedState) {
    this.typeUrl = typeUrl
    this.#encoder = encoder
    this.#shared = shared
    this.#selection = selection(false, shared.names.empty)
    this.#sent = { set: EMPTY_SET, selection: this.#selection }
  }

  get busy(): boolean {
    return this.#inFlight !== undefined
  }

  /** Whether the client lacks something because it refused it, or something like it is still being looked for. */
  get refusing(): boolean {
    return this.#refused !== undefined || this.#suspects.length > 0
  }

  get names(): NameSet {
    return this.#selection.names
  }

  get wildcard(): boolean {
    return this.#selection.wildcard
  }

  /** Whether no request has come yet. */
  get fresh(): boolean {
    return this.#first
  }

  /** Takes the subscription part of a delta request. */
  requestDelta(request: DeltaRequest): void {
    const { subscribe, unsubscribe } = request
    if (this.#first) {
      this.#first = false
      // A first request without names means everything, of any type: so ask Envoy for VirtualHosts, and clients of Istio for name tables.
      const wildcard = subscribe.length === 0 || subscribe.includes('*')
      this.#select(wildcard, this.#shared.names.empty.change(subscribe, ['*']))
      if (request.initialVersions.size > 0) this.#seed = request.initialVersions
      else this.#mustAnswer = wildcard
      return
    }
    if (subscribe.length === 0 && unsubscribe.length === 0) return
    const before = this.#selection
    let wildcard = before.wildcard
    if (subscribe.includes('*') && !wildcard) {
      wildcard = true
      this.#mustAnswer = true
    }
    if (unsubscribe.includes('*')) wildcard = false
    const named = subscribe.filter((name) => name !== '*')
    this.#select(wildcard, before.names.change(named, unsubscribe))
    for (const name of named) if (covers(before, name) || this.#exceptions?.has(name)) this.#ask(name)
    for (const name of unsubscribe) {
      if (!before.names.has(name)) continue
      // Let go of, even if it is asked for again before anything else is sent.
      if (covers(this.#selection, name)) this.#ask(name)
      else this.#forget(name)
    }
  }

  /** Takes the subscription part of a state-of-the-world request, which lists all names each time. */
  requestSotw(request: SotwRequest): void {
    const first = this.#first
    this.#first = false
    const wildcard = request.names.includes('*') || (request.names.length === 0 && (first || this.wildcard))
    if (first) {
      this.#mustAnswer = wildcard
      this.#seedVersion = request.version
    } else if (wildcard && !this.wildcard) this.#mustAnswer = true
    const dropped = missing(this.#selection.names, request.names)
    this.#select(wildcard, this.#selection.names.change(request.names, ['*', ...dropped]))
    if (!wildcard) for (const name of dropped) this.#forget(name)
  }

  /** Limits a wildcard subscription to what lies below the given parents (virtual hosts below route configurations). */
  limitTo(parents: NameSet): void {
    if (this.#selection.parents !== parents) this.#selection = selection(this.#selection.wildcard, this.#selection.names, parents)
  }

  /** The client needs a word on these resources again, whether they changed, or exist, or not. */
  sendAgain(names: Iterable<string>): void {
    for (const name of names) if (covers(this.#selection, name)) this.#ask(name)
  }

  /** The client has let go of everything below a parent that it asked for again. */
  sendAgainBelow(parents: ReadonlySet<string>): void {
    if (parents.size === 0) return
    for (const resource of resourcesOf(this.#sent)) if (parents.has(parentOf(resource.name))) this.#forget(resource.name)
  }

  /** Whether there may be something to send when the newest set is this. */
  behind(target: ResourceSet): boolean {
    if (this.#dirty || this.#mustAnswer || this.#seed || target !== this.#sent.set) return true
    return this.#selection.key !== this.#sent.selection.key
  }

  /** The next response, which is then in flight; nothing when the client holds the target, or has not answered the last one. */
  next(target: ResourceSet, mode: Mode, now: number): Outgoing | undefined {
    if (this.#inFlight) return undefined
    if (this.#seed || this.#seedVersion) this.#plant(target)
    if (!this.behind(target)) return undefined
    const to: View = { set: target, selection: this.#selection }
    const plain = !this.#exceptions && !this.#refused && !this.#asked && this.#suspects.length === 0
    const push = this.#shared.pushes.between(this.typeUrl, this.#sent, to)
    const holdsBack = mode === 'additions' && push.steps.removed.length > 0
    return plain && !holdsBack ? this.#sendShared(push, to, now) : this.#sendOwn(push.steps, to, mode, now)
  }

  /** Takes the client's answer to a response. */
  answer(nonce: string, error: ErrorDetail | undefined): Answer {
    const sent = this.#inFlight
    if (!sent || sent.nonce !== nonce) return { kind: 'stale' }
    this.#inFlight = undefined
    this.answeredCount += 1
    if (error) return { kind: 'refused', culprits: this.#takeRefusal(sent, error) }
    if (this.#suspects.length === 0) this.#searched = 0
    return { kind: 'accepted', sentAt: sent.sentAt, count: sent.changed.length }
  }

  /** What the client holds, as far as the server knows: for dumps and tests. */
  *held(): Generator<[string, string]> {
    for (const resource of resourcesOf(this.#sent)) if (!this.#exceptions?.has(resource.name)) yield [resource.name, resource.version]
    for (const [name, held] of this.#exceptions ?? []) if (held) yield [name, held.version]
  }

  /** Names of held resources that pass a test, which must be a pure function of the resource. */
  heldWhere(key: PushKey<NameSet>, test: (resource: Resource) => boolean): NameSet {
    const memo = this.#heldMemo
    if (memo && memo.sent === this.#sent && memo.exceptions === this.#exceptions) return memo.names
    const push = this.#shared.pushes.between(
      this.typeUrl,
      { set: EMPTY_SET, selection: selection(false, this.#shared.names.empty) },
      this.#sent,
    )
    const all = push.derived(key, () => this.#shared.names.intern(new Set(push.steps.changed.filter(test).map((r) => r.name))))
    const lacking = [...(this.#exceptions ?? [])].filter(([, held]) => !held).map(([name]) => name)
    const names = lacking.length > 0 ? all.change([], lacking) : all
    this.#heldMemo = { sent: this.#sent, exceptions: this.#exceptions, names }
    return names
  }

  #select(wildcard: boolean, names: NameSet): void {
    this.#selection = selection(wildcard, names, this.#selection.parents)
  }

  #ask(name: string): void {
    this.#asked ??= new Set()
    this.#asked.add(name)
    this.#forget(name)
  }

  #forget(name: string): void {
    this.#exceptions = new Map(this.#exceptions ?? []).set(name, undefined)
    this.#dirty = true
  }

  // The client said what it holds from an earlier stream. Nothing is sent for what it holds in today's version.
  #plant(target: ResourceSet): void {
    const view: View = { set: target, selection: this.#selection }
    if (this.#seedVersion && this.#encoder.stateVersion(view) === this.#seedVersion) {
      this.#sent = view
      this.#mustAnswer = false
    }
    this.#seedVersion = ''
    if (this.#seed) this.#plantVersions(view, this.#seed)
    this.#seed = undefined
  }

  #plantVersions(view: View, seed: HeldVersions): void {
    const exact = exactlyHeld(view)
    if (sameFingerprint(seed.fingerprint(), exact.fingerprint)) {
      this.#sent = view
      if (exact.absent.length === 0) return
      this.#asked = new Set(exact.absent)
      this.#dirty = true
      return
    }
    const versions = seed.toMap()
    let held = view
    if (view.selection.parents) {
      // It holds virtual hosts only of route configurations that it holds, even when it has not asked for those yet.
      const parents = this.#shared.names.intern(new Set(Array.from(versions.keys(), parentOf)))
      held = { set: view.set, selection: selection(view.selection.wildcard, view.selection.names, parents) }
    }
    const exceptions = new Map<string, Held | undefined>()
    for (const [name, version] of versions) {
      const current = findIn(view.set, name)
      if (!covers(held.selection, name) || current?.version === version || (!current && version === ABSENT_VERSION)) continue
      exceptions.set(name, { version })
    }
    for (const resource of resourcesOf(held)) if (!versions.has(resource.name)) exceptions.set(resource.name, undefined)
    for (const name of held.selection.names.names) if (!versions.has(name) && !findIn(view.set, name)) (this.#asked ??= new Set()).add(name)
    this.#sent = held
    if (exceptions.size > 0) this.#exceptions = exceptions
    this.#dirty = exceptions.size > 0 || this.#asked !== undefined
  }

  #sendShared(push: Push, to: View, now: number): Outgoing | undefined {
    const from = this.#sent
    this.#sent = to
    if (!this.#mustAnswer && !this.#encoder.says(push.steps, to)) return undefined
    this.#mustAnswer = false
    const encoded = push.encoded('all', () => this.#encoder.encode(push.steps, to, undefined))
    const replaced = push.derived(REPLACED, () => push.steps.changed.filter((resource) => lookUp(from, resource.name)))
    return this.#launch({ ...encoded, changed: push.steps.changed, removed: push.steps.removed, replaced }, from, undefined, now)
  }

  #sendOwn(base: Steps, to: View, mode: Mode, now: number): Outgoing | undefined {
    const from = this.#sent
    const before = this.#exceptions
    let plan = this.#plan(base, to, mode, new Set(this.#suspects.flat()))
    while (!this.#mustAnswer && !this.#encoder.says(plan, to) && this.#suspects.length > 0) {
      this.#suspects.shift()
      plan = this.#plan(base, to, mode, new Set(this.#suspects.flat()))
    }
    this.#sent = to
    this.#exceptions = plan.left.size > 0 ? plan.left : undefined
    this.#prune(plan.left)
    this.#asked = undefined
    this.#dirty = plan.heldBack || this.#suspects.length > 0
    if (!this.#mustAnswer && !this.#encoder.says(plan, to)) return undefined
    this.#mustAnswer = false
    const encoded = this.#encoder.encode(plan, to, this.#exceptions)
    return this.#launch({ ...encoded, changed: plan.changed, removed: plan.removed, replaced: plan.replaced }, from, before, now)
  }

  #plan(base: Steps, to: View, mode: Mode, suspected: ReadonlySet<string>) {
    const left = new Map<string, Held | undefined>()
    const plan = {
      changed: [] as Resource[],
      removed: [] as string[],
      unknown: [] as string[],
      replaced: [] as Resource[],
      whole: false,
      left,
      heldBack: false,
    }
    const unknown = new Set(base.unknown)
    const candidates = new Set([
      ...base.changed.map((r) => r.name),
      ...base.removed,
      ...unknown,
      ...(this.#exceptions?.keys() ?? []),
      ...(this.#asked ?? []),
    ])
    for (const name of candidates) {
      if (!covers(to.selection, name)) continue
      const want = lookUp(to, name)
      const have = this.#exceptions?.has(name) ? this.#exceptions.get(name) : lookUp(this.#sent, name)
      if (want) {
        if (have?.version === want.version) continue
        if (suspected.has(name) || this.#refused?.get(name) === want.version) left.set(name, have)
        else {
          plan.changed.push(want)
          if (have) plan.replaced.push(want)
        }
      } else if (have) {
        if (mode === 'all') plan.removed.push(name)
        else left.set(name, have)
        plan.heldBack ||= mode === 'additions'
      } else if (unknown.has(name) || this.#asked?.has(name)) plan.unknown.push(name)
    }
    return plan
  }

  #launch(outgoing: Outgoing, from: View, before: Exceptions | undefined, now: number): Outgoing {
    this.#inFlight = { nonce: outgoing.nonce, sentAt: now, from, before, changed: outgoing.changed, removed: outgoing.removed }
    this.sentCount += 1
    return outgoing
  }

  // A refusal counts for the versions that were refused; only what is left as an exception can still be in one of them.
  #prune(left: Exceptions): void {
    if (!this.#refused) return
    for (const name of this.#refused.keys()) if (!left.has(name)) this.#refused.delete(name)
    if (this.#refused.size === 0) this.#refused = undefined
  }

  #takeRefusal(sent: InFlight, error: ErrorDetail): readonly string[] {
    // A response of removals only: there is nothing to hold back, and sending it again would be refused again.
    if (sent.changed.length === 0) return []
    const named = sent.changed.length === 1 ? sent.changed : culpritsNamed(sent.changed, error.message)
    const exceptions = new Map(this.#exceptions ?? [])
    const restore = (name: string) => exceptions.set(name, sent.before?.has(name) ? sent.before.get(name) : lookUp(sent.from, name))
    const partly = named.length > 0 && othersWereApplied(this.typeUrl, error.message)
    for (const resource of partly ? named : sent.changed) restore(resource.name)
    if (!partly) sent.removed.forEach(restore)
    this.#exceptions = exceptions
    this.#dirty = true
    const culprits = named.length > 0 ? named : this.#search(sent.changed)
    for (const resource of culprits) (this.#refused ??= new Map()).set(resource.name, resource.version)
    return culprits.map((resource) => resource.name)
  }

  // Nobody was named: halve what was refused until one resource is left. Returns those given up when that takes too long.
  #search(refused: readonly Resource[]): readonly Resource[] {
    this.#searched += 1
    if (this.#searched > MAX_SEARCH) return refused
    const middle = refused.length >> 1
    const names = refused.map((resource) => resource.name)
    this.#suspects.unshift(names.slice(0, middle), names.slice(middle))
    return []
  }
}

const REPLACED: PushKey<readonly Resource[]> = { name: 'replaced' }

function missing(names: NameSet, listed: readonly string[]): string[] {
  const present = new Set(listed)
  return [...names.names].filter((name) => !present.has(name))
}
