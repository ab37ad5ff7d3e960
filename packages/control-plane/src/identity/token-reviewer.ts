/**
 * Service account tokens, checked by the API server (TokenReview).
 *
 * Enters: bearer tokens of unknown callers. Leaves: who they are, or why not. Answers are kept briefly, so that a restart of all
 * proxies does not become a restart of the API server; the number of questions under way is bounded.
 */
import { createHash } from 'node:crypto'
import type { KubeClient } from '@lateen/kube'

export interface ServiceAccount {
  readonly namespace: string
  readonly name: string
  /** The pod that the token was made for, when it was made for one. */
  readonly pod?: string
}

export type ReviewResult = { readonly account: ServiceAccount } | { readonly refused: string }

export interface TokenReviewer {
  review(token: string): Promise<ReviewResult>
}

/** The API server cannot be asked now; the caller should come again. */
export class ReviewUnavailable extends Error {
  override readonly name = 'ReviewUnavailable'
  readonly code = 'UNAVAILABLE'
}

const MAX_TOKEN_LENGTH = 16_384
/** As the API server's own cache of tokens: a token of a deleted pod or account is good for no longer than this. */
const ACCEPTED_MS = 10_000
const REFUSED_MS = 5_000
const MAX_ENTRIES = 20_000
const MAX_PENDING = 512

interface Entry {
  readonly result: ReviewResult
  readonly until: number
}

/** Asks the API server whether a token is good for one of the audiences. */
export function createTokenReviewer(client: KubeClient, audiences: readonly string[], now: () => number = Date.now): TokenReviewer {
  const known = new Map<string, Entry>()
  const pending = new Map<string, Promise<ReviewResult>>()

  const ask = async (token: string, key: string, expires: number): Promise<ReviewResult> => {
    const result = await requestReview(client, token, audiences)
    const until = 'account' in result ? Math.min(now() + ACCEPTED_MS, expires) : now() + REFUSED_MS
    if (known.size >= MAX_ENTRIES) {
      const [oldest] = known.keys()
      if (oldest !== undefined) known.delete(oldest)
    }
    known.set(key, { result, until })
    return result
  }

  return {
    review: async (token) => {
      if (token.length > MAX_TOKEN_LENGTH) return { refused: `the token is longer than ${MAX_TOKEN_LENGTH} characters` }
      const expires = expiryOf(token)
      if (expires === undefined) return { refused: 'the token is no JWT with an expiry' }
      if (expires <= now()) return { refused: `the token expired at ${new Date(expires).toISOString()}` }
      const key = createHash('sha256').update(token).digest('base64')
      const entry = known.get(key)
      if (entry && entry.until > now()) return entry.result
      known.delete(key)
      const running = pending.get(key)
      if (running) return running
      if (pending.size >= MAX_PENDING) throw new ReviewUnavailable('too many tokens are being checked; try again')
      const question = ask(token, key, expires).finally(() => pending.delete(key))
      pending.set(key, question)
      return question
    },
  }
}

interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean
    readonly error?: string
    readonly audiences?: readonly string[]
    readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> }
  }
}

const ACCOUNT = /^system:serviceaccount:([a-z0-9.-]{1,253}):([a-z0-9.-]{1,253})$/

async function requestReview(client: KubeClient, token: string, audiences: readonly string[]): Promise<ReviewResult> {
  let review: TokenReview
  try {
    review = await client.request<TokenReview>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, audiences },
    })
  } catch (cause) {
    throw new ReviewUnavailable(`the token cannot be checked now: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  const { status } = review
  if (!status?.authenticated)
    return { refused: `the API server does not accept the token${status?.error ? `: ${status.error.slice(0, 200)}` : ''}` }
  // A server that knows nothing of audiences answers without them, and then has not checked them.
  if (!status.audiences?.some((audience) => audiences.includes(audience)))
    return { refused: `the token is not meant for ${audiences.join(' or ')}` }
  const match = ACCOUNT.exec(status.user?.username ?? '')
  if (!match?.[1] || !match[2]) return { refused: 'the token belongs to no service account' }
  const pod = status.user?.extra?.['authentication.kubernetes.io/pod-name']?.[0]
  return { account: { namespace: match[1], name: match[2], ...(pod ? { pod } : {}) } }
}

/** When a JWT says it expires, in milliseconds of the epoch; unchecked, it only bounds what the API server said. */
function expiryOf(token: string): number | undefined {
  const [, payload, signature] = token.split('.')
  if (!payload || !signature) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined
    return typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY
  } catch {
    return undefined
  }
}
