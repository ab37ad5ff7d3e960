/** An OpenAPI v2 document in the protobuf form that kubectl asks for (gnostic's `openapi.v2.Document`). */
import { isObj, list, type Obj, obj, str } from '../values.ts'

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
  return Buffer.from(bytes)
}

const tag = (field: number, wire: number) => varint(field * 8 + wire)

function message(field: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([tag(field, 2), varint(body.length), body])
}

function text(field: number, value: unknown): Buffer {
  const written = str(value)
  return written === '' ? Buffer.alloc(0) : message(field, Buffer.from(written))
}

const SCHEMA = {
  ref: 1,
  format: 2,
  description: 4,
  required: 19,
  additional: 21,
  type: 22,
  items: 23,
  allOf: 24,
  properties: 25,
  extension: 31,
}
const NAMED = { name: 1, value: 2 }

const named = (field: number, name: string, value: Buffer) => message(field, text(NAMED.name, name), message(NAMED.value, value))

/** The whole document, but for its paths: kubectl reads definitions only. */
export function encodeOpenApiV2(document: Obj): Buffer {
  const info = obj(document['info'])
  const definitions = Object.entries(obj(document['definitions'])).map(([name, schema]) => named(1, name, encodeSchema(obj(schema))))
  return Buffer.concat([
    text(1, document['swagger']),
    message(2, text(1, info['title']), text(2, info['version'])),
    message(8),
    message(9, ...definitions),
  ])
}

function encodeSchema(schema: Obj): Buffer {
  const parts: Buffer[] = [
    text(SCHEMA.ref, schema['$ref']),
    text(SCHEMA.format, schema['format']),
    text(SCHEMA.description, schema['description']),
  ]
  for (const name of list(schema['required'])) parts.push(text(SCHEMA.required, name))
  const additional = schema['additionalProperties']
  if (isObj(additional)) parts.push(message(SCHEMA.additional, message(1, encodeSchema(additional))))
  else if (additional === true) parts.push(message(SCHEMA.additional, Buffer.from([2 * 8, 1])))
  if (schema['type'] !== undefined) parts.push(message(SCHEMA.type, text(1, schema['type'])))
  if (isObj(schema['items'])) parts.push(message(SCHEMA.items, message(1, encodeSchema(schema['items']))))
  for (const part of list(schema['allOf'])) parts.push(message(SCHEMA.allOf, encodeSchema(obj(part))))
  const properties = Object.entries(obj(schema['properties'])).map(([name, child]) => named(1, name, encodeSchema(obj(child))))
  if (properties.length > 0) parts.push(message(SCHEMA.properties, ...properties))
  for (const [name, value] of Object.entries(schema)) {
    // JSON is YAML; the extension's value travels as YAML text.
    if (name.startsWith('x-kubernetes-')) parts.push(named(SCHEMA.extension, name, text(2, `${JSON.stringify(value)}\n`)))
  }
  return Buffer.concat(parts)
}
