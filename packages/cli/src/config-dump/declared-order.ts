/** A message's JSON with its fields in the order of the proto file, as Go writes it; maps and free data in the order of their keys. */
import type { DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import { compareText } from '@lateen/base'
import { fields, list } from './fields.ts'

export function inDeclaredOrder(schema: DescMessage, json: unknown, registry: Registry): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (schema.typeName === 'google.protobuf.Any') return inAny(json, registry)
  if (schema.typeName.startsWith('google.protobuf.')) return byKey(json)
  const own = fields(json)
  const names = schema.fields.filter(({ jsonName }) => Object.hasOwn(own, jsonName))
  return Object.fromEntries(names.map((field) => [field.jsonName, fieldInOrder(field, own[field.jsonName], registry)]))
}

/** The type comes first, then what a message of that type has. */
function inAny(json: object, registry: Registry): unknown {
  const { '@type': type, ...rest } = fields(json)
  const schema = typeof type === 'string' ? registry.getMessage(type.slice(type.lastIndexOf('/') + 1)) : undefined
  if (!schema) return json
  // Types with a form of their own have it in `value`.
  if (schema.typeName.startsWith('google.protobuf.')) return { '@type': type, ...fields(byKey(rest)) }
  return { '@type': type, ...fields(inDeclaredOrder(schema, rest, registry)) }
}

function fieldInOrder(field: DescField, value: unknown, registry: Registry): unknown {
  switch (field.fieldKind) {
    case 'message':
      return inDeclaredOrder(field.message, value, registry)
    case 'list': {
      const { message } = field
      return message ? list(value).map((each) => inDeclaredOrder(message, each, registry)) : value
    }
    case 'map': {
      const { message } = field
      const entries = Object.entries(fields(value)).sort(([a], [b]) => compareText(a, b))
      return Object.fromEntries(entries.map(([key, each]) => [key, message ? inDeclaredOrder(message, each, registry) : each]))
    }
    default:
      return value
  }
}

function byKey(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(byKey)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([a], [b]) => compareText(a, b))
  return Object.fromEntries(entries.map(([key, each]) => [key, byKey(each)]))
}
