/** `x-kubernetes-validations`: the evaluator is loaded when the first schema with rules is served. */
import type { FieldError } from '../errors.ts'
import { isObj, list, type Obj } from '../values.ts'

export type RuleChecker = (schema: Obj, object: Obj, old: Obj | undefined) => FieldError[]

let checker: RuleChecker | undefined
let loading: Promise<void> | undefined
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

/** Starts loading the evaluator when a schema needs it. */
export function needsRules(schema: Obj): void {
  if (checker || loading || !hasRules(schema)) return
  loading = import('./cel.ts').then((module) => {
    checker = module.checkRules
  })
}

/** Resolves when all rules that are known can be checked. */
export async function rulesReady(): Promise<void> {
  await loading
}

/** Violations of the schema's rules. */
export function validateRules(schema: Obj, object: Obj, old: Obj | undefined): FieldError[] {
  return hasRules(schema) ? (checker?.(schema, object, old) ?? []) : []
}
