/**
 * Sets of fields, as `managedFields` records them.
 *
 * A path element is written as in `fieldsV1`: `f:name` a field, `k:{"name":"x"}` a list element by its keys, `v:"x"` an element of
 * a set. A node without children is a member; one with children is a member too when it is marked (`.` in fieldsV1).
 */
import type { Schema } from '../schema/schema.ts'
import { ANY } from '../schema/schema.ts'
import { equal, isObj, list, type Obj, own, put } from '../values.ts'

export interface FieldSet {
  member: boolean
  readonly children: Map<string, FieldSet>
}

export const emptySet = (): FieldSet => ({ member: false, children: new Map() })

export const isEmpty = (set: FieldSet): boolean => !set.member && [...set.children.values()].every(isEmpty)

export function fromFieldsV1(value: unknown): FieldSet {
  return parse(value, true, 0)
}

const MAX_DEPTH = 100

function parse(value: unknown, root: boolean, depth: number): FieldSet {
  const set = emptySet()
  if (!isObj(value) || depth > MAX_DEPTH) return set
  const keys = Object.keys(value)
  if (keys.length === 0 && !root) set.member = true
  for (const key of keys) {
    if (key === '.') set.member = true
    else set.children.set(key, parse(value[key], false, depth + 1))
  }
  return set
}

export function toFieldsV1(set: FieldSet): Obj {
  const result: Obj = {}
  const children = [...set.children].filter(([, child]) => !isEmpty(child)).sort(([a], [b]) => (a < b ? -1 : 1))
  if (set.member && children.length > 0) result['.'] = {}
  for (const [key, child] of children) put(result, key, toFieldsV1(child))
  return result
}

/** The path element of a list's item; `undefined` for a list with one owner. */
export function itemElement(schema: Schema, item: unknown): string | undefined {
  if (schema.list === 'set') return `v:${JSON.stringify(item)}`
  if (schema.list === 'map' && isObj(item)) {
    const key: Obj = {}
    for (const name of [...(schema.keys ?? [])].sort()) {
      const value = item[name] ?? schema.items?.fields?.[name]?.default
      if (value !== undefined) key[name] = value
    }
    return `k:${JSON.stringify(key)}`
  }
  return undefined
}

const isLeafList = (schema: Schema) => schema.list !== 'map' && schema.list !== 'set'

/** The schema of a field; unknown objects (preserved fields) are walked field by field. */
export function childSchema(schema: Schema, field: string): Schema {
  if (schema.type === 'map') return schema.values ?? ANY
  const fields = schema.fields
  return (fields && Object.hasOwn(fields, field) ? fields[field] : undefined) ?? ANY
}

/** All fields of a value: what a manager that applies it owns. */
export function fieldsOf(schema: Schema, value: unknown): FieldSet {
  const set = emptySet()
  if (isObj(value) && !schema.atomic && Object.keys(value).length > 0) {
    for (const key of Object.keys(value))
      if (value[key] !== undefined) set.children.set(`f:${key}`, fieldsOf(childSchema(schema, key), value[key]))
    return set
  }
  if (Array.isArray(value) && !schema.atomic && !isLeafList(schema) && value.length > 0) {
    for (const item of value) {
      const element = itemElement(schema, item)
      if (element === undefined) return { member: true, children: new Map() }
      const child = schema.list === 'map' ? fieldsOf(schema.items ?? ANY, item) : emptySet()
      child.member = true
      set.children.set(element, child)
    }
    return set
  }
  set.member = true
  return set
}

/** The fields that are new or different in `after`, and those that are gone. */
export function compareFields(schema: Schema, before: unknown, after: unknown): { changed: FieldSet; removed: FieldSet } {
  const changed = emptySet()
  const removed = emptySet()
  diff(schema, before, after, changed, removed)
  return { changed, removed }
}

function diff(schema: Schema, before: unknown, after: unknown, changed: FieldSet, removed: FieldSet): void {
  if (before === after) return
  if (before === undefined || before === null) {
    if (after === undefined || after === null) return
    const all = fieldsOf(schema, after)
    // A new map is itself a member beside its entries.
    all.member = schema.type === 'map' || all.member || schema.type === 'array' || schema.type === 'object'
    merge(changed, all)
    return
  }
  if (after === undefined || after === null) {
    const all = fieldsOf(schema, before)
    all.member = true
    merge(removed, all)
    return
  }
  if (isObj(before) && isObj(after) && !schema.atomic) {
    for (const key of Object.keys(after)) step(`f:${key}`, childSchema(schema, key), own(before, key), after[key], changed, removed)
    for (const key of Object.keys(before))
      if (own(after, key) === undefined) step(`f:${key}`, childSchema(schema, key), before[key], undefined, changed, removed)
    return
  }
  if (Array.isArray(before) && Array.isArray(after) && !schema.atomic && !isLeafList(schema)) {
    const index = (items: readonly unknown[]) => new Map(items.map((item) => [itemElement(schema, item) ?? '', item]))
    const old = index(before)
    const now = index(after)
    const items = schema.list === 'map' ? (schema.items ?? ANY) : ANY
    for (const [element, item] of now) step(element, items, old.get(element), item, changed, removed)
    for (const [element, item] of old) if (!now.has(element)) step(element, items, item, undefined, changed, removed)
    return
  }
  if (!equal(before, after)) changed.member = true
}

function step(element: string, schema: Schema, before: unknown, after: unknown, changed: FieldSet, removed: FieldSet): void {
  const c = emptySet()
  const r = emptySet()
  diff(schema, before, after, c, r)
  if (!isEmpty(c)) changed.children.set(element, c)
  if (!isEmpty(r)) removed.children.set(element, r)
}

/** Adds `more` to `set`. */
export function merge(set: FieldSet, more: FieldSet): void {
  set.member ||= more.member
  for (const [key, child] of more.children) {
    const mine = set.children.get(key)
    if (mine) merge(mine, child)
    else set.children.set(key, cloneSet(child))
  }
}

export function cloneSet(set: FieldSet): FieldSet {
  return { member: set.member, children: new Map([...set.children].map(([k, c]) => [k, cloneSet(c)])) }
}

/** `set` without the members of `other`. */
export function difference(set: FieldSet, other: FieldSet): FieldSet {
  const result: FieldSet = { member: set.member && !other.member, children: new Map() }
  for (const [key, child] of set.children) {
    const theirs = other.children.get(key)
    const left = theirs ? difference(child, theirs) : cloneSet(child)
    if (!isEmpty(left)) result.children.set(key, left)
  }
  return result
}

export function intersection(set: FieldSet, other: FieldSet): FieldSet {
  const result: FieldSet = { member: set.member && other.member, children: new Map() }
  for (const [key, child] of set.children) {
    const theirs = other.children.get(key)
    if (!theirs) continue
    const both = intersection(child, theirs)
    if (!isEmpty(both)) result.children.set(key, both)
  }
  return result
}

/** The members of `set` that may be removed from an object although others own `kept`: nothing above or at a kept field. */
export function removable(set: FieldSet, kept: FieldSet): FieldSet {
  const result: FieldSet = { member: set.member && isEmpty(kept), children: new Map() }
  for (const [key, child] of set.children) {
    const left = removable(child, kept.children.get(key) ?? emptySet())
    if (!isEmpty(left)) result.children.set(key, left)
  }
  return result
}

/** Paths of all members, like `.spec.template.spec.containers[name="web"].image`. */
export function paths(set: FieldSet): string[] {
  const result: string[] = []
  const walk = (node: FieldSet, path: string) => {
    if (node.member && path !== '') result.push(path)
    for (const [key, child] of [...node.children].sort(([a], [b]) => (a < b ? -1 : 1))) walk(child, path + elementText(key))
  }
  walk(set, '')
  return result
}

function elementText(element: string): string {
  const rest = element.slice(2)
  if (element.startsWith('f:')) return `.${rest}`
  if (element.startsWith('v:')) return `[=${rest}]`
  const key: unknown = JSON.parse(rest)
  const fields = isObj(key) ? Object.entries(key) : []
  return `[${fields.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`
}

/** A copy of `value` without the members of `set`. */
export function removeFields(schema: Schema, value: unknown, set: FieldSet): unknown {
  if (isObj(value)) {
    const result: Obj = {}
    for (const key of Object.keys(value)) {
      const below = set.children.get(`f:${key}`)
      if (!below) put(result, key, value[key])
      else if (below.children.size === 0) {
        if (!below.member) put(result, key, value[key])
      } else {
        const left = removeFields(childSchema(schema, key), value[key], below)
        const emptied = (isObj(left) && Object.keys(left).length === 0) || (Array.isArray(left) && left.length === 0)
        if (!emptied || equal(left, value[key])) put(result, key, left)
      }
    }
    return result
  }
  if (Array.isArray(value) && !isLeafList(schema)) {
    return list(value).flatMap((item) => {
      const element = itemElement(schema, item)
      const below = element === undefined ? undefined : set.children.get(element)
      if (!below) return [item]
      if (below.member) return []
      return [removeFields(schema.items ?? ANY, item, below)]
    })
  }
  return value
}
