/** `x-kubernetes-validations`: filled in by the expression evaluator once a schema with rules is seen. */
import type { FieldError } from '../errors.ts'
import type { Obj } from '../values.ts'

export type RuleChecker = (schema: Obj, object: Obj, old: Obj | undefined) => FieldError[]

let checker: RuleChecker | undefined

/** Installs the evaluator; it is loaded only when some CRD has rules. */
export function setRuleChecker(check: RuleChecker): void {
  checker = check
}

/** Violations of the schema's rules. */
export function validateRules(schema: Obj, object: Obj, old: Obj | undefined): FieldError[] {
  return checker?.(schema, object, old) ?? []
}
