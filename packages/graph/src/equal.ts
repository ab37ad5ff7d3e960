/** Structural equality of immutable values: what stops a change from spreading. */

/** Whether two values have equal structure. Maps and Sets compare in order; functions and class instances by identity. */
export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]))
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b)
  if (a instanceof Map) return b instanceof Map && a.size === b.size && equal([...a], [...b])
  if (a instanceof Set) return b instanceof Set && a.size === b.size && equal([...a], [...b])
  const prototype: unknown = Object.getPrototypeOf(a)
  if (prototype !== Object.getPrototypeOf(b) || (prototype !== Object.prototype && prototype !== null)) return false
  return equalRecords(a, b)
}

function equalRecords(a: object, b: object): boolean {
  const left = Object.entries(a)
  if (left.length !== Object.keys(b).length) return false
  return left.every(([key, value]) => Object.hasOwn(b, key) && equal(value, Reflect.get(b, key)))
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
