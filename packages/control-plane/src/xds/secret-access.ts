/** Whether a service account may read the Secrets of a namespace: the right that serving them to its proxy stands on. */
import { logger } from '@lateen/base'
import { isNotFound, type KubeClient } from '@lateen/kube'

export interface SecretAccess {
  /** What is known now: `undefined` while it is being asked; `onAnswer` is then called once. */
  mayRead(namespace: string, serviceAccount: string, onAnswer: () => void): boolean | undefined
}

const log = logger('sds')
const KEEP_MS = 60_000
const MAX_ENTRIES = 5_000

interface Entry {
  allowed: boolean | undefined
  until: number
  waiting: (() => void)[]
}

/** Asks the API server (SubjectAccessReview); answers are kept for a minute. A question that fails counts as no. */
export function createSecretAccess(client: KubeClient): SecretAccess {
  const entries = new Map<string, Entry>()
  return {
    mayRead: (namespace, serviceAccount, onAnswer) => {
      const key = `${namespace}/${serviceAccount}`
      let entry = entries.get(key)
      if (entry && entry.allowed !== undefined && entry.until > performance.now()) return entry.allowed
      if (!entry) {
        if (entries.size >= MAX_ENTRIES) entries.clear()
        entries.set(key, (entry = { allowed: undefined, until: 0, waiting: [] }))
      }
      const asked = entry
      asked.waiting.push(onAnswer)
      if (asked.waiting.length === 1) {
        void askAccess(client, namespace, serviceAccount).then((allowed) => {
          asked.allowed = allowed
          asked.until = performance.now() + KEEP_MS
          for (const tell of asked.waiting.splice(0)) tell()
        })
      }
      // A known answer that is being renewed still counts.
      return asked.allowed
    },
  }
}

interface AccessReview {
  readonly status?: { readonly allowed?: boolean }
}

async function askAccess(client: KubeClient, namespace: string, serviceAccount: string): Promise<boolean> {
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
    const allowed = review.status?.allowed === true
    if (!allowed)
      log.warn(
        `service account ${namespace}/${serviceAccount} may not list Secrets in its namespace: its proxies get no credentials; give it a Role that may`,
      )
    return allowed
  } catch (error) {
    // An API server that has no authorization has no rights to ask for: the proven namespace is what stands.
    if (isNotFound(error)) return true
    log.warn(
      `the right of ${namespace}/${serviceAccount} to read Secrets could not be checked: ${error instanceof Error ? error.message : String(error)}`,
    )
    return false
  }
}
