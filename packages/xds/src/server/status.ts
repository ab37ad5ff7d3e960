/** The state of each connection, for `proxy-status`, `/debug/syncz` and the console. */
import type { XdsNode } from '../resource-source.ts'
import type { NameSet } from './names.ts'

export interface TypeStatus {
  readonly typeUrl: string
  /**
   * `SYNCED`: the client took the last response. `STALE`: it has not answered yet, or refused a resource. `NOT SENT`: it asked, and
   * there was nothing to send.
   */
  readonly state: 'SYNCED' | 'STALE' | 'NOT SENT'
  readonly nonceSent: string
  readonly nonceAcked: string
  /** Names subscribed to; -1 for all. */
  readonly subscribed: number
  /** The names themselves, which may be many: not copied. */
  readonly names: ReadonlySet<string>
  /** Times in milliseconds since 1970; 0 for never. */
  readonly sentAt: number
  readonly answeredAt: number
  /** The last refusal, as long as the client lacks what it refused; empty otherwise. */
  readonly error: string
}

export interface ConnectionStatus {
  /** Unique among the connections of a server's lifetime: `<node id>-<number>`. */
  readonly id: string
  readonly node: XdsNode
  readonly identities: readonly string[]
  readonly address: string
  readonly encrypted: boolean
  readonly delta: boolean
  readonly connectedAt: number
  /** Nothing is in flight, and nothing that the client subscribes to is left to send. */
  readonly settled: boolean
  readonly types: readonly TypeStatus[]
}

/** Keeps one type's status up to date. */
export class TypeRecord {
  nonceSent = ''
  nonceAcked = ''
  sentAt = 0
  answeredAt = 0
  error = ''

  sent(nonce: string, now: number): void {
    this.nonceSent = nonce
    this.sentAt = now
  }

  /** @param error the reason of a refusal; an error stays until what was refused is out of the way */
  answered(nonce: string, error: string | undefined, now: number): void {
    if (error === undefined) this.nonceAcked = nonce
    else this.error = error || 'refused without a reason'
    this.answeredAt = now
  }

  status(typeUrl: string, selected: { readonly wildcard: boolean; readonly names: NameSet }): TypeStatus {
    const { nonceSent, nonceAcked, sentAt, answeredAt, error } = this
    const state = nonceSent === '' ? 'NOT SENT' : nonceSent === nonceAcked && error === '' ? 'SYNCED' : 'STALE'
    const { names } = selected.names
    const subscribed = selected.wildcard ? -1 : names.size
    return { typeUrl, state, nonceSent, nonceAcked, subscribed, names, sentAt, answeredAt, error }
  }
}
