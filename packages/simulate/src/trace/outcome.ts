/** What a trace finds: the way through one proxy, and what comes at its end, with shares where chance decides. */
import type { Truth } from '../matching/verdict.ts'
import type { Origin } from './origin.ts'

export interface Trace {
  readonly listener?: { readonly name: string; readonly origins: readonly Origin[] }
  readonly filterChain?: {
    readonly name: string
    /** What the chain asks of connections, for people. */
    readonly match: string
    /** How the connection is taken: its TLS is ended here, looked through, or there is none. */
    readonly tls: 'none' | 'mutual' | 'terminated' | 'passed through'
    readonly kind: 'http' | 'tcp'
    readonly origins: readonly Origin[]
  }
  readonly routeConfiguration?: string
  readonly virtualHost?: { readonly name: string; readonly domain: string; readonly origins: readonly Origin[] }
  /** What can happen, in the order of the routes; shares add up to 1. */
  readonly outcomes: readonly PathOutcome[]
}

export interface PathOutcome {
  /** From 0 to 1. */
  readonly share: number
  readonly route?: TakenRoute
  readonly verdicts: readonly FilterVerdict[]
  /** Milliseconds by which an injected fault holds the request up. */
  readonly delayMs?: number
  readonly end: End
}

export interface TakenRoute {
  readonly name: string
  readonly match: string
  /** Position in the virtual host, from 0. */
  readonly index: number
  readonly origins: readonly Origin[]
  /** Routes before it, in order, with the first of their conditions that the request does not meet. */
  readonly passedOver: readonly { readonly name: string; readonly condition: string; readonly origins: readonly Origin[] }[]
  /** A condition that could not be decided from here, when the route was taken on the assumption that it holds. */
  readonly assumed?: string
}

export interface FilterVerdict {
  /** Name of the filter in its chain. */
  readonly filter: string
  readonly result: 'allowed' | 'denied' | 'unknown' | 'changed'
  /** One sentence for people. */
  readonly says: string
  /** Name of the deciding policy. */
  readonly policy?: string
  /** Of authorization: every policy that was asked, and whether it matches. */
  readonly asked?: AskedPolicies
  /** What policies on trial in the same filter would do. */
  readonly trial?: FilterVerdict
  readonly origins: readonly Origin[]
}

export interface AskedPolicies {
  readonly action: 'ALLOW' | 'DENY' | 'LOG'
  /** They only count what they would do. */
  readonly onTrial: boolean
  readonly policies: readonly { readonly name: string; readonly matches: Truth; readonly origins: readonly Origin[] }[]
}

export type End =
  | { readonly kind: 'forward'; readonly cluster: string; readonly request?: ForwardedRequest; readonly policy?: ForwardPolicy }
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly why: string
      readonly location?: string
      readonly body?: string
      /** Response flag of the access log: `NR`, `FI`, `UAEX`; empty for none. */
      readonly flag: string
      readonly headers: readonly HeaderChange[]
    }
  | { readonly kind: 'closed'; readonly why: string; readonly flag: string }

/** The request as it leaves for the cluster. */
export interface ForwardedRequest {
  readonly method: string
  readonly authority: string
  readonly path: string
  readonly headers: ReadonlyMap<string, readonly string[]>
  /** Changes that the route makes to headers, in the order in which they are made. */
  readonly requestChanges: readonly HeaderChange[]
  readonly responseChanges: readonly HeaderChange[]
}

export interface HeaderChange {
  readonly action: 'add' | 'set' | 'remove'
  readonly name: string
  readonly value?: string
}

export interface ForwardPolicy {
  /** Milliseconds; 0 for none. */
  readonly timeoutMs: number
  readonly retries?: { readonly attempts: number; readonly on: readonly string[]; readonly perTryTimeoutMs?: number }
  readonly mirrors: readonly { readonly cluster: string; readonly share: number }[]
  /** By what requests are bound to an endpoint: `header x-user`, `cookie session`. */
  readonly hashedBy: readonly string[]
}
