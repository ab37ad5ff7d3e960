/** What the downward API tells a container about its pod. */
import { availableParallelism, totalmem } from 'node:os'
import { type Container, type FieldRef, type Pod, podSpec, type ResourceFieldRef } from '../kube/pod.ts'
import { parseQuantity } from '../kube/quantity.ts'

export interface NodeFacts {
  readonly nodeName: string
  readonly hostAddress: string
  /** All addresses of a pod, by its IPv4 address. */
  readonly addressesOf: (address: string) => readonly string[]
}

/**
 * The text of a field of the pod, with its address as the agent knows it.
 *
 * @throws Error naming a field that the downward API does not offer
 */
export function fieldValue(pod: Pod, ref: FieldRef, address: string, node: NodeFacts): string {
  const { metadata } = pod
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(ref.fieldPath)
  if (keyed) return (keyed[1] === 'labels' ? metadata.labels : metadata.annotations)?.[keyed[2] ?? ''] ?? ''
  switch (ref.fieldPath) {
    case 'metadata.name':
      return metadata.name
    case 'metadata.namespace':
      return metadata.namespace ?? ''
    case 'metadata.uid':
      return metadata.uid ?? ''
    case 'metadata.labels':
      return keyValueLines(metadata.labels)
    case 'metadata.annotations':
      return keyValueLines(metadata.annotations)
    case 'spec.nodeName':
      return node.nodeName
    case 'spec.serviceAccountName':
      return podSpec(pod).serviceAccountName ?? 'default'
    case 'status.hostIP':
      return node.hostAddress
    case 'status.hostIPs':
      return node.addressesOf(node.hostAddress).join(',')
    case 'status.podIP':
      return address
    case 'status.podIPs':
      return node.addressesOf(address).join(',')
    default:
      throw new Error(
        `fieldRef ${JSON.stringify(ref.fieldPath)} is not supported; use metadata.name, metadata.namespace, metadata.uid, metadata.labels, metadata.annotations, spec.nodeName, spec.serviceAccountName, status.hostIP or status.podIP`,
      )
  }
}

/** `key="value"` a line, sorted, with the escapes of a quoted text. */
function keyValueLines(values: Readonly<Record<string, string>> = {}): string {
  return Object.entries(values)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n')
}

/** A container's limit or request in units of the divisor, rounded up; without a limit, what the machine has. */
export function resourceValue(pod: Pod, container: Container, ref: ResourceFieldRef): string {
  const { containers, initContainers = [] } = podSpec(pod)
  const target = ref.containerName ? [...containers, ...initContainers].find(({ name }) => name === ref.containerName) : container
  const [kind, ...rest] = ref.resource.split('.')
  const resource = rest.join('.')
  const { limits, requests } = target?.resources ?? {}
  const given = kind === 'limits' ? limits?.[resource] : (requests?.[resource] ?? limits?.[resource])
  const amount = given === undefined ? (kind === 'limits' ? capacity(resource) : 0) : (parseQuantity(given) ?? 0)
  const divisor = parseQuantity(ref.divisor ?? '1') || 1
  return String(Math.ceil(amount / divisor - 1e-9))
}

function capacity(resource: string): number {
  if (resource === 'cpu') return availableParallelism()
  return resource === 'memory' ? totalmem() : 0
}
