/**
 * Bodies in Kubernetes' protobuf encoding, as the JSON objects they stand for.
 *
 * Enters: bytes that start with `k8s\0`. Leaves: an object with `apiVersion` and `kind`. Types come from the schemas, numbers
 * from {@link FIELD_NUMBERS}.
 */
import { badRequest } from '../errors.ts'
import { GROUPS } from '../kinds/table.ts'
import { definition } from '../schema/builtin.ts'
import type { Schema } from '../schema/schema.ts'
import { isObj, type Obj, put } from '../values.ts'
import { FIELD_NUMBERS } from './field-numbers.ts'
import { signedOf, textOf, type WireField, wireFields } from './reader.ts'

const MAGIC = [0x6b, 0x38, 0x73, 0x00]
const MAX_DEPTH = 64

type Numbers = ReadonlyMap<number, string>
let tables: Map<string, string> | undefined
const parsed = new Map<string, Numbers>()

function numbersOf(name: string): Numbers | undefined {
  const known = parsed.get(name)
  if (known) return known
  tables ??= new Map(
    FIELD_NUMBERS.trim()
      .split('\n')
      .map((line) => [
        line.slice(0, line.indexOf(' ') < 0 ? undefined : line.indexOf(' ')),
        line.indexOf(' ') < 0 ? '' : line.slice(line.indexOf(' ') + 1),
      ]),
  )
  const line = tables.get(name)
  if (line === undefined) return undefined
  const numbers = new Map<number, string>()
  let last = 0
  for (const part of line.split(' ').filter((p) => p !== '')) {
    const match = /^(?:(\d+):)?(.*)$/.exec(part)
    last = match?.[1] ? Number(match[1]) : last + 1
    numbers.set(last, match?.[2] ?? '')
  }
  parsed.set(name, numbers)
  return numbers
}

/** @throws StatusError 400 for what is not an object of a built-in kind */
export function decodeProtobuf(body: Uint8Array): Obj {
  if (!MAGIC.every((byte, i) => body[i] === byte)) throw badRequest('the body does not start as Kubernetes protobuf does')
  let apiVersion = ''
  let kind = ''
  let raw: Uint8Array | undefined
  for (const field of wireFields(body.subarray(4))) {
    if (field.number === 1) {
      for (const part of wireFields(field.bytes)) {
        if (part.number === 1) apiVersion = textOf(part.bytes)
        if (part.number === 2) kind = textOf(part.bytes)
      }
    } else if (field.number === 2) raw = field.bytes
  }
  const [version = '', group = ''] = apiVersion.split('/').reverse()
  // DeleteOptions and the like belong to every group.
  const name = META_KINDS.has(kind) ? `meta.v1.${kind}` : `${AREAS.get(group) ?? group}.${version}.${kind}`
  const schema = definition(name)
  if (!schema || !numbersOf(name))
    throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}" in the protobuf encoding; send JSON`)
  const object = decodeMessage(name, schema, raw ?? new Uint8Array(0), 0)
  return { ...object, apiVersion, kind }
}

const META_KINDS = new Set(['DeleteOptions', 'Status'])
const AREAS = new Map(Object.entries(GROUPS).map(([area, group]) => [group, area]))

function decodeMessage(name: string, schema: Schema, bytes: Uint8Array, depth: number, into: Obj = {}): Obj {
  if (depth > MAX_DEPTH) throw badRequest(`the body is nested more than ${MAX_DEPTH} levels deep`)
  const numbers = numbersOf(name)
  for (const field of wireFields(bytes)) {
    const fieldName = numbers?.get(field.number)
    if (fieldName === undefined) continue
    if (fieldName.startsWith('^')) decodeMessage(fieldName.slice(1), schema, field.bytes, depth + 1, into)
    else decodeField(name, fieldName, schema.fields?.[fieldName], field, into, depth)
  }
  return into
}

function decodeField(message: string, name: string, schema: Schema | undefined, field: WireField, into: Obj, depth: number): void {
  if (!schema) return
  if (schema.type === 'array') {
    const items = into[name]
    const list: unknown[] = Array.isArray(items) ? items : []
    list.push(decodeValue(message, name, schema.items, field, depth))
    into[name] = list
  } else if (schema.type === 'map') {
    let key = ''
    let value: unknown = schema.values?.type === 'string' ? '' : undefined
    for (const part of wireFields(field.bytes)) {
      if (part.number === 1) key = textOf(part.bytes)
      if (part.number === 2) {
        // A list as a map's value is a message of its own, which holds the elements.
        if (schema.values?.type === 'array') value = [...wireFields(part.bytes)].map((item) => textOf(item.bytes))
        else value = decodeValue(message, name, schema.values, part, depth)
      }
    }
    const map = into[name]
    const entries: Obj = isObj(map) ? map : {}
    put(entries, key, value)
    into[name] = entries
  } else {
    const value = decodeValue(message, name, schema, field, depth)
    if (value !== undefined && !isZeroDefault(message, name, value)) into[name] = value
  }
}

/** Go writes fields that are not pointers even when they are empty; JSON leaves them out. */
function isZeroDefault(message: string, name: string, value: unknown): boolean {
  if (value === '') return true
  if (message === 'meta.v1.ObjectMeta') return value === 0 || (isObj(value) && Object.keys(value).length === 0)
  if (isObj(value) && Object.keys(value).length === 0)
    return name === 'status' || name === 'rollingUpdate' || name === 'metadata' || name === 'strategy' || name === 'updateStrategy'
  if (value === 0) return ZERO_MEANS_ABSENT.has(name)
  if (value === false) return FALSE_MEANS_ABSENT.has(name)
  return false
}

const ZERO_MEANS_ABSENT = new Set([
  'nodePort',
  'hostPort',
  'healthCheckNodePort',
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
  'minReadySeconds',
  'observedGeneration',
  'count',
  'weight',
  'targetPort',
  'expirationSeconds',
])
const FALSE_MEANS_ABSENT = new Set([
  'hostNetwork',
  'hostPID',
  'hostIPC',
  'stdin',
  'stdinOnce',
  'tty',
  'readOnly',
  'publishNotReadyAddresses',
  'paused',
  'unschedulable',
  'globalDefault',
  'preserveUnknownFields',
  'exclusiveMaximum',
  'exclusiveMinimum',
  'uniqueItems',
  'nullable',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'deprecated',
  'hostUsers',
])

function decodeValue(message: string, name: string, schema: Schema | undefined, field: WireField, depth: number): unknown {
  switch (schema?.type) {
    case 'string':
      if (schema.format === 'time' || schema.format === 'microtime') return decodeTime(field.bytes, schema.format === 'microtime')
      return schema.format === 'byte' ? Buffer.from(field.bytes).toString('base64') : textOf(field.bytes)
    case 'integer':
      return signedOf(field.varint)
    case 'boolean':
      return field.varint !== 0n
    case 'number':
      return field.wire === 1 ? new DataView(field.bytes.buffer, field.bytes.byteOffset, 8).getFloat64(0, true) : signedOf(field.varint)
    case 'intOrString':
      return schema.format === 'quantity' ? quantity(field.bytes) : intOrString(field.bytes)
    case 'object':
      return decodeMessage(schema.ref ?? '', schema, field.bytes, depth + 1)
    case 'any':
      return decodeAny(message, name, field.bytes, depth)
    default:
      return undefined
  }
}

function quantity(bytes: Uint8Array): string {
  for (const part of wireFields(bytes)) if (part.number === 1) return textOf(part.bytes)
  return '0'
}

function intOrString(bytes: Uint8Array): string | number {
  let isText = false
  let number = 0
  let text = ''
  for (const part of wireFields(bytes)) {
    if (part.number === 1) isText = part.varint === 1n
    else if (part.number === 2) number = signedOf(part.varint)
    else if (part.number === 3) text = textOf(part.bytes)
  }
  return isText ? text : number
}

function decodeTime(bytes: Uint8Array, micro: boolean): string | undefined {
  let seconds = 0
  let nanos = 0
  for (const part of wireFields(bytes)) {
    if (part.number === 1) seconds = signedOf(part.varint)
    else if (part.number === 2) nanos = signedOf(part.varint)
  }
  // Go's zero time, and a field that is not set.
  if (bytes.length === 0 || seconds < -62_000_000_000) return undefined
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) throw badRequest('a time in the protobuf body is out of range')
  const whole = date.toISOString().slice(0, 19)
  return micro ? `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${whole}Z`
}

function json(bytes: Uint8Array): unknown {
  for (const part of wireFields(bytes)) {
    if (part.number !== 1 || part.bytes.length === 0) continue
    try {
      return JSON.parse(textOf(part.bytes))
    } catch {
      throw badRequest('a JSON value inside the protobuf body is damaged')
    }
  }
  return undefined
}

const SCHEMA_MESSAGE = 'apiextensions.v1.JSONSchemaProps'

function decodeAny(message: string, name: string, bytes: Uint8Array, depth: number): unknown {
  const schema = definition(SCHEMA_MESSAGE)
  if (message === SCHEMA_MESSAGE && schema) {
    const nested = (part: WireField) => decodeMessage(SCHEMA_MESSAGE, schema, part.bytes, depth + 1)
    const parts = [...wireFields(bytes)]
    if (name === 'additionalProperties' || name === 'additionalItems') {
      const inner = parts.find((p) => p.number === 2)
      return inner ? nested(inner) : parts.some((p) => p.number === 1 && p.varint !== 0n)
    }
    if (name === 'items') {
      const one = parts.find((p) => p.number === 1)
      return one ? nested(one) : parts.filter((p) => p.number === 2).map(nested)
    }
    if (name === 'dependencies') {
      const one = parts.find((p) => p.number === 1)
      return one ? nested(one) : parts.filter((p) => p.number === 2).map((p) => textOf(p.bytes))
    }
    return json(bytes)
  }
  if (message === 'apiextensions.v1.CustomResourceSubresources') return {}
  return json(bytes)
}
