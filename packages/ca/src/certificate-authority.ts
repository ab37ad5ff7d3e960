/** Signing for workloads and for the control plane's own servers. */
import { buildCertificate, publicKeyDer } from './certificate.ts'
import { CaError } from './errors.ts'
import { type AlternativeNames, nameDer, type PeerLabels, parseIdentity, peerUnits, type SubjectName } from './names.ts'
import { checkRequest, generateKey, type KeyKind, keyToPem } from './request.ts'
import { BACKDATE_MS } from './self-signed.ts'

import { type CaFiles, loadSigningMaterial, type SigningMaterial } from './signing-material.ts'

const HOUR_MS = 3_600_000

export interface CaOptions {
  /** Lifetime where the request names none (DEFAULT_WORKLOAD_CERT_TTL); 24 hours. */
  readonly defaultTtlMs?: number
  /** Longest lifetime granted (MAX_WORKLOAD_CERT_TTL); 90 days. */
  readonly maxTtlMs?: number
  /** The clock, in milliseconds of the epoch. */
  readonly now?: () => number
}

export interface WorkloadRequest {
  /** Proven SPIFFE identities of the caller. A certificate carries exactly one. */
  readonly identities: readonly string[]
  /** Lifetime asked for; absent or 0 for the default. */
  readonly ttlMs?: number
  /** Fields for peers' metrics, put into the subject. */
  readonly labels?: PeerLabels
}

export interface ServerRequest {
  readonly dnsNames: readonly string[]
  readonly ips?: readonly string[]
  /** SPIFFE identities besides. */
  readonly uris?: readonly string[]
  readonly ttlMs?: number
  readonly key?: KeyKind
}

export interface SignedCertificate {
  /** The leaf alone. */
  readonly certPem: string
  /** The leaf, intermediates, and all roots in one text last: the order of `IstioCertificateResponse.cert_chain`. */
  readonly chain: readonly string[]
  /** The leaf and intermediates in one text, as a TLS server sends them. */
  readonly chainPem: string
  readonly serial: string
  readonly notBefore: Date
  readonly notAfter: Date
}

/** A CA that is ready to sign. It holds the private key; let it go to let the key go. */
export class CertificateAuthority {
  readonly material: SigningMaterial
  readonly #defaultTtlMs: number
  readonly #maxTtlMs: number
  readonly #now: () => number

  constructor(material: SigningMaterial, options: CaOptions = {}) {
    this.material = material
    this.#defaultTtlMs = options.defaultTtlMs ?? 24 * HOUR_MS
    this.#maxTtlMs = options.maxTtlMs ?? 90 * 24 * HOUR_MS
    this.#now = options.now ?? Date.now
  }

  /**
   * Checks the texts of a CA and makes an authority of them.
   *
   * @throws CaError
   */
  static load(files: CaFiles, options: CaOptions = {}): CertificateAuthority {
    return new CertificateAuthority(loadSigningMaterial(files, (options.now ?? Date.now)()), options)
  }

  /** All roots that workloads are to trust. */
  get rootsPem(): string {
    return this.material.rootsPem
  }

  /**
   * A certificate for the key of a request. Names in the request are ignored; the identity is the caller's, as proven.
   *
   * @throws CaError with code REQUEST_INVALID, KEY_REFUSED, SUBJECT_REFUSED or, when the CA itself has expired, CA_UNUSABLE
   */
  signWorkload(requestPem: string, request: WorkloadRequest): SignedCertificate {
    const [identity, ...others] = request.identities
    if (identity === undefined || others.length > 0) {
      throw new CaError('SUBJECT_REFUSED', `a workload certificate carries one identity; ${request.identities.length} were given`)
    }
    if (!parseIdentity(identity)) {
      throw new CaError(
        'SUBJECT_REFUSED',
        `"${identity}" is not an identity; expected spiffe://<trust domain>/ns/<namespace>/sa/<service account>`,
      )
    }
    const ttlMs = this.#ttl(request.ttlMs)
    const { publicKeyDer } = checkRequest(requestPem)
    return this.#sign(publicKeyDer, { units: peerUnits(request.labels ?? {}) }, { uris: [identity] }, ttlMs)
  }

  /**
   * A key and certificate for a server of the control plane: its gRPC port, webhooks.
   *
   * @throws CaError with code SUBJECT_REFUSED or CA_UNUSABLE
   */
  signServer(request: ServerRequest): SignedCertificate & { readonly keyPem: string } {
    if (request.dnsNames.length + (request.ips?.length ?? 0) === 0) {
      throw new CaError('SUBJECT_REFUSED', 'a server certificate needs a DNS name or an IP address')
    }
    const key = generateKey(request.key)
    const names = { dnsNames: request.dnsNames, ips: request.ips ?? [], uris: request.uris ?? [] }
    return { ...this.#sign(publicKeyDer(key), {}, names, this.#ttl(request.ttlMs)), keyPem: keyToPem(key) }
  }

  #ttl(asked: number | undefined): number {
    if (!asked) return Math.min(this.#defaultTtlMs, this.#maxTtlMs)
    if (asked < 0 || !Number.isFinite(asked)) throw new CaError('SUBJECT_REFUSED', 'the lifetime asked for is not a positive number')
    if (asked > this.#maxTtlMs) {
      throw new CaError(
        'SUBJECT_REFUSED',
        `a lifetime of ${asked / HOUR_MS} h is asked for; at most ${this.#maxTtlMs / HOUR_MS} h are granted (MAX_WORKLOAD_CERT_TTL)`,
      )
    }
    return asked
  }

  #sign(publicKeyDer: Buffer, subject: SubjectName, alternativeNames: AlternativeNames, ttlMs: number): SignedCertificate {
    const { material } = this
    const now = this.#now()
    const caEnd = material.certificate.validToDate.getTime()
    if (caEnd <= now)
      throw new CaError(
        'CA_UNUSABLE',
        `the CA's certificate expired at ${material.certificate.validToDate.toISOString()}; nothing can be signed until it is replaced`,
      )
    const notBefore = wholeSeconds(now - BACKDATE_MS)
    // A leaf that outlives its issuer would be refused in the middle of its life; it ends with the issuer instead.
    const notAfter = wholeSeconds(Math.min(now + ttlMs, caEnd))
    const built = buildCertificate(
      {
        issuer: material.issuer.subject,
        subject: nameDer(subject),
        publicKeyDer,
        notBefore,
        notAfter,
        isCa: false,
        alternativeNames,
        issuerKeyId: material.issuer.keyId,
      },
      material.key,
    )
    const chain = [built.pem, ...material.intermediatesPem]
    return { certPem: built.pem, chain: [...chain, material.rootsPem], chainPem: chain.join(''), serial: built.serial, notBefore, notAfter }
  }
}

const wholeSeconds = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000)
