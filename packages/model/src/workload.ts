/** Workloads: pods and WorkloadEntries, with what endpoints and policies need to know of them. */
import type { ObjectRef } from '@lateen/base'
import type { Locality } from './endpoint.ts'

export interface Workload {
  readonly key: string
  readonly namespace: string
  /** The pod's or entry's own name. */
  readonly name: string
  /** Name of the Deployment or other owner; the entry's own name otherwise. */
  readonly workload: string
  readonly addresses: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly serviceAccount: string
  readonly node: string
  readonly locality: Locality
  readonly network: string
  readonly weight: number
  readonly tlsMode: string
  /** Container ports by name, for target ports that are names. */
  readonly ports: Readonly<Record<string, number>>
  readonly ready: boolean
  /** It is to get no new requests (label `istio.io/draining`). */
  readonly draining: boolean
  readonly hostNetwork: boolean
  readonly origin: ObjectRef
}

/** Whether labels hold every one of a selector's. An empty selector selects everything. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  for (const [key, value] of Object.entries(selector)) if (labels[key] !== value) return false
  return true
}

/**
 * The owner's name of a pod made by a ReplicaSet or Job: `reviews-v1-7c9d8f-x2x4z` → `reviews-v1`.
 * The pod template hash tells where the Deployment's name ends.
 */
export function workloadName(pod: {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  readonly ownerReferences?: readonly { readonly kind: string; readonly name: string; readonly controller?: boolean }[]
}): string {
  const owner = pod.ownerReferences?.find((reference) => reference.controller) ?? pod.ownerReferences?.[0]
  if (!owner) return pod.name
  const hash = pod.labels?.['pod-template-hash']
  if (owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(`-${hash}`)) return owner.name.slice(0, -hash.length - 1)
  // A CronJob's Jobs end in the scheduled minute.
  if (owner.kind === 'Job') return owner.name.replace(/-\d{8,}$/, '')
  return owner.name
}
