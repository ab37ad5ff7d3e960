/** What a proxy proves itself with. */
import type { TrustIssuer, TrustRoots } from '@lateen/ca'

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
  /** What peers are checked by; `undefined` until there is anything. */
  readonly trust: TrustRoots | undefined
  /** Calls back after `current` or `trust` changed; returns how to stop that. */
  subscribe(listener: () => void): () => void
  /** Ends timers and watches. */
  close(): void
}

/** An identity whose issuer and roots the control plane may change while the proxy runs. */
export interface SteeredIdentity extends IdentitySource {
  /**
   * Takes the roots that the control plane names. `complete`: they are all there are, whatever came with the certificate or is
   * mounted; else they count beside those.
   */
  setTrust(roots: TrustRoots, complete: boolean): void
  /**
   * Fulfilled once the certificate in use leads to a root; for that a new one is asked for.
   *
   * @throws Error when the CA goes on issuing under another root
   */
  issuedUnder(issuer: TrustIssuer): Promise<void>
  /** The roots that a server of the control plane is checked by: those of a file, and those that the control plane has named. */
  serverRoots(file: string): string
}
