/** What a change does to the configuration of each proxy: resources before and after, and the objects that are the cause. */
import { fromBinary, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import { refOf } from '@lateen/api'
import { objectName } from '@lateen/base'
import { type Resource, type ResourceSet, TYPE_URL } from '@lateen/envoy'
import { type Difference, structuralDiff } from '../../render/structural-diff.ts'
import type { PodView } from '../../routing/proxy-node.ts'
import type { World } from '../../routing/world.ts'
import type { Change } from './change.ts'

export interface ResourceChange {
  /** `cluster`, `listener`, … */
  readonly type: string
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed'
  /** `DestinationRule shop/cart`: objects of the change that the resource was or will be made of. */
  readonly causes: readonly string[]
  /** Of a changed resource. */
  readonly differences: readonly Difference[]
  /** The whole resource, when it is added or removed. */
  readonly resource?: JsonValue
}

export interface ProxyChange {
  /** `name.namespace` of pods that get the same changes. */
  readonly proxies: readonly string[]
  readonly changes: readonly ResourceChange[]
}

const TYPES: readonly (readonly [string, string])[] = [
  ['listener', TYPE_URL.LDS],
  ['route', TYPE_URL.RDS],
  ['virtual host', TYPE_URL.VHDS],
  ['cluster', TYPE_URL.CDS],
  ['endpoints', TYPE_URL.EDS],
  ['extension', TYPE_URL.ECDS],
  ['DNS names', TYPE_URL.NDS],
]

interface Found {
  readonly pod: PodView
  readonly type: string
  readonly typeUrl: string
  readonly before: Resource | undefined
  readonly after: Resource | undefined
}

/** Leaves the mesh of `world` as it was. Proxies with the same changes are told together; those without any are left out. */
export async function compareProxies(world: World, pods: readonly PodView[], change: Change): Promise<ProxyChange[]> {
  const { envoyRegistry } = await import('@lateen/envoy/registry')
  const registry = envoyRegistry()
  const before = pods.map((pod) => TYPES.map(([, typeUrl]) => world.resources(pod, typeUrl)))
  world.mesh.apply(change.forth)
  const found = pods.map((pod, index) =>
    TYPES.flatMap(([type, typeUrl], column) =>
      changedResources(before[index]?.[column], world.resources(pod, typeUrl)).map((pair): Found => ({ pod, type, typeUrl, ...pair })),
    ),
  )
  const touched = new Set(change.forth.map(({ object }) => objectName(refOf(object))))
  const causesOf = ({ pod, typeUrl, before: old, after }: Found) =>
    world
      .origins(pod, typeUrl, (after ?? old)?.name ?? '')
      .map(objectName)
      .filter((name) => touched.has(name))
  const later = new Map(found.flat().map((each) => [each, each.after ? causesOf(each) : []]))
  world.mesh.apply(change.back)
  const alone = causesAlone(
    world,
    found.flat().filter((each) => (later.get(each) ?? []).length === 0 && (!each.before || causesOf(each).length === 0)),
    change,
  )
  const shapes = new Map<string, ResourceChange>()
  const groups = new Map<string, { proxies: string[]; changes: ResourceChange[] }>()
  for (const [index, own] of found.entries()) {
    if (own.length === 0) continue
    const pod = pods[index]
    const changes = own.map((each) => {
      const key = `${each.typeUrl} ${each.before?.version} ${each.after?.version} ${(each.after ?? each.before)?.name}`
      const known = shapes.get(key)
      if (known) return known
      const causes = new Set([...(later.get(each) ?? []), ...(each.before ? causesOf(each) : []), ...(alone.get(each) ?? [])])
      const made = shown(each, [...causes].sort(), registry)
      shapes.set(key, made)
      return made
    })
    const key = own
      .map((each) => `${each.typeUrl} ${(each.after ?? each.before)?.name} ${each.before?.version} ${each.after?.version}`)
      .join('\n')
    const group = groups.get(key) ?? { proxies: [], changes }
    group.proxies.push(`${pod?.name}.${pod?.namespace}`)
    groups.set(key, group)
  }
  return [...groups.values()]
}

const MOST_ALONE = 50

/**
 * Causes that no resource names, such as a Sidecar that hides a service: each object is applied by itself, to see what it does to these
 * resources. What only several objects do together has no cause.
 */
function causesAlone(world: World, unexplained: readonly Found[], { forth, back }: Change): Map<Found, string[]> {
  const causes = new Map<Found, string[]>()
  if (unexplained.length === 0 || forth.length > MOST_ALONE) return causes
  for (const [index, change] of forth.entries()) {
    const undo = back[index]
    if (!undo) continue
    world.mesh.apply([change])
    const sets = new Map<ResourceSet, ReadonlyMap<string, Resource>>()
    for (const each of unexplained) {
      const set = world.resources(each.pod, each.typeUrl)
      const byName = sets.get(set) ?? new Map(set.parts.flatMap((part) => [...part]))
      sets.set(set, byName)
      const now = byName.get((each.after ?? each.before)?.name ?? '')
      if (now?.version !== each.before?.version) causes.set(each, [...(causes.get(each) ?? []), objectName(refOf(change.object))])
    }
    world.mesh.apply([undo])
  }
  return causes
}

/** Parts that are the same part hold nothing that changed. */
function changedResources(
  before: ResourceSet | undefined,
  after: ResourceSet,
): { before: Resource | undefined; after: Resource | undefined }[] {
  const shared = new Set(before?.parts.filter((part) => after.parts.includes(part)))
  const byName = (set: ResourceSet | undefined) => new Map(set?.parts.filter((part) => !shared.has(part)).flatMap((part) => [...part]))
  const [left, right] = [byName(before), byName(after)]
  return [...new Set([...left.keys(), ...right.keys()])]
    .map((name) => ({ before: left.get(name), after: right.get(name) }))
    .filter(({ before: old, after: now }) => old?.version !== now?.version)
}

function shown({ type, typeUrl, before, after }: Found, causes: readonly string[], registry: Registry): ResourceChange {
  const name = (after ?? before)?.name ?? ''
  const [was, is] = [before && jsonOf(before, typeUrl, registry), after && jsonOf(after, typeUrl, registry)]
  if (was !== undefined && is !== undefined) return { type, name, change: 'changed', causes, differences: structuralDiff(was, is) }
  const resource = is ?? was
  return {
    type,
    name,
    change: is === undefined ? 'removed' : 'added',
    causes,
    differences: [],
    ...(resource === undefined ? {} : { resource }),
  }
}

function jsonOf({ bytes }: Resource, typeUrl: string, registry: Registry): JsonValue {
  const schema = registry.getMessage(typeUrl.replace('type.googleapis.com/', ''))
  // Istio's own few messages are not Envoy's: their bytes are told as they are.
  return schema ? toJson(schema, fromBinary(schema, bytes), { registry }) : Buffer.from(bytes).toString('base64')
}
