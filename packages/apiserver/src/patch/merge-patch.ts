/** JSON Merge Patch (RFC 7386). */
import { copy, isObj, type Obj, own, put } from '../values.ts'

/** A copy of `target` with the patch applied; `null` removes a field. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isObj(patch)) return copy(patch)
  const result: Obj = {}
  if (isObj(target)) for (const key of Object.keys(target)) put(result, key, target[key])
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null) delete result[key]
    else put(result, key, applyMergePatch(own(result, key), value))
  }
  return result
}
