/**
 * The status of an object with the mesh's part in place: conditions of other types, entries of other controllers and fields of
 * others stay as they are, and a condition keeps the time of its last change. Pure but for the time that is given.
 */
import type { KubeObject } from '@lateen/api'
import { equal } from '@lateen/graph'
import { referenceKey, type WantedCondition, type WantedListener, type WantedParent, type WantedStatus } from '@lateen/model'

type Fields = Readonly<Record<string, unknown>>

/** The fields of the status that change, each as a whole, null for one that goes; undefined when all is as wanted. */
export function statusChanges(object: KubeObject, wanted: WantedStatus, now: Date): Fields | undefined {
  const { generation } = object.metadata
  // What is wanted of an earlier generation is no longer true; what is wanted of this one is on its way.
  if (wanted.generation !== undefined && generation !== undefined && wanted.generation !== generation) return undefined
  const before = fieldsOf(object.status)
  const stamp: Stamp = { generation, time: `${now.toISOString().slice(0, 19)}Z` }
  const after: Record<string, unknown> = {
    ...(wanted.conditions && { conditions: mergeConditions(listOf(before['conditions']), wanted.conditions, stamp) }),
    ...(wanted.listeners && { listeners: mergeListeners(listOf(before['listeners']), wanted.listeners, stamp) }),
    ...(wanted.parents && { parents: mergeParents(listOf(before['parents']), wanted.parents, { object, stamp }) }),
    ...wanted.fields,
  }
  const changed = Object.entries(after).filter(([name, value]) => !equal(before[name] ?? emptyLike(value), value))
  return changed.length > 0 ? Object.fromEntries(changed) : undefined
}

interface Stamp {
  readonly generation: number | undefined
  readonly time: string
}

/** What a field that is not there counts as. */
const emptyLike = (value: unknown): unknown => (Array.isArray(value) ? [] : value !== null && typeof value === 'object' ? {} : null)

function mergeConditions(before: readonly Fields[], wanted: readonly WantedCondition[], { generation, time }: Stamp): readonly Fields[] {
  const kept = before.map((old) => {
    const own = wanted.find(({ type }) => type === old['type'])
    if (!own) return old
    const since = old['status'] === own.status ? (old['lastTransitionTime'] ?? time) : time
    return { ...own, lastTransitionTime: since, ...(generation !== undefined && { observedGeneration: generation }) }
  })
  const added = wanted
    .filter(({ type }) => !before.some((old) => old['type'] === type))
    .map((own) => ({ ...own, lastTransitionTime: time, ...(generation !== undefined && { observedGeneration: generation }) }))
  return [...kept, ...added]
}

function mergeListeners(before: readonly Fields[], wanted: readonly WantedListener[], stamp: Stamp): readonly Fields[] {
  return wanted.map((listener) => {
    const old = before.find(({ name }) => name === listener.name)
    return { ...listener, conditions: mergeConditions(listOf(old?.['conditions']), listener.conditions, stamp) }
  })
}

/** Entries stay in their places; those of the mesh for parents that the object no longer names go. */
function mergeParents(
  before: readonly Fields[],
  wanted: readonly WantedParent[],
  { object, stamp }: { readonly object: KubeObject; readonly stamp: Stamp },
): readonly Fields[] {
  const namespace = object.metadata.namespace ?? ''
  const keyOf = (ref: unknown) => referenceKey({ name: '', ...fieldsOf(ref) }, namespace)
  const left = new Map(wanted.map((parent) => [keyOf(parent.parentRef), parent]))
  const kept = before.flatMap((old) => {
    if (!CONTROLLERS.has(String(old['controllerName']))) return [old]
    const key = keyOf(old['parentRef'])
    const own = left.get(key)
    left.delete(key)
    return own ? [{ ...own, conditions: mergeConditions(listOf(old['conditions']), own.conditions, stamp) }] : []
  })
  return [...kept, ...[...left.values()].map((own) => ({ ...own, conditions: mergeConditions([], own.conditions, stamp) }))]
}

/** Names under which the mesh writes entries. */
const CONTROLLERS: ReadonlySet<string> = new Set(['istio.io/gateway-controller'])

const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : [])
