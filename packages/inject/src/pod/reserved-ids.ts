/** User and group ids that OpenShift reserves for the pods of a namespace, as its annotations say. */
import { findContainer, type Pod, PROXY_CONTAINER, withContainer } from './pod.ts'

export interface ReservedIds {
  readonly uid: number | undefined
  readonly gid: number | undefined
}

/** The last id of each range: the first ones are for applications. */
export function reservedIds(namespaceAnnotations: Readonly<Record<string, string>>): ReservedIds {
  const uids = namespaceAnnotations['openshift.io/sa.scc.uid-range']
  const gids = namespaceAnnotations['openshift.io/sa.scc.supplemental-groups'] ?? uids
  return { uid: lastOfRange(uids), gid: lastOfRange(gids) }
}

/**
 * The pod without ids that OpenShift gave the user's own proxy container before injection: it gives every container of a pod the same,
 * and what the proxy shares with the application is not told apart when traffic is captured.
 */
export function withoutAssignedIds(pod: Pod, namespaceAnnotations: Readonly<Record<string, string>>): Pod {
  const uid = findContainer(pod, PROXY_CONTAINER)?.securityContext?.runAsUser
  if (uid === undefined || reservedIds(namespaceAnnotations).uid === undefined) return pod
  const shared = pod.spec.containers.some(({ name, securityContext }) => name !== PROXY_CONTAINER && securityContext?.runAsUser === uid)
  if (!shared) return pod
  return withContainer(pod, PROXY_CONTAINER, (container) => {
    const { runAsUser: _, runAsGroup: __, ...securityContext } = container.securityContext ?? {}
    return { ...container, securityContext }
  })
}

/** The last id of `first/count` or `first-last`; lists of ranges count by their first. */
function lastOfRange(text: string | undefined): number | undefined {
  const match = /^([0-9]{1,10})([/-])([0-9]{1,10})/.exec(text ?? '')
  if (!match) return undefined
  return match[2] === '/' ? Number(match[1]) + Number(match[3]) - 1 : Number(match[3])
}
