/** Reading and copying parsed JSON whose shape is not known yet. */

/** A JSON object. */
export type Obj = { [field: string]: unknown }

export function isObj(value: unknown): value is Obj {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The object, or an empty one: for reading only. */
export function obj(value: unknown): Obj {
  return isObj(value) ? value : {}
}

export function str(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A finite number, or the fallback. */
export function num(value: unknown, fallback = 0): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

/** The objects of a list; other elements are left out. */
export function objs(value: unknown): Obj[] {
  return list(value).filter(isObj)
}

/** The string-valued entries of an object. */
export function strings(value: unknown): Record<string, string> {
  const result: Record<string, string> = {}
  for (const [key, entry] of Object.entries(obj(value))) if (typeof entry === 'string') result[key] = entry
  return result
}

/** The value at a path of field names, `undefined` where the path ends early. */
export function at(value: unknown, ...path: string[]): unknown {
  let here = value
  for (const field of path) {
    if (!isObj(here)) return undefined
    here = here[field]
  }
  return here
}

/** The object at a field, made when it is missing. */
export function into(parent: Obj, field: string): Obj {
  const here = parent[field]
  if (isObj(here)) return here
  const made: Obj = {}
  parent[field] = made
  return made
}

/** Sets a field that is undefined or null. */
export function fill(parent: Obj, field: string, value: unknown): void {
  if (parent[field] === undefined || parent[field] === null) parent[field] = value
}

export function metadata(object: Obj): Obj {
  return into(object, 'metadata')
}

/** Own fields only: safe for keys such as `__proto__`. */
export function own(object: Obj, field: string): unknown {
  return Object.hasOwn(object, field) ? object[field] : undefined
}

/** Sets a field by definition, so that `__proto__` is a field like any other. */
export function put(object: Obj, field: string, value: unknown): void {
  if (field === '__proto__') Object.defineProperty(object, field, { value, enumerable: true, configurable: true, writable: true })
  else object[field] = value
}

/** A deep copy of parsed JSON. */
export function copy<T>(value: T): T
export function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((v: unknown) => copy(v))
  if (!isObj(value)) return value
  const result: Obj = {}
  for (const key of Object.keys(value)) put(result, key, copy(value[key]))
  return result
}

/** Structural equality of parsed JSON; an undefined field equals a missing one. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((v, i) => equal(v, b[i]))
  if (!isObj(a) || !isObj(b)) return false
  for (const key of Object.keys(a)) if (!equal(a[key], own(b, key))) return false
  for (const key of Object.keys(b)) if (b[key] !== undefined && own(a, key) === undefined) return false
  return true
}

/** RFC 3339 without fractions, as Kubernetes writes times. */
export function now(milliseconds = Date.now()): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
}
