/** Whether a service account may read the Secrets of a namespace: the right that serving them to its proxy stands on. */
import { logger } from '@lateen/base'
import { isNotFound, type KubeClient } from '@lateen/kube'

export interface SecretAccess {
  /**
   * What is known now: `undefined` while it is being asked; `onAnswer` is then called. After a no, the question is asked again from time
   * to time, ever less often, and `onAnswer` is called when the answer is another.
   */
  mayRead(account: Account, onAnswer: () => void): boolean | undefined
  /** `onAnswer` is called no longer. */
  forget(account: Account, onAnswer: () => void): void
}

export interface Account {
  readonly namespace: string
  readonly serviceAccount: string
}

const log = logger('sds')
const KEEP_MS = 60_000
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 60_000
const MAX_ENTRIES = 5_000

/** Asks the API server (SubjectAccessReview); answers are kept for a minute. A question that fails counts as no. */
export function createSecretAccess(client: KubeClient): SecretAccess {
  const entries = new Map<string, Entry>()
  const entryOf = (account: Account): Entry => {
    const key = keyOf(account)
    const known = entries.get(key)
    if (known) return known
    if (entries.size >= MAX_ENTRIES) {
      for (const entry of entries.values()) entry.stop()
      entries.clear()
    }
    const entry = new Entry(() => askAccess(client, account))
    entries.set(key, entry)
    return entry
  }
  return {
    mayRead: (account, onAnswer) => entryOf(account).answer(onAnswer),
    forget: (account, onAnswer) => entries.get(keyOf(account))?.forget(onAnswer),
  }
}

const keyOf = ({ namespace, serviceAccount }: Account): string => `${namespace}/${serviceAccount}`

/** The right of one account. */
class Entry {
  readonly #ask: () => Promise<Answer>
  /** Who hears of the next answer that is another than the last. */
  readonly #waiting = new Set<() => void>()
  #allowed: boolean | undefined
  #until = 0
  #asking = false
  #retryMs = FIRST_RETRY_MS
  #timer: NodeJS.Timeout | undefined
  #problem = ''

  constructor(ask: () => Promise<Answer>) {
    this.#ask = ask
  }

  answer(onAnswer: () => void): boolean | undefined {
    if (this.#allowed !== true || this.#until <= performance.now()) {
      this.#waiting.add(onAnswer)
      // A no is asked about again by itself.
      if (this.#allowed !== false || this.#timer === undefined) this.#renew()
    }
    // A known answer that is being renewed still counts.
    return this.#allowed
  }

  forget(onAnswer: () => void): void {
    this.#waiting.delete(onAnswer)
    if (this.#waiting.size === 0) this.stop()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #renew(): void {
    if (this.#asking) return
    this.#asking = true
    void this.#ask().then(({ allowed, problem }) => {
      this.#asking = false
      if (problem !== this.#problem && problem !== '') log.warn(problem)
      this.#problem = problem
      const changed = allowed !== this.#allowed
      this.#allowed = allowed
      this.#until = performance.now() + KEEP_MS
      if (changed) for (const tell of [...this.#waiting]) tell()
      if (allowed) {
        this.stop()
        this.#waiting.clear()
        this.#retryMs = FIRST_RETRY_MS
      } else if (this.#waiting.size > 0) this.#askLater()
    })
  }

  #askLater(): void {
    this.stop()
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#renew()
    }, this.#retryMs).unref()
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
  }
}

interface AccessReview {
  readonly status?: { readonly allowed?: boolean }
}

/** Whether an account may, and if not, why not, in words. */
interface Answer {
  readonly allowed: boolean
  readonly problem: string
}

const ALLOWED: Answer = { allowed: true, problem: '' }

async function askAccess(client: KubeClient, { namespace, serviceAccount }: Account): Promise<Answer> {
  try {
    const review = await client.request<AccessReview>('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: {
        user: `system:serviceaccount:${namespace}:${serviceAccount}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
        resourceAttributes: { namespace, verb: 'list', resource: 'secrets', version: 'v1' },
      },
    })
    if (review.status?.allowed === true) return ALLOWED
    const who = `service account ${namespace}/${serviceAccount}`
    return {
      allowed: false,
      problem: `${who} may not list Secrets in its namespace: its proxies get no credentials; give it a Role that may`,
    }
  } catch (error) {
    // An API server that has no authorization has no rights to ask for: the proven namespace is what stands.
    if (isNotFound(error)) return ALLOWED
    const why = error instanceof Error ? error.message : String(error)
    return { allowed: false, problem: `the right of ${namespace}/${serviceAccount} to read Secrets could not be checked: ${why}` }
  }
}
