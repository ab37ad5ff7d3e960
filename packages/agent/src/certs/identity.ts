/** What a proxy proves itself with. */

/** A key with its certificate chain, and the roots that peers are checked against. */
export interface WorkloadIdentity {
  /** PKCS #8. */
  readonly keyPem: string
  /** Leaf first, without the root. */
  readonly chainPem: string
  /** The roots that came with the certificate. */
  readonly rootsPem: string
}

/** Where the identity comes from: a CA, or files. */
export interface IdentitySource {
  /** The newest identity; `undefined` until there is one. */
  readonly current: WorkloadIdentity | undefined
  /** Roots to trust: those of the identity and those configured beside it; `undefined` until there are any. */
  readonly roots: string | undefined
  /** Calls back after `current` or `roots` changed; returns how to stop that. */
  subscribe(listener: () => void): () => void
  /** Ends timers and watches. */
  close(): void
}
