/** Checks a custom object against its CRD's schema: types, bounds, patterns, formats, combinations. */
import { duplicate, type FieldError, invalid, required, tooLong, typeInvalid, unsupported } from '../errors.ts'
import { equal, isObj, list, num, type Obj, obj, objs, own, str } from '../values.ts'
import { matchesPattern } from './pattern.ts'

const MAX_ERRORS = 50

/** All violations, with paths such as `spec.http[0].weight`. */
export function validateSchema(schema: Obj, value: unknown, path: string, root = false): FieldError[] {
  const errors: FieldError[] = []
  check(schema, value, path, errors, root, false)
  return errors
}

function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

const inBody = (path: string) => (path === '' ? 'in body' : `${path} in body`)

function check(schema: Obj, value: unknown, path: string, errors: FieldError[], root: boolean, nested: boolean): void {
  if (errors.length >= MAX_ERRORS) return
  const type = str(schema['type'])
  if (value === null && schema['nullable'] === true) return
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (typeof value !== 'string' && !Number.isInteger(value)) {
      errors.push(typeInvalid(path, typeName(value), `${inBody(path)} must be of type integer,string: ${JSON.stringify(typeName(value))}`))
      return
    }
  } else if (type !== '') {
    const found = typeName(value)
    if (found !== type && !(type === 'number' && found === 'integer')) {
      errors.push(typeInvalid(path, found, `${inBody(path)} must be of type ${type}: ${JSON.stringify(found)}`))
      return
    }
  }
  const allowed = schema['enum']
  if (Array.isArray(allowed) && !allowed.some((a) => equal(a, value))) errors.push(unsupported(path, value, allowed))
  if (typeof value === 'string') checkString(schema, value, path, errors)
  else if (typeof value === 'number') checkNumber(schema, value, path, errors)
  else if (Array.isArray(value)) checkArray(schema, value, path, errors)
  else if (isObj(value)) checkObject(schema, value, path, errors, root, nested)
  checkCombinations(schema, value, path, errors)
}

function checkCombinations(schema: Obj, value: unknown, path: string, errors: FieldError[]): void {
  const passes = (sub: unknown) => {
    const inner: FieldError[] = []
    check(obj(sub), value, path, inner, false, true)
    return inner
  }
  for (const sub of list(schema['allOf'])) errors.push(...passes(sub))
  const anyOf = list(schema['anyOf'])
  if (anyOf.length > 0) {
    const results = anyOf.map(passes)
    if (!results.some((r) => r.length === 0)) {
      errors.push(
        ...(results.find((r) => r.length > 0) ?? []),
        invalid(path, '', `${quoted(path)} must validate at least one schema (anyOf)`),
      )
    }
  }
  const oneOf = list(schema['oneOf'])
  if (oneOf.length > 0) {
    const count = oneOf.filter((s) => passes(s).length === 0).length
    if (count !== 1) {
      const found = count === 0 ? 'Found none valid' : `Found ${count} valid alternatives`
      errors.push(invalid(path, '', `${quoted(path)} must validate one and only one schema (oneOf). ${found}`))
    }
  }
  if (isObj(schema['not']) && passes(schema['not']).length === 0)
    errors.push(invalid(path, '', `${quoted(path)} must not validate the schema (not)`))
}

const quoted = (path: string) => JSON.stringify(path === '' ? '<nil>' : path)

function checkString(schema: Obj, value: string, path: string, errors: FieldError[]): void {
  const length = [...value].length
  const max = schema['maxLength']
  const min = schema['minLength']
  if (typeof max === 'number' && length > max) errors.push(tooLong(path, max))
  if (typeof min === 'number' && length < min) errors.push(invalid(path, value, `${inBody(path)} should be at least ${min} chars long`))
  const pattern = schema['pattern']
  if (typeof pattern === 'string' && !matchesPattern(pattern, value))
    errors.push(invalid(path, value, `${inBody(path)} should match '${pattern}'`))
  const format = str(schema['format'])
  const test = FORMATS[format]
  if (test && !test(value)) errors.push(invalid(path, value, `${inBody(path)} must be of type ${format}: ${JSON.stringify(value)}`))
}

const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': (t) => /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(t) && !Number.isNaN(Date.parse(t)),
  date: (t) => /^\d{4}-\d\d-\d\d$/.test(t) && !Number.isNaN(Date.parse(t)),
  byte: (t) => /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(t),
  ipv4: (t) => /^(\d{1,3}\.){3}\d{1,3}$/.test(t) && t.split('.').every((p) => Number(p) < 256),
  ipv6: (t) => t.includes(':') && /^[0-9a-fA-F:.]+$/.test(t),
  uuid: (t) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(t),
  uri: (t) => URL.canParse(t) || t.startsWith('/'),
  email: (t) => /^[^@\s]+@[^@\s]+$/.test(t),
  hostname: (t) => t.length <= 253 && /^[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$/.test(t),
  duration: (t) => /^\s*[-+]?((\d+(\.\d*)?|\.\d+)\s*(ns|us|µs|ms|s|sec|m|min|h|hr|hour|d|day|w|wk|week)s?\s*)+$/.test(t) || t === '0',
}

function checkNumber(schema: Obj, value: number, path: string, errors: FieldError[]): void {
  const { minimum, maximum, multipleOf } = schema
  const format = schema['format']
  if (format === 'int32' && (value < -(2 ** 31) || value >= 2 ** 31))
    errors.push(invalid(path, value, `${inBody(path)} must be of type int32: ${JSON.stringify(String(value))}`))
  if (typeof minimum === 'number' && (schema['exclusiveMinimum'] === true ? value <= minimum : value < minimum)) {
    errors.push(
      invalid(path, value, `${inBody(path)} should be greater than ${schema['exclusiveMinimum'] === true ? '' : 'or equal to '}${minimum}`),
    )
  }
  if (typeof maximum === 'number' && (schema['exclusiveMaximum'] === true ? value >= maximum : value > maximum)) {
    errors.push(
      invalid(path, value, `${inBody(path)} should be less than ${schema['exclusiveMaximum'] === true ? '' : 'or equal to '}${maximum}`),
    )
  }
  if (typeof multipleOf === 'number' && multipleOf > 0 && Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9) {
    errors.push(invalid(path, value, `${inBody(path)} should be a multiple of ${multipleOf}`))
  }
}

function checkArray(schema: Obj, value: readonly unknown[], path: string, errors: FieldError[]): void {
  const max = schema['maxItems']
  const min = schema['minItems']
  if (typeof max === 'number' && value.length > max)
    errors.push({ field: path, reason: 'FieldValueTooMany', message: `Too many: ${value.length}: must have at most ${max} items` })
  if (typeof min === 'number' && value.length < min)
    errors.push(invalid(path, value.length, `${inBody(path)} should have at least ${min} items`))
  const items = schema['items']
  if (isObj(items)) for (const [i, item] of value.entries()) check(items, item, `${path}[${i}]`, errors, false, false)
  const listType = schema['x-kubernetes-list-type']
  if (listType === 'set') {
    const seen = new Set<string>()
    value.forEach((item, i) => {
      const key = JSON.stringify(item)
      if (seen.has(key)) errors.push(duplicate(`${path}[${i}]`, item))
      seen.add(key)
    })
  } else if (listType === 'map') {
    const keys = list(schema['x-kubernetes-list-map-keys']).map(str)
    const seen = new Set<string>()
    objs(value).forEach((item, i) => {
      const key: Obj = Object.fromEntries(keys.filter((k) => item[k] !== undefined).map((k) => [k, item[k]]))
      const text = JSON.stringify(key)
      if (seen.has(text)) errors.push(duplicate(`${path}[${i}]`, key))
      seen.add(text)
    })
  }
}

function checkObject(schema: Obj, value: Obj, path: string, errors: FieldError[], root: boolean, nested: boolean): void {
  const join = (name: string) => (path === '' ? name : `${path}.${name}`)
  for (const name of list(schema['required']).map(str)) if (own(value, name) === undefined) errors.push(required(join(name)))
  const max = schema['maxProperties']
  const min = schema['minProperties']
  const count = Object.keys(value).length
  if (typeof max === 'number' && count > max)
    errors.push({ field: path, reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${max} items` })
  if (typeof min === 'number' && count < min)
    errors.push(invalid(path, count, `${inBody(path)} should have at least ${num(min)} properties`))
  const properties = obj(schema['properties'])
  const additional = schema['additionalProperties']
  for (const [name, child] of Object.entries(value)) {
    if (child === undefined) continue
    const property = own(properties, name)
    if (isObj(property)) {
      if (root && name === 'metadata') continue
      check(property, child, join(name), errors, false, nested)
    } else if (isObj(additional)) check(additional, child, join(name), errors, false, nested)
  }
}
