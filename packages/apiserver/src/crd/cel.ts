import type { FieldError } from '../errors.ts'
import type { Obj } from '../values.ts'
export function checkRules(_schema: Obj, _object: Obj, _old: Obj | undefined): FieldError[] {
  return []
}
