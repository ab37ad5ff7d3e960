/** The server's certificate and the roots that it trusts for clients, replaceable while connections are open. */
import { experimental, type ServerCredentials } from '@grpc/grpc-js'

export interface ServerCertificate {
  /** PEM: the certificate and what leads to the root. */
  readonly certificateChain: string | Buffer
  /** PEM. */
  readonly privateKey: string | Buffer
  /** PEM: roots that client certificates are verified against. */
  readonly clientRoots: string | Buffer
}

type Listener<T> = (update: T | null) => void
interface CaUpdate {
  caCertificate: Buffer
}
interface IdentityUpdate {
  certificate: Buffer
  privateKey: Buffer
}

/**
 * Holds the certificate in force. New connections get a replaced one at once; open connections keep theirs until they end.
 * A client certificate is asked for but not needed: those who have none can still show a token.
 */
export class CertificateStore {
  #current: ServerCertificate
  readonly #caListeners = new Set<Listener<CaUpdate>>()
  readonly #identityListeners = new Set<Listener<IdentityUpdate>>()

  constructor(certificate: ServerCertificate) {
    this.#current = certificate
  }

  /** Puts another certificate, key and set of roots in force. */
  replace(certificate: ServerCertificate): void {
    this.#current = certificate
    for (const listener of this.#caListeners) listener(this.#ca())
    for (const listener of this.#identityListeners) listener(this.#identity())
  }

  /** Credentials for one gRPC server that follow the store. */
  credentials(): ServerCredentials {
    // grpc-js registers these listeners before the server watches the credentials: an answer at once would be lost.
    const provider = {
      addCaCertificateListener: (listener: Listener<CaUpdate>) => {
        this.#caListeners.add(listener)
        queueMicrotask(() => listener(this.#ca()))
      },
      removeCaCertificateListener: (listener: Listener<CaUpdate>) => void this.#caListeners.delete(listener),
      addIdentityCertificateListener: (listener: Listener<IdentityUpdate>) => {
        this.#identityListeners.add(listener)
        queueMicrotask(() => listener(this.#identity()))
      },
      removeIdentityCertificateListener: (listener: Listener<IdentityUpdate>) => void this.#identityListeners.delete(listener),
    }
    return experimental.createCertificateProviderServerCredentials(provider, provider, false)
  }

  #ca(): CaUpdate {
    return { caCertificate: Buffer.from(this.#current.clientRoots) }
  }

  #identity(): IdentityUpdate {
    return { certificate: Buffer.from(this.#current.certificateChain), privateKey: Buffer.from(this.#current.privateKey) }
  }
}
