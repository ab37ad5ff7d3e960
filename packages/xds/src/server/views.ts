/**
 * A view is what one client sees of one type: a shared, immutable set of resources and a selection of names from it. Views are
 * values: streams with equal views share everything that is computed from them.
 */

import { type Fingerprint, fingerprintOfVersions } from '../protocol/held-versions.ts'
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

const indexes = new WeakMap<ResourceSet, ReadonlyMap<string, Resource>>()

/** A set by name; made once for a set. */
export function indexOf(set: ResourceSet): ReadonlyMap<string, Resource> {
  const [only] = set.parts
  if (set.parts.length === 1 && only) return only
  let index = indexes.get(set)
  if (!index) {
    const made = new Map<string, Resource>()
    for (const part of set.parts) for (const [name, resource] of part) made.set(name, resource)
    indexes.set(set, (index = made))
  }
  return index
}

/** The resource that a view shows under a name. */
export function lookUp(view: View, name: string): Resource | undefined {
  return covers(view.selection, name) ? indexOf(view.set).get(name) : undefined
}

/** Everything that a view shows. */
export function* resourcesOf(view: View): Generator<Resource> {
  const { wildcard, parents, names } = view.selection
  if (wildcard && !parents) {
    for (const part of view.set.parts) yield* part.values()
  } else if (wildcard) {
    for (const part of view.set.parts) for (const resource of part.values()) if (covers(view.selection, resource.name)) yield resource
  } else {
    const index = indexOf(view.set)
    for (const name of names.names) {
      const resource = index.get(name)
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
  return { changed, removed, unknown }
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
  const index = indexOf(to.set)
  for (const name of to.selection.names.names) {
    if (covers(from.selection, name)) continue
    const resource = index.get(name)
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
    const index = indexOf(view.set)
    const absent = [...view.selection.names.names].filter((name) => !index.has(name))
    result = { fingerprint: fingerprintOfVersions(resourcesOf(view)), absent }
    if (byKey.size >= MAX_EXACT) byKey.clear()
    byKey.set(view.selection.key, result)
  }
  return result
}
