/**
 * Secrets of type `kubernetes.io/service-account-token`: filled with a token of the account that their annotation names, as Kubernetes does
 * ("Manually create a long-lived API token for a ServiceAccount"). The token lasts as long as the Secret: it is renewed before it ends.
 */
import { type KubeObject, objectKey } from '@lateen/api'
import { isRecord } from '@lateen/base'
import { isForbidden, isNotFound } from '../kube/api-failure.ts'
import { SECRET } from '../kube/kinds.ts'
import type { Store } from '../kube/store.ts'
import { requestToken } from '../kube/token-request.ts'
import { WorkQueue } from '../work-queue.ts'
import type { Controller, ControllerContext } from './context.ts'

const TYPE = 'kubernetes.io/service-account-token'
const NAME = 'kubernetes.io/service-account.name'
const UID = 'kubernetes.io/service-account.uid'
const DAY_MS = 24 * 3_600_000
const LIFETIME_S = (365 * DAY_MS) / 1000
const RENEW_BEFORE_MS = 90 * DAY_MS

export function serviceAccountTokenController(context: ControllerContext, accounts: Store<KubeObject>): Controller {
  const { client, stores } = context
  const queue = new WorkQueue({ name: 'Service account tokens', reconcile })
  stores.secrets.listen((key, now) => {
    if (now && now['type'] === TYPE) queue.add(key)
  })
  accounts.listen((_key, now, before) => {
    for (const secret of stores.secrets.inNamespace((now ?? before)?.metadata.namespace ?? '')) {
      if (secret['type'] === TYPE) queue.add(objectKey(secret))
    }
  })
  return { stop: () => queue.stop() }

  async function reconcile(key: string): Promise<number | undefined> {
    const secret = stores.secrets.byKey(key)
    const { namespace = '', name, uid, annotations = {}, deletionTimestamp } = secret?.metadata ?? { name: '' }
    const account = accounts.get(namespace, annotations[NAME] ?? '')
    if (!secret || deletionTimestamp) return undefined
    // A token of an account that came again under the same name would be another one's.
    if (!account || (annotations[UID] !== undefined && annotations[UID] !== account.metadata.uid)) return undefined
    const left = endOf(textIn(secret, 'token')) - Date.now()
    if (left > RENEW_BEFORE_MS) return DAY_MS
    try {
      const boundTo = { kind: 'Secret', name, uid } as const
      const { token } = await requestToken(client, { namespace, account: account.metadata.name, expirationSeconds: LIFETIME_S, boundTo })
      const data = { token: encoded(token), namespace: encoded(namespace), ...(context.apiCa && { 'ca.crt': encoded(context.apiCa) }) }
      const change = { metadata: { annotations: { [UID]: account.metadata.uid } }, data }
      await client.patch(SECRET, namespace, name, change, { type: 'application/merge-patch+json' })
    } catch (error) {
      // It was deleted, or its namespace began to be.
      if (!isForbidden(error) && !isNotFound(error)) throw error
    }
    return DAY_MS
  }
}

const encoded = (text: string): string => Buffer.from(text).toString('base64')

function textIn({ data }: KubeObject, name: string): string {
  const value = isRecord(data) ? data[name] : undefined
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : ''
}

/** When a token ends, in milliseconds since the epoch; 0 for what is none. */
function endOf(token: string): number {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    return isRecord(claims) && typeof claims['exp'] === 'number' ? claims['exp'] * 1000 : 0
  } catch {
    return 0
  }
}
