/** The value that results when an applied configuration is laid over the live object. */
import { ANY, type Schema } from '../schema/schema.ts'
import { copy, isObj, list, type Obj, own, put } from '../values.ts'
import { childSchema, itemElement } from './field-set.ts'

/** A copy of `live` with every field of `applied` set; lists are merged by their keys, in the applied order. */
export function mergeApplied(schema: Schema, live: unknown, applied: unknown): unknown {
  if (isObj(applied) && isObj(live) && !schema.atomic) {
    const result: Obj = {}
    for (const key of Object.keys(live)) put(result, key, live[key])
    for (const key of Object.keys(applied)) {
      if (applied[key] === undefined) continue
      put(result, key, mergeApplied(childSchema(schema, key), own(live, key), applied[key]))
    }
    return result
  }
  if (Array.isArray(applied) && Array.isArray(live) && !schema.atomic && (schema.list === 'map' || schema.list === 'set'))
    return mergeList(schema, live, applied)
  return copy(applied)
}

function mergeList(schema: Schema, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const element = (item: unknown) => itemElement(schema, item) ?? ''
  const appliedBy = new Map(applied.map((item) => [element(item), item]))
  const liveBy = new Map(live.map((item) => [element(item), item]))
  const result: unknown[] = []
  const done = new Set<string>()
  const order = [...appliedBy.keys()]
  let next = 0
  const takeApplied = (key: string) => {
    done.add(key)
    const before = liveBy.get(key)
    result.push(schema.list === 'set' ? appliedBy.get(key) : mergeApplied(schema.items ?? ANY, before, appliedBy.get(key)))
  }
  // Elements that only the live list has stay where they are relative to their neighbours.
  for (const item of list(live)) {
    const key = element(item)
    if (!appliedBy.has(key)) {
      result.push(copy(item))
      continue
    }
    if (done.has(key)) continue
    while (next < order.length) {
      const candidate = order[next++]
      if (candidate === undefined) break
      if (!done.has(candidate)) takeApplied(candidate)
      if (candidate === key) break
    }
  }
  for (; next < order.length; next++) {
    const candidate = order[next]
    if (candidate !== undefined && !done.has(candidate)) takeApplied(candidate)
  }
  return result
}
