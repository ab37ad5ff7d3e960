/**
 * Strategic merge patch: a merge patch that merges lists by the key their schema names.
 *
 * Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>`, `$setElementOrder/<field>`.
 */
import { badRequest } from '../errors.ts'
import type { Schema } from '../schema/schema.ts'
import { copy, equal, isObj, list, type Obj, own, put, str } from '../values.ts'

const DELETE_FROM = '$deleteFromPrimitiveList/'
const ORDER = '$setElementOrder/'

function fieldOf(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.type === 'map') return schema.values
  const fields = schema?.fields
  return fields && Object.hasOwn(fields, key) ? fields[key] : undefined
}

/** A copy of `target` with the patch applied. @throws StatusError 400 for a directive that is not understood */
export function applyStrategicPatch(schema: Schema | undefined, target: unknown, patch: unknown): unknown {
  if (!isObj(patch)) return copy(patch)
  const directive = patch['$patch']
  if (directive !== undefined) {
    const { $patch: _directive, ...rest } = patch
    if (directive === 'replace') return stripped(rest)
    if (directive === 'delete') return {}
    if (directive !== 'merge') throw badRequest(`strategic merge patch: unknown $patch directive ${JSON.stringify(directive)}`)
  }
  const result: Obj = {}
  if (isObj(target)) for (const key of Object.keys(target)) put(result, key, target[key])
  const retain = patch['$retainKeys']
  if (Array.isArray(retain)) for (const key of Object.keys(result)) if (!retain.includes(key)) delete result[key]
  for (const key of Object.keys(patch)) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith(ORDER) || key.startsWith(DELETE_FROM)) continue
    const value = patch[key]
    if (value === null) {
      delete result[key]
      continue
    }
    const field = fieldOf(schema, key)
    const current = own(result, key)
    if (Array.isArray(value)) put(result, key, field?.patch && field.type === 'array' ? mergeLists(field, current, value) : stripped(value))
    else put(result, key, applyStrategicPatch(field, isObj(current) ? current : undefined, value))
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith(DELETE_FROM)) {
      const name = key.slice(DELETE_FROM.length)
      const gone = list(patch[key])
      const current = own(result, name)
      if (Array.isArray(current)) result[name] = current.filter((item) => !gone.some((g) => equal(g, item)))
    }
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith(ORDER)) {
      const name = key.slice(ORDER.length)
      const current = own(result, name)
      if (Array.isArray(current)) result[name] = ordered(current, list(patch[key]), fieldOf(schema, name)?.patch?.key)
    }
  }
  return result
}

function mergeLists(schema: Schema, current: unknown, patch: readonly unknown[]): unknown[] {
  const key = schema.patch?.key
  const result = [...list(current)]
  if (key === undefined) {
    for (const item of patch) if (!result.some((r) => equal(r, item))) result.push(copy(item))
    return result
  }
  if (patch.some((item) => isObj(item) && item['$patch'] === 'replace' && Object.keys(item).length === 1)) {
    return list(stripped(patch.filter((item) => !(isObj(item) && item['$patch'] === 'replace'))))
  }
  for (const item of patch) {
    if (!isObj(item)) throw badRequest(`strategic merge patch: an element of a list merged by "${key}" is not an object`)
    const directive = item['$patch']
    const matches = (other: unknown) => isObj(other) && equal(other[key], item[key])
    if (item[key] === undefined && directive !== 'replace')
      throw badRequest(`map: ${JSON.stringify(item).slice(0, 200)} does not contain declared merge key: ${key}`)
    const at = result.findIndex(matches)
    if (directive === 'delete') {
      for (let i = result.length - 1; i >= 0; i--) if (matches(result[i])) result.splice(i, 1)
      continue
    }
    const merged = applyStrategicPatch(schema.items, at >= 0 ? withRetain(schema, result[at], item) : undefined, item)
    if (at >= 0) result[at] = merged
    else result.push(merged)
  }
  return result
}

/** Volumes name their only source: another source replaces it. */
function withRetain(schema: Schema, current: unknown, patch: Obj): unknown {
  if (!schema.patch?.retainKeys || !isObj(current) || !Array.isArray(patch['$retainKeys'])) return current
  const keep = patch['$retainKeys'].map(str)
  return Object.fromEntries(Object.entries(current).filter(([k]) => keep.includes(k)))
}

function ordered(items: readonly unknown[], order: readonly unknown[], key: string | undefined): unknown[] {
  const id = (item: unknown) => JSON.stringify(key === undefined ? item : isObj(item) ? item[key] : undefined)
  const wanted = order.map(id)
  const rank = (item: unknown) => wanted.indexOf(id(item))
  const listed = items.filter((item) => rank(item) >= 0).sort((a, b) => rank(a) - rank(b))
  // Elements that the patch does not know keep their place relative to the one before them.
  const result = [...listed]
  items.forEach((item, i) => {
    if (rank(item) >= 0) return
    const before = items.slice(0, i).findLast((other) => result.includes(other))
    result.splice(before === undefined ? 0 : result.indexOf(before) + 1, 0, item)
  })
  return result
}

/** A copy without directives. */
function stripped(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((v) => !(isObj(v) && v['$patch'] === 'delete')).map(stripped)
  if (!isObj(value)) return value
  const result: Obj = {}
  for (const key of Object.keys(value)) {
    if (key === '$patch' || key === '$retainKeys' || key.startsWith(ORDER) || key.startsWith(DELETE_FROM)) continue
    if (value[key] !== null) put(result, key, stripped(value[key]))
  }
  return result
}
