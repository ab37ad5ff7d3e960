/** The server's certificate and the roots that it trusts for clients, replaceable while connections are open. */

export interface ServerCertificate {
  /** PEM: the certificate and what leads to the root. */
  readonly certificateChain: string | Buffer
  /** PEM. */
  readonly privateKey: string | Buffer
  /** PEM: roots that client certificates are verified against. */
  readonly clientRoots: string | Buffer
  /**
   * PEM: revocation lists that the whole chain of a client certificate is looked up in; empty for none. With any, a certificate whose chain
   * has a CA without a list counts for nothing, as at Envoy.
   */
  readonly clientLists?: string
}

/**
 * Holds the certificate in force. New connections get a replaced one at once; open connections keep theirs until they end.
 * A client certificate is asked for but not needed: those who have none can still show a token.
 */
export class CertificateStore {
  #current: ServerCertificate
  readonly #watchers = new Set<() => void>()

  constructor(certificate: ServerCertificate) {
    this.#current = certificate
  }

  get current(): ServerCertificate {
    return this.#current
  }

  /** Puts another certificate, key and set of roots in force. */
  replace(certificate: ServerCertificate): void {
    this.#current = certificate
    for (const watcher of this.#watchers) watcher()
  }

  /** Calls back after each replacement, until the result is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }
}
