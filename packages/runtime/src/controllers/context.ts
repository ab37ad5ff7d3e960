/** What every controller gets, and the writes that several of them make. */
import { createHash } from 'node:crypto'
import type { KubeObject, OwnerReference, ResourceType } from '@lateen/api'
import type { KubeClient } from '@lateen/kube'
import { apiVersion } from '../kube/kinds.ts'
import type { Pod } from '../kube/pod.ts'
import type { EndpointSlice, Service } from '../kube/service.ts'
import type { ListWatchFunction, Store } from '../kube/store.ts'
import type { HostPortClaims } from '../network/host-port-claims.ts'

export interface SharedStores {
  readonly pods: Store<Pod>
  readonly services: Store<Service>
  readonly slices: Store<EndpointSlice>
  readonly namespaces: Store<KubeObject>
  readonly configMaps: Store<KubeObject>
  readonly secrets: Store<KubeObject>
}

export interface NodeDescription {
  readonly name: string
  readonly address: string
  readonly podCidr: string
  readonly dnsAddress: string
}

export interface ControllerContext {
  readonly client: KubeClient
  readonly listWatch: ListWatchFunction
  readonly stores: SharedStores
  readonly node: NodeDescription
  readonly hostPorts: HostPortClaims
  readonly apiPort?: number
  readonly apiCa?: string
}

export interface Controller {
  stop(): Promise<void>
}

/** `controller: true`: each object has at most one such owner. */
export function ownedBy(type: ResourceType, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersion(type),
    kind: type.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  }
}

export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller)
}

/** JSON with sorted keys: equal values give equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
    return Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

/** A short name part that depends on the value alone; without vowels, so that no words come out. */
export function shortHash(value: unknown, length = 10): string {
  const digest = createHash('sha256')
    .update(typeof value === 'string' ? value : canonical(value))
    .digest()
  return [...digest.subarray(0, length)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
}

/** A random name part, as the API server appends to `generateName`. */
export function randomSuffix(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(5)), (byte) => ALPHABET[byte % ALPHABET.length]).join('')
}

/** Now, with whole seconds. */
export function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Writes the status with a merge patch, if it differs from what the object has. */
export async function writeStatus(client: KubeClient, type: ResourceType, object: KubeObject, status: object): Promise<void> {
  if (canonical({ ...(object.status ?? {}), ...status }) === canonical(object.status ?? {})) return
  await client.patch(
    type,
    object.metadata.namespace,
    object.metadata.name,
    { status },
    { type: 'application/merge-patch+json', subresource: 'status' },
  )
}
