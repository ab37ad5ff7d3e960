/**
 * A view is what one client sees of one type: a shared, immutable set of resources and a selection of names from it. Views are
 * values: streams with equal views share everything that is computed from them.
 */

import { type Fingerprint, fingerprintOfVersions, sumOf } from '../protocol/held-versions.ts'
import { difference, type Resource, type ResourceSet } from '../resource-source.ts'
import type { NameSet } from './names.ts'

/** Which names of a set a client is subscribed to. */
export interface Selection {
  /** Everything, or, with `parents`, everything below one of them. */
  readonly wildcard: boolean
  /** Virtual hosts are named `<route configuration>/<name>`, and go only to clients that hold the route configuration. */
  readonly parents: NameSet | undefined
  /** Names asked for one by one. */
  readonly names: NameSet
  /** Equal selections have equal keys. */
  readonly key: string
}

export interface View {
  readonly set: ResourceSet
  readonly selection: Selection
}

/** What must be said to go from one view to another. */
export interface Steps {
  readonly changed: readonly Resource[]
  readonly removed: readonly string[]
  /** Names newly asked for that do not exist: the client waits for a word on them. */
  readonly unknown: readonly string[]
  /** Whether `changed` is the whole set, so that its parts can be said as they are. */
  readonly whole: boolean
}

export const EMPTY_SET: ResourceSet = { parts: [] }

export function selection(wildcard: boolean, names: NameSet, parents?: NameSet): Selection {
  return { wildcard, names, parents, key: `${wildcard ? '*' : ''}${names.id}${parents ? `/${parents.id}` : ''}` }
}

/** `<route configuration>` of a virtual host's name: all before the last slash, as Envoy divides it. */
export function parentOf(name: string): string {
  const slash = name.lastIndexOf('/')
  return slash < 0 ? '' : name.slice(0, slash)
}

/** Whether a selection takes in a name. */
export function covers(selected: Selection, name: string): boolean {
  if (selected.wildcard && (!selected.parents || selected.parents.has(parentOf(name)))) return true
  return selected.names.has(name)
}

interface SetIndex {
  byName: ReadonlyMap<string, Resource> | undefined
  lookUps: number
}

const indexes = new WeakMap<ResourceSet, SetIndex>()

/** A set that was asked so often gets an index of its own; most are asked for a few names only, and every proxy may have its own set. */
const LOOK_UPS_BEFORE_INDEX = 256

/** A resource of a set by name. */
export function findIn(set: ResourceSet, name: string): Resource | undefined {
  if (set.parts.length <= 1) return set.parts[0]?.get(name)
  let index = indexes.get(set)
  if (!index) indexes.set(set, (index = { byName: undefined, lookUps: 0 }))
  if (!index.byName && ++index.lookUps > LOOK_UPS_BEFORE_INDEX) index.byName = merged(set)
  if (index.byName) return index.byName.get(name)
  for (const part of set.parts) {
    const resource = part.get(name)
    if (resource) return resource
  }
  return undefined
}

function merged(set: ResourceSet): ReadonlyMap<string, Resource> {
  const all = new Map<string, Resource>()
  for (const part of set.parts) for (const [name, resource] of part) all.set(name, resource)
  return all
}

/** The resource that a view shows under a name. */
export function lookUp(view: View, name: string): Resource | undefined {
  return covers(view.selection, name) ? findIn(view.set, name) : undefined
}

/** Everything that a view shows. */
export function* resourcesOf(view: View): Generator<Resource> {
  const { wildcard, parents, names } = view.selection
  if (wildcard && !parents) {
    for (const part of view.set.parts) yield* part.values()
  } else if (wildcard) {
    for (const part of view.set.parts) for (const resource of part.values()) if (covers(view.selection, resource.name)) yield resource
  } else {
    for (const name of names.names) {
      const resource = findIn(view.set, name)
      if (resource) yield resource
    }
  }
}

/** The steps from one view to another; the cost is that of the difference when the selection stays the same. */
export function stepsBetween(from: View, to: View): Steps {
  const changed: Resource[] = []
  const removed: string[] = []
  const unknown: string[] = []
  const sameSelection = from.selection.key === to.selection.key
  if (from.set !== to.set) {
    const all = difference(from.set, to.set)
    for (const resource of all.changed) {
      // What was not selected before is found below, changed or not.
      if (covers(to.selection, resource.name) && (sameSelection || covers(from.selection, resource.name))) changed.push(resource)
    }
    for (const name of all.removed) if (covers(from.selection, name) && covers(to.selection, name)) removed.push(name)
  }
  if (!sameSelection) addNewlySelected(from, to, changed, unknown)
  return { changed, removed, unknown, whole: isNothing(from.selection) && to.selection.wildcard && !to.selection.parents }
}

function isNothing(selected: Selection): boolean {
  return !selected.wildcard && selected.names.size === 0
}

function addNewlySelected(from: View, to: View, changed: Resource[], unknown: string[]): void {
  if (to.selection.wildcard && !(from.selection.wildcard && from.selection.parents === to.selection.parents)) {
    for (const part of to.set.parts) {
      for (const resource of part.values()) {
        if (covers(to.selection, resource.name) && !covers(from.selection, resource.name)) changed.push(resource)
      }
    }
  }
  if (from.selection.names === to.selection.names) return
  for (const name of to.selection.names.names) {
    if (covers(from.selection, name)) continue
    const resource = findIn(to.set, name)
    if (!resource) unknown.push(name)
    else if (!to.selection.wildcard || !coveredByWildcard(to.selection, name)) changed.push(resource)
  }
}

// The wildcard pass above has taken these already.
function coveredByWildcard(selected: Selection, name: string): boolean {
  return !selected.parents || selected.parents.has(parentOf(name))
}

/** What a client that holds a view says of it, and the names in it that do not exist. */
export interface ExactlyHeld {
  readonly fingerprint: Fingerprint
  readonly absent: readonly string[]
}

const MAX_EXACT = 256
const exact = new WeakMap<ResourceSet, Map<string, ExactlyHeld>>()

/** Made once for a view: clients that come back and lack nothing are recognized by it. */
export function exactlyHeld(view: View): ExactlyHeld {
  let byKey = exact.get(view.set)
  if (!byKey) exact.set(view.set, (byKey = new Map()))
  let result = byKey.get(view.selection.key)
  if (!result) {
    const { wildcard, parents, names } = view.selection
    const absent = [...names.names].filter((name) => !findIn(view.set, name))
    const whole = wildcard && !parents
    const fingerprint = whole ? sumOf(view.set.parts.map(partFingerprint)) : fingerprintOfVersions(resourcesOf(view))
    result = { fingerprint, absent }
    if (byKey.size >= MAX_EXACT) byKey.clear()
    byKey.set(view.selection.key, result)
  }
  return result
}

const partFingerprints = new WeakMap<ReadonlyMap<string, Resource>, Fingerprint>()

function partFingerprint(part: ReadonlyMap<string, Resource>): Fingerprint {
  let result = partFingerprints.get(part)
  if (!result) partFingerprints.set(part, (result = fingerprintOfVersions(part.values())))
  return result
}
