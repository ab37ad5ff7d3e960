/** `x-kubernetes-validations`: the evaluator is loaded when the first schema with rules is served. */
import type { FieldError } from '../errors.ts'
import type { Obj } from '../values.ts'
import { hasRules } from './has-rules.ts'

export type RuleChecker = (schema: Obj, object: Obj, old: Obj | undefined) => FieldError[]

let checker: RuleChecker | undefined
let loading: Promise<void> | undefined

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
