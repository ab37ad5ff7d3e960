/** What the cluster keeps of the mesh's CA, where another server has become it: `lateen ca status` and `check` read it. */
import { RESOURCE_TYPES } from '@lateen/api'
import { type OutsideCa, ROTATION_NAME, splitCertificates } from '@lateen/ca'
import type { KubeClient } from '@lateen/kube'
import { found } from '../gateway-api/found.ts'
import { factsOf } from './rotation/view.ts'

/** Notes that another server signs under these roots, beside the CA that was in force before; nothing where there was none. */
export async function noteOutsideCa(client: KubeClient, namespace: string, rootsPem: string): Promise<void> {
  const map = await found(client.get(RESOURCE_TYPES.ConfigMap, namespace, ROTATION_NAME))
  if (!map) return
  const outside: OutsideCa = { name: 'another server', roots: splitCertificates(rootsPem, 'the roots').map(factsOf) }
  await client.patch(RESOURCE_TYPES.ConfigMap, namespace, ROTATION_NAME, { data: { outside: JSON.stringify(outside) } })
}
