/** The order of containers, which is the order in which they start. */
import { type Container, INIT_CONTAINER, type Pod, PROXY_CONTAINER, VALIDATION_CONTAINER, withContainers } from '../pod/pod.ts'

/**
 * The proxy comes last, so that `kubectl exec` and the like mean the application; first when the application is to wait for it.
 * As a native sidecar it comes before all other init containers, right after capture is set up, so that they are in the mesh too.
 */
export function orderContainers(pod: Pod, holdApplication: boolean): Pod {
  const inits = pod.spec.initContainers ?? []
  const containers = (holdApplication ? first : last)(pod.spec.containers, PROXY_CONTAINER)
  const native = inits.some((c) => c.name === PROXY_CONTAINER)
  if (native) return withContainers(pod, containers, [PROXY_CONTAINER, VALIDATION_CONTAINER, INIT_CONTAINER].reduce(first, inits))
  // Validation blocks all others until capture works; capture itself comes last, for it would cut off init containers from the network.
  return withContainers(pod, containers, last(first(inits, VALIDATION_CONTAINER), INIT_CONTAINER))
}

function first(list: readonly Container[], name: string): readonly Container[] {
  return [...list.filter((c) => c.name === name), ...list.filter((c) => c.name !== name)]
}

function last(list: readonly Container[], name: string): readonly Container[] {
  return [...list.filter((c) => c.name !== name), ...list.filter((c) => c.name === name)]
}
