/**
 * Schemas of the built-in kinds, made on first use from the compact text in `gen/schemas.ts`.
 *
 * A field's text is `!` when required, then `[` (list) or `{` (map) any number of times, then one of: `s` string (`s|A|B` with
 * its allowed values), `y` base64, `i` integer, `n` number, `b` boolean, `x` int-or-string, `q` quantity, `t` time, `T` time with
 * microseconds, `a` anything, `@name` another definition.
 */

import packed from '../../gen/schemas.ts'
import { type MergeRule, mergeRule } from './merge-keys.ts'
import { ANY, type Schema } from './schema.ts'

type Fields = Readonly<Record<string, string>>
const definitions: Readonly<Record<string, Fields>> = JSON.parse(packed)
const made = new Map<string, Schema>()

const SCALARS: Readonly<Record<string, Schema>> = {
  s: { type: 'string' },
  y: { type: 'string', format: 'byte' },
  i: { type: 'integer' },
  n: { type: 'number' },
  b: { type: 'boolean' },
  x: { type: 'intOrString' },
  q: { type: 'intOrString', format: 'quantity' },
  t: { type: 'string', format: 'time' },
  T: { type: 'string', format: 'microtime' },
  a: ANY,
}

/** Names of all definitions, for the OpenAPI documents. */
export function definitionNames(): string[] {
  return Object.keys(definitions)
}

/** The schema of `core.v1.PodSpec`; `undefined` when there is no such definition. */
export function definition(name: string): Schema | undefined {
  const known = made.get(name)
  if (known) return known
  const fields = definitions[name]
  if (!fields) return undefined
  const required = Object.keys(fields).filter((field) => fields[field]?.startsWith('!'))
  const rule = mergeRule(name, '.')
  const schema: Schema = {
    type: 'object',
    ref: name,
    ...(required.length > 0 ? { required } : {}),
    ...(rule.atomic ? { atomic: true } : {}),
    get fields() {
      const value = fieldsOf(name, fields)
      Object.defineProperty(this, 'fields', { value, enumerable: true })
      return value
    },
  }
  made.set(name, schema)
  return schema
}

function fieldsOf(name: string, fields: Fields): Record<string, Schema> {
  const result: Record<string, Schema> = {}
  for (const [field, text] of Object.entries(fields)) {
    const rule = mergeRule(name, field)
    let schema = parse(text.startsWith('!') ? text.slice(1) : text)
    if (DEFAULT_PROTOCOL.has(`${name} ${field}`)) schema = { ...schema, default: 'TCP' }
    result[field] = rule.list || rule.atomic || rule.patch ? withRule(schema, rule) : schema
  }
  return result
}

/** Fields that are part of a list key and may be left out. */
const DEFAULT_PROTOCOL = new Set(['core.v1.ContainerPort protocol', 'core.v1.ServicePort protocol'])

function withRule(schema: Schema, rule: MergeRule): Schema {
  const more = {
    ...(rule.list ? { list: rule.list } : {}),
    ...(rule.keys ? { keys: rule.keys } : {}),
    ...(rule.atomic ? { atomic: true } : {}),
    ...(rule.patch ? { patch: rule.patch } : {}),
  }
  if (schema.ref === undefined) return { ...schema, ...more }
  // A reference's fields stay lazy: spreading would expand recursive kinds without end.
  const { ref } = schema
  return {
    type: schema.type,
    ref,
    ...(schema.required ? { required: schema.required } : {}),
    ...(schema.atomic ? { atomic: true } : {}),
    ...more,
    get fields() {
      return definition(ref)?.fields ?? {}
    },
  }
}

function parse(text: string): Schema {
  const scalar = SCALARS[text]
  if (scalar) return scalar
  const rest = text.slice(1)
  switch (text[0]) {
    case '[':
      return { type: 'array', items: parse(rest) }
    case '{':
      return { type: 'map', values: parse(rest) }
    case '@':
      return definition(rest) ?? ANY
    case 's':
      return { type: 'string', enum: rest.slice(1).split('|') }
    default:
      throw new Error(`schema text "${text}" is not understood`)
  }
}
