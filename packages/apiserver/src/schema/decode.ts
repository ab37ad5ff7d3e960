/**
 * Checks an incoming value against a schema: drops what is unknown, reports it, and refuses what has the wrong type.
 *
 * Enters: parsed JSON and a schema. Leaves: a fresh value with known fields only, and the paths of the unknown ones.
 */
import { isObj, type Obj, own, put } from '../values.ts'
import type { Schema } from './schema.ts'

/** The value does not have the type that the schema says; `path` in the form `spec.ports[0].port`. */
export class TypeMismatch extends Error {
  readonly path: string
  readonly found: string
  readonly wanted: string

  constructor(path: string, value: unknown, wanted: string) {
    const found = kindOf(value)
    super(`json: cannot unmarshal ${found} into Go struct field ${path.replace(/\[\d+\]/g, '')} of type ${wanted}`)
    this.name = 'TypeMismatch'
    this.path = path
    this.found = found
    this.wanted = wanted
  }
}

export interface DecodeOptions {
  /** Called for each unknown field with its path. */
  readonly unknown: (path: string) => void
  /** Wrong types are kept for the validation to report (CRDs), instead of thrown (built-in kinds). */
  readonly lenient?: boolean
}

const OBJECT_FIELDS = ['apiVersion', 'kind', 'metadata']

/** A copy with known fields only. @throws TypeMismatch unless lenient */
export function decode(schema: Schema, value: unknown, path: string, options: DecodeOptions, root = false): unknown {
  if (value === null || value === undefined) return options.lenient ? value : undefined
  switch (schema.type) {
    case 'any':
      return value
    case 'object':
      return decodeObject(schema, value, path, options, root)
    case 'map':
      return decodeMap(schema, value, path, options)
    case 'array': {
      if (!Array.isArray(value)) return mismatch(path, value, '[]' + goType(schema.items), options)
      const { items } = schema
      if (!items) return value
      const result: unknown[] = []
      for (let i = 0; i < value.length; i++) {
        const decoded = decode(items, value[i], `${path}[${i}]`, options)
        // Go decodes a null element to the element type's zero value.
        result.push(decoded === undefined ? (items.type === 'string' ? '' : items.type === 'object' ? {} : null) : decoded)
      }
      return result
    }
    case 'string':
      return typeof value === 'string' ? value : mismatch(path, value, schema.format === 'time' ? 'v1.Time' : 'string', options)
    case 'boolean':
      return typeof value === 'boolean' ? value : mismatch(path, value, 'bool', options)
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value) ? value : mismatch(path, value, 'int32', options)
    case 'number':
      return typeof value === 'number' ? value : mismatch(path, value, 'float64', options)
    case 'intOrString':
      if (typeof value === 'string' || typeof value === 'number') {
        // Quantities are always text once decoded, like `"1"` for `cpu: 1`.
        return schema.format === 'quantity' && !options.lenient ? String(value) : value
      }
      return mismatch(path, value, schema.format === 'quantity' ? 'resource.Quantity' : 'intstr.IntOrString', options)
  }
}

function decodeObject(schema: Schema, value: unknown, path: string, options: DecodeOptions, root: boolean): unknown {
  if (!isObj(value)) return mismatch(path, value, goType(schema), options)
  const fields = schema.fields ?? {}
  const result: Obj = {}
  for (const key of Object.keys(value)) {
    const below = value[key]
    const field = own(fields, key)
    const at = path ? `${path}.${key}` : key
    if (isSchema(field)) {
      const decoded = decode(field, below, at, options)
      if (decoded !== undefined) result[key] = decoded
    } else if ((root || schema.embedded) && OBJECT_FIELDS.includes(key)) {
      result[key] = below
    } else if (schema.preserve) {
      put(result, key, below)
    } else {
      options.unknown(at)
    }
  }
  return result
}

function decodeMap(schema: Schema, value: unknown, path: string, options: DecodeOptions): unknown {
  if (!isObj(value)) return mismatch(path, value, `map[string]${goType(schema.values)}`, options)
  const { values } = schema
  if (!values) return value
  const result: Obj = {}
  for (const key of Object.keys(value)) {
    const decoded = decode(values, value[key], path ? `${path}.${key}` : key, options)
    if (decoded !== undefined) put(result, key, decoded)
    // A null label is the empty label in Go.
    else if (values.type === 'string') put(result, key, '')
  }
  return result
}

function isSchema(value: unknown): value is Schema {
  return isObj(value)
}

function mismatch(path: string, value: unknown, wanted: string, options: DecodeOptions): unknown {
  if (options.lenient) return value
  throw new TypeMismatch(path, value, wanted)
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return `number${Number.isInteger(value) ? '' : ` ${value}`}`
  return typeof value
}

function goType(schema: Schema | undefined): string {
  switch (schema?.type) {
    case 'object':
      return schema.ref?.replace(/^(\w+)\.(v\w+)\./, '$2.') ?? 'object'
    case 'integer':
      return 'int32'
    case 'boolean':
      return 'bool'
    case 'map':
      return `map[string]${goType(schema.values)}`
    case 'array':
      return `[]${goType(schema.items)}`
    default:
      return schema?.type ?? 'object'
  }
}
