/** The version that the control plane of a mesh reports about itself, by its debug endpoint. */
import type { KubeObject } from '@lateen/api'
import { type Home, homeAt } from '../../mesh/home.ts'
import { isSupervised, readState } from '../../mesh/state.ts'
import { askMesh, PODS } from '../../mesh/workloads.ts'

const MONITORING_PORT = 15014

/** `undefined` when no mesh runs in this home or its control plane does not answer. */
export async function fetchControlPlaneVersion(root: string): Promise<string | undefined> {
  const home: Home = homeAt(root)
  if (!isSupervised(readState(home))) return undefined
  return askMesh(home, async (client) => {
    const { items } = await client.list<KubeObject<unknown, { readonly phase?: string }>>(PODS, {
      namespace: 'istio-system',
      labelSelector: 'app=istiod',
    })
    const pod = items.find(({ status }) => status?.phase === 'Running')
    if (!pod) return undefined
    const info = await client.request<unknown>(
      'GET',
      `/api/v1/namespaces/istio-system/pods/${pod.metadata.name}:${MONITORING_PORT}/proxy/version`,
    )
    return typeof info === 'string' ? info.trim() : undefined
  }).catch(() => undefined)
}
