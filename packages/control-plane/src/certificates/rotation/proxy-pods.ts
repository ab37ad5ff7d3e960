/** How many pods run a proxy: of those that are not connected, a change of the root must know. */
import { type KubeObject, RESOURCE_TYPES } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'
import { isFields } from '../../mesh-config/mesh-documents.ts'

const KEEP_MS = 3_000
const PAGE = 500

/** Counts when asked, at most every few seconds; 0 without Kubernetes. */
export function countProxyPods(client: KubeClient | undefined): () => Promise<number> {
  let counted = 0
  let until = 0
  return async () => {
    if (!client || performance.now() < until) return counted
    let sum = 0
    let next: string | undefined
    do {
      const page = await client.list(RESOURCE_TYPES.Pod, { limit: PAGE, ...(next ? { continue: next } : {}) })
      sum += page.items.filter(runsProxy).length
      next = page.continue
    } while (next)
    until = performance.now() + KEEP_MS
    counted = sum
    return counted
  }
}

/** A container `istio-proxy`, native sidecars among them, that runs in a pod that is not going. */
function runsProxy({ metadata, status }: KubeObject): boolean {
  if (metadata.deletionTimestamp || !isFields(status) || status.phase !== 'Running') return false
  const statuses = [status.containerStatuses, status.initContainerStatuses].flatMap((list) =>
    Array.isArray(list) ? list.filter(isFields) : [],
  )
  return statuses.some(({ name, state }) => name === 'istio-proxy' && isFields(state) && state.running !== undefined)
}
