/** `x-kubernetes-validations`: rules on `self` (and `oldSelf`), wherever the schema has them. */
import { type FieldError, invalid } from '../errors.ts'
import { isObj, list, type Obj, obj, objs, own, str } from '../values.ts'
import { evaluateCel, toCel } from './cel-environment.ts'
import { hasRules } from './has-rules.ts'

const MAX_ERRORS = 20
const USES_OLD = /\boldSelf\b/

/** Violations of all rules. */
export function checkRules(schema: Obj, object: Obj, old: Obj | undefined): FieldError[] {
  const errors: FieldError[] = []
  walk(schema, object, old, '', errors)
  return errors
}

function walk(schema: Obj, value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  if (errors.length >= MAX_ERRORS || value === undefined || value === null || !hasRules(schema)) return
  const rules = objs(schema['x-kubernetes-validations'])
  if (rules.length > 0) checkAt(rules, schema, value, old, path, errors)
  if (Array.isArray(value)) {
    const items = schema['items']
    if (!isObj(items)) return
    const before = Array.isArray(old) ? old : []
    const keys = list(schema['x-kubernetes-list-map-keys']).map(str)
    value.forEach((item, i) => {
      // Elements of other lists cannot be told which was which.
      const was =
        schema['x-kubernetes-list-type'] === 'map'
          ? before.find((b) => isObj(b) && isObj(item) && keys.every((k) => b[k] === item[k]))
          : undefined
      walk(items, item, was, `${path}[${i}]`, errors)
    })
  } else if (isObj(value)) {
    const properties = obj(schema['properties'])
    const additional = schema['additionalProperties']
    for (const [name, child] of Object.entries(value)) {
      const below = own(properties, name) ?? additional
      if (isObj(below)) walk(below, child, isObj(old) ? own(old, name) : undefined, path === '' ? name : `${path}.${name}`, errors)
    }
  }
}

function checkAt(rules: readonly Obj[], schema: Obj, value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  const self = toCel(value, schema)
  const oldSelf = old === undefined ? undefined : toCel(old, schema)
  for (const rule of rules) {
    const expression = str(rule['rule'])
    const usesOld = USES_OLD.test(expression)
    if (usesOld && oldSelf === undefined && rule['optionalOldSelf'] !== true) continue
    const variables = { self, ...(oldSelf === undefined ? {} : { oldSelf }) }
    const field = `${path}${str(rule['fieldPath'])}`.replace(/^\./, '')
    try {
      if (evaluateCel(expression, variables) === true) continue
    } catch (error) {
      errors.push(
        invalid(
          field,
          shown(value),
          `rule "${expression.slice(0, 200)}" could not be evaluated: ${error instanceof Error ? error.message : String(error)}`,
        ),
      )
      continue
    }
    errors.push({ ...invalid(field, shown(value), messageOf(rule, variables)), reason: reasonOf(rule) })
  }
}

function messageOf(rule: Obj, variables: Parameters<typeof evaluateCel>[1]): string {
  const expression = str(rule['messageExpression'])
  if (expression !== '') {
    try {
      const text = evaluateCel(expression, variables)
      if (typeof text === 'string' && text.trim() !== '') return text
    } catch {
      // The fixed message says it too.
    }
  }
  return str(rule['message']) || `failed rule: ${str(rule['rule'])}`
}

function reasonOf(rule: Obj): FieldError['reason'] {
  const reason = rule['reason']
  return reason === 'FieldValueRequired' || reason === 'FieldValueForbidden' || reason === 'FieldValueDuplicate'
    ? reason
    : 'FieldValueInvalid'
}

const shown = (value: unknown) => (isObj(value) ? 'object' : Array.isArray(value) ? 'array' : value)
