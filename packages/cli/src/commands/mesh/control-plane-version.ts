/** The version of the control plane of a mesh: what its ready pods say that they are. */
import type { KubeObject } from '@lateen/api'
import { homeAt } from '../../mesh/home.ts'
import { isSupervised, readState } from '../../mesh/state.ts'
import { askMesh, PODS } from '../../mesh/workloads.ts'

const VERSION_LABEL = 'app.kubernetes.io/version'

interface PodStatus {
  readonly containerStatuses?: readonly { readonly ready?: boolean }[]
}

/** Empty when no mesh runs in this home, or its control plane is not ready. */
export async function fetchControlPlaneVersions(root: string): Promise<string[]> {
  const home = homeAt(root)
  if (!isSupervised(readState(home))) return []
  return askMesh(home, async (client) => {
    const { items } = await client.list<KubeObject<unknown, PodStatus>>(PODS, { namespace: 'istio-system', labelSelector: 'app=istiod' })
    const ready = items.filter(({ status }) => status?.containerStatuses?.some((container) => container.ready))
    return [...new Set(ready.map(({ metadata }) => metadata.labels?.[VERSION_LABEL]).filter((version) => version !== undefined))].sort()
  }).catch(() => [])
}
