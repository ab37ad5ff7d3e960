/**
 * Tokens with which a machine outside Kubernetes gets its first certificate: made for one WorkloadGroup, used once, valid for minutes.
 *
 * The cluster holds a Secret with the token's hash, never the token. Whoever takes the token deletes the Secret first; the API server
 * lets one of two such deletions succeed, which makes the token single-use whatever the number of control planes.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** Type of the Secrets, and the prefix of their names. */
export const JOIN_SECRET_TYPE = 'lateen.io/join-token'
const NAME_PREFIX = 'join-token-'
const TOKEN = /^lateen-join\.([a-z0-9]{16})\.([A-Za-z0-9_-]{43})$/

export const DEFAULT_JOIN_TTL_MS = 3_600_000
export const MAX_JOIN_TTL_MS = 24 * 3_600_000

/** What a token lets its holder be. */
export interface JoinClaim {
  readonly namespace: string
  readonly workloadGroup: string
  readonly serviceAccount: string
}

export interface JoinSecret {
  readonly apiVersion: 'v1'
  readonly kind: 'Secret'
  readonly type: typeof JOIN_SECRET_TYPE
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels: Readonly<Record<string, string>> }
  readonly data: Readonly<Record<string, string>>
}

/**
 * A new token, and the Secret by which the control plane knows it; whoever makes a token creates the Secret.
 *
 * @param options.controlPlaneNamespace where the control plane looks for it; only administrators may write there
 * @param options.now milliseconds of the epoch
 */
export function createJoinToken(
  claim: JoinClaim,
  options: { readonly controlPlaneNamespace: string; readonly ttlMs?: number; readonly now: number },
): { readonly token: string; readonly expires: Date; readonly secret: JoinSecret } {
  const id = Array.from(randomBytes(16), (byte) => ALPHABET[byte % ALPHABET.length]).join('')
  const token = `lateen-join.${id}.${randomBytes(32).toString('base64url')}`
  const expires = new Date(options.now + Math.min(options.ttlMs ?? DEFAULT_JOIN_TTL_MS, MAX_JOIN_TTL_MS))
  const fields = { ...claim, hash: hashOf(token).toString('hex'), expires: expires.toISOString() }
  return {
    token,
    expires,
    secret: {
      apiVersion: 'v1',
      kind: 'Secret',
      type: JOIN_SECRET_TYPE,
      metadata: {
        name: NAME_PREFIX + id,
        namespace: options.controlPlaneNamespace,
        labels: { 'lateen.io/join-token': claim.workloadGroup },
      },
      data: Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
    },
  }
}

// 32 characters, so that a byte modulo their number is uniform.
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/** The name of the Secret that a token would be known by; `undefined` for a text that is no join token. */
export function joinSecretName(token: string): string | undefined {
  const id = TOKEN.exec(token)?.[1]
  return id === undefined ? undefined : NAME_PREFIX + id
}

/**
 * What a token claims, by the Secret of its name; or why it is not good.
 *
 * @param data the Secret's data, base64
 */
export function checkJoinToken(
  token: string,
  data: Readonly<Record<string, unknown>>,
  now: number,
): { readonly claim: JoinClaim } | { readonly refused: string } {
  const field = (key: string) => (typeof data[key] === 'string' ? Buffer.from(data[key], 'base64').toString('utf8') : '')
  const [namespace, workloadGroup, serviceAccount, hash, expires] = ['namespace', 'workloadGroup', 'serviceAccount', 'hash', 'expires'].map(
    field,
  )
  const known = Buffer.from(hash ?? '', 'hex')
  const given = hashOf(token)
  if (known.length !== given.length || !timingSafeEqual(known, given)) return { refused: 'the join token is not known' }
  const until = Date.parse(expires ?? '')
  // Also when it is no time at all.
  if (!(until > now)) return { refused: `the join token expired at ${expires}; make a new one` }
  if (!namespace || !workloadGroup || !serviceAccount) return { refused: 'the Secret of the join token is not complete' }
  return { claim: { namespace, workloadGroup, serviceAccount } }
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()
