/**
 * What the control plane tells the agents of trust, as resources on the proxy's own xDS stream: which roots to trust, and under which
 * root their certificates are to be issued. The agent acknowledges each when it is in force: when Envoy has taken the roots, when it
 * holds a certificate of that issuer. A change of the root waits for these acknowledgements.
 *
 * The bytes are JSON: both ends are ours, and a wrong word must be readable in a dump.
 */
import { CaError } from './errors.ts'
import { parseCertificates } from './inspect.ts'

export const TRUST_TYPE = {
  roots: 'type.googleapis.com/lateen.trust.v1.Roots',
  issuer: 'type.googleapis.com/lateen.trust.v1.Issuer',
} as const

/** The one resource of each type. */
export const TRUST_NAME = 'mesh'

/** All that peers are checked by. */
export interface TrustRoots {
  readonly rootsPem: string
  /** Roots of other trust domains, by the domain: they are trusted for its identities alone. */
  readonly domains: Readonly<Record<string, string>>
  /** Revocation lists; empty for none. */
  readonly crlPem: string
}

export interface TrustIssuer {
  /** The root that certificates must lead to; empty when any will do. */
  readonly rootPem: string
  /** Agents that need a new certificate ask for it within so many milliseconds, each at a random time. */
  readonly spreadMs: number
}

const MAX_BYTES = 4 << 20

export const encodeTrust = (message: TrustRoots | TrustIssuer): Buffer => Buffer.from(JSON.stringify(message))

/** @throws CaError when the bytes are no such message, or a certificate in it cannot be read */
export function decodeRoots(bytes: Uint8Array): TrustRoots {
  const { rootsPem, domains, crlPem } = fieldsOf(bytes)
  if (typeof rootsPem !== 'string' || typeof crlPem !== 'string' || !isTexts(domains)) throw malformed()
  for (const pem of [rootsPem, ...Object.values(domains)]) parseCertificates(pem, 'the roots of the control plane')
  return { rootsPem, domains, crlPem }
}

/** @throws CaError when the bytes are no such message, or its root cannot be read */
export function decodeIssuer(bytes: Uint8Array): TrustIssuer {
  const { rootPem, spreadMs } = fieldsOf(bytes)
  if (typeof rootPem !== 'string' || typeof spreadMs !== 'number') throw malformed()
  if (rootPem !== '') parseCertificates(rootPem, 'the root to be issued under')
  return { rootPem, spreadMs: Math.max(0, spreadMs) }
}

function fieldsOf(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.length > MAX_BYTES) throw malformed()
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Said below.
  }
  throw malformed()
}

const isTexts = (value: unknown): value is Record<string, string> =>
  typeof value === 'object' && value !== null && Object.values(value).every((item) => typeof item === 'string')

const malformed = (): CaError => new CaError('CERTIFICATE_INVALID', 'what the control plane says of trust cannot be read')
