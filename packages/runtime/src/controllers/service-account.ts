/** What every namespace has: the ServiceAccount `default` and the API server's CA. */
import type { KubeObject } from '@lateen/api'
import { isConflict, isForbidden, isNotFound } from '../kube/api-failure.ts'
import { CONFIG_MAP, SERVICE_ACCOUNT } from '../kube/kinds.ts'
import type { Store } from '../kube/store.ts'
import { WorkQueue } from '../work-queue.ts'
import type { Controller, ControllerContext } from './context.ts'

const ROOT_CA = 'kube-root-ca.crt'

export function serviceAccountController(context: ControllerContext, accounts: Store<KubeObject>): Controller {
  const { client } = context
  const { namespaces, configMaps } = context.stores
  const queue = new WorkQueue({ name: 'Namespace defaults', reconcile })
  namespaces.listen((key) => queue.add(key))
  accounts.listen((_key, now, before) => {
    if (!now && before?.metadata.name === 'default') queue.add(before.metadata.namespace ?? '')
  })
  configMaps.listen((_key, now, before) => {
    if ((now ?? before)?.metadata.name === ROOT_CA) queue.add((now ?? before)?.metadata.namespace ?? '')
  })
  return { stop: () => queue.stop() }

  async function reconcile(name: string): Promise<undefined> {
    const namespace = namespaces.byKey(name)
    if (!namespace || namespace.metadata.deletionTimestamp) return undefined
    try {
      if (!accounts.get(name, 'default'))
        await client
          .create(SERVICE_ACCOUNT, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } })
          .catch(ignoreConflict)
      if (context.apiCa !== undefined) await writeCa(name, context.apiCa)
    } catch (error) {
      // The namespace began to be deleted meanwhile.
      if (!isForbidden(error) && !isNotFound(error)) throw error
    }
    return undefined
  }

  async function writeCa(namespace: string, ca: string): Promise<void> {
    const known = configMaps.get(namespace, ROOT_CA)
    const data = known?.data
    if (typeof data === 'object' && data !== null && 'ca.crt' in data && data['ca.crt'] === ca) return
    const annotations = { 'kubernetes.io/description': 'The certificate by which the API server is recognised; for the use of pods.' }
    if (known) await client.patch(CONFIG_MAP, namespace, ROOT_CA, { data: { 'ca.crt': ca } }, { type: 'application/merge-patch+json' })
    else
      await client
        .create(CONFIG_MAP, {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: ROOT_CA, namespace, annotations },
          data: { 'ca.crt': ca },
        })
        .catch(ignoreConflict)
  }
}

function ignoreConflict(error: unknown): void {
  if (!isConflict(error)) throw error
}
