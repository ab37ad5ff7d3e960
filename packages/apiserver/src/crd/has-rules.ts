/** Whether a schema asks for rules to be evaluated. */
import { isObj, list, type Obj } from '../values.ts'

const known = new WeakMap<Obj, boolean>()

/** Whether a schema has rules anywhere. */
export function hasRules(schema: Obj): boolean {
  const cached = known.get(schema)
  if (cached !== undefined) return cached
  const found =
    list(schema['x-kubernetes-validations']).length > 0 ||
    ['properties', 'items', 'additionalProperties'].some((part) => {
      const below = schema[part]
      if (!isObj(below)) return false
      return part === 'properties' ? Object.values(below).some((child) => isObj(child) && hasRules(child)) : hasRules(below)
    })
  known.set(schema, found)
  return found
}
