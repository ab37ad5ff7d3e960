/** Evaluating CEL expressions on JSON values; loaded only where expressions are used. */
import { type CelInput, celEnv, isCelError, parse, plan } from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { isObj, type Obj, obj } from '../values.ts'
import { urls } from './cel-urls.ts'

const MAX_EXPRESSION = 10_000
type Program = (variables: Record<string, CelInput>) => unknown
const programs = new Map<string, Program | Error>()
const environment = celEnv({ funcs: [...strings, ...urls] })

/** Names that CEL reserves; a field so called is reached as `__name__`. */
const RESERVED = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
])

function alias(field: string): string {
  if (RESERVED.has(field)) return `__${field}__`
  return field.replaceAll('__', '__underscores__').replaceAll('.', '__dot__').replaceAll('-', '__dash__').replaceAll('/', '__slash__')
}

/** JSON as CEL sees it; whole numbers are integers unless the schema says `number`. */
export function toCel(value: unknown, schema?: Obj): CelInput {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return Number.isInteger(value) && schema?.['type'] !== 'number' ? BigInt(value) : value
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (Array.isArray(value)) {
    const items = isObj(schema?.['items']) ? schema['items'] : undefined
    return value.map((item) => toCel(item, items))
  }
  if (!isObj(value)) return null
  const properties = obj(schema?.['properties'])
  const additional = isObj(schema?.['additionalProperties']) ? schema['additionalProperties'] : undefined
  const result = new Map<string, CelInput>()
  for (const [field, child] of Object.entries(value)) {
    if (child === undefined) continue
    const below = isObj(properties[field]) ? properties[field] : additional
    const converted = toCel(child, below)
    result.set(field, converted)
    const other = additional ? field : alias(field)
    if (other !== field) result.set(other, converted)
  }
  return result
}

function program(expression: string): Program {
  let known = programs.get(expression)
  if (known === undefined) {
    try {
      if (expression.length > MAX_EXPRESSION) throw new Error(`the expression is longer than ${MAX_EXPRESSION} characters`)
      const run = plan(environment, parse(expression))
      known = (variables) => run(variables)
    } catch (error) {
      known = error instanceof Error ? error : new Error(String(error))
    }
    if (programs.size > 5000) programs.clear()
    programs.set(expression, known)
  }
  if (known instanceof Error) throw known
  return known
}

/** The value of an expression. @throws Error when it cannot be parsed or evaluated */
export function evaluateCel(expression: string, variables: Record<string, CelInput>): unknown {
  const value = program(expression)(variables)
  if (isCelError(value)) throw new Error(value.message)
  return value
}

/** As {@link evaluateCel}, on plain JSON values. */
export function evaluate(expression: string, variables: Obj): unknown {
  return evaluateCel(expression, Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, toCel(value)])))
}
