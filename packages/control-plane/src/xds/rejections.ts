/**
 * From refusals of proxies to the objects behind them.
 *
 * Enters: rejected and accepted types of sessions. Leaves: for each object, that proxies refuse what it makes (with their words), and
 * later that none does any more.
 */
import { type ObjectRef, objectName } from '@lateen/base'

export interface ObjectRejection {
  readonly object: ObjectRef
  /** `Cluster outbound|80||cart.shop.svc.cluster.local`: the resource that was refused. */
  readonly resource: string
  /** Envoy's own words. */
  readonly message: string
  readonly nodeId: string
}

export interface RejectionListener {
  rejected(rejection: ObjectRejection): void
  /** No connected proxy refuses anything that this object makes. */
  cleared(object: ObjectRef): void
}

export interface RefusedResource {
  readonly name: string
  readonly origins: readonly ObjectRef[]
}

/** Bounds what a proxy can make the control plane remember. */
const MAX_OBJECTS = 2_000
const MAX_MESSAGE = 2_000
/** When Envoy names no culprit, an answer with more resources than this says nothing about any of them. */
export const MAX_UNNAMED = 10

export class RejectionLedger<Session extends object> {
  readonly #listener: RejectionListener
  /** Objects refused, each with the sessions and types that refuse it. */
  readonly #refused = new Map<string, { readonly object: ObjectRef; readonly by: Set<string> }>()
  readonly #sessions = new Map<Session, string>()
  #next = 0

  constructor(listener: RejectionListener) {
    this.#listener = listener
  }

  /** A session refuses resources of a type; what it refused of that type before and is not refused now, it has taken. */
  reject(session: Session, typeUrl: string, nodeId: string, resources: readonly RefusedResource[], message: string): void {
    const by = this.#key(session, typeUrl)
    const still = new Set<string>()
    for (const { name, origins } of resources) {
      for (const object of origins) {
        const key = objectName(object)
        still.add(key)
        let entry = this.#refused.get(key)
        if (!entry) {
          if (this.#refused.size >= MAX_OBJECTS) continue
          this.#refused.set(key, (entry = { object, by: new Set() }))
        }
        entry.by.add(by)
        const kind = typeUrl.slice(typeUrl.lastIndexOf('.') + 1)
        this.#listener.rejected({ object, resource: `${kind} ${name}`, message: message.slice(0, MAX_MESSAGE), nodeId })
      }
    }
    this.#clear(by, (key) => !still.has(key))
  }

  accept(session: Session, typeUrl: string): void {
    if (this.#refused.size > 0) this.#clear(this.#key(session, typeUrl), () => true)
  }

  /** The session has ended: nobody can say any more that it refuses anything. */
  close(session: Session): void {
    const id = this.#sessions.get(session)
    this.#sessions.delete(session)
    if (id === undefined) return
    for (const { by } of [...this.#refused.values()]) {
      for (const key of by) if (key.startsWith(`${id} `)) this.#clear(key, () => true)
    }
  }

  /** Whether any connected proxy refuses something that the object makes. */
  isRefused(object: ObjectRef): boolean {
    return this.#refused.has(objectName(object))
  }

  #key(session: Session, typeUrl: string): string {
    let id = this.#sessions.get(session)
    if (id === undefined) this.#sessions.set(session, (id = String(this.#next++)))
    return `${id} ${typeUrl}`
  }

  #clear(by: string, applies: (key: string) => boolean): void {
    for (const [key, entry] of this.#refused) {
      if (!applies(key) || !entry.by.delete(by) || entry.by.size > 0) continue
      this.#refused.delete(key)
      this.#listener.cleared(entry.object)
    }
  }
}

/** The resources that a refusal is about: those that its message names, else all when they are few. */
export function culprits(names: readonly string[], message: string): readonly string[] {
  const named = names.filter((name) => namesResource(message, name))
  if (named.length > 0) return named
  return names.length <= MAX_UNNAMED ? names : []
}

/** Whether a message has the name as a whole: `0.0.0.0_80` is not named by `0.0.0.0_8080`. */
function namesResource(message: string, name: string): boolean {
  if (name === '') return false
  for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
    const before = message[at - 1] ?? ' '
    const after = message[at + name.length] ?? ' '
    if (!/[A-Za-z0-9_|]/.test(before) && !/[A-Za-z0-9_|-]/.test(after)) return true
  }
  return false
}
