/** Nodes → JSON Schema, in the structural form that CustomResourceDefinitions ask for. */
import type { FieldNode, MessageNode, Node } from './node.ts'

/** A JSON Schema; `x-kubernetes-*` keywords included. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** The structural schema of a node. */
export function jsonSchema(node: Node): JsonSchema {
  const shape = shapeOf(node)
  return {
    ...(node.description && { description: node.description }),
    ...shape,
    ...(node.nullable && { nullable: true }),
    ...(node.rules?.length && { 'x-kubernetes-validations': node.rules.map(({ rule, message }) => ({ rule, message })) }),
  }
}

function shapeOf(node: Node): JsonSchema {
  switch (node.kind) {
    case 'text':
      return {
        type: 'string',
        ...(node.format && node.format !== 'duration' && { format: node.format }),
        ...given(node, ['minLength', 'maxLength', 'pattern']),
      }
    case 'flag':
      return { type: 'boolean' }
    case 'number':
      return numberShape(node)
    case 'enum':
      return { type: 'string', enum: node.values }
    case 'list':
      return {
        type: 'array',
        items: jsonSchema(node.items),
        ...given(node, ['minItems', 'maxItems']),
        ...(node.mapKeys && { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': node.mapKeys }),
      }
    case 'map':
      return { type: 'object', additionalProperties: jsonSchema(node.values), ...given(node, ['minProperties', 'maxProperties']) }
    case 'message':
      return messageShape(node)
    case 'free':
      return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    case 'int-or-text':
      return { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true }
  }
}

function numberShape(node: Node & { kind: 'number' }): JsonSchema {
  const limits = given(node, ['minimum', 'maximum'])
  if (node.number === 'double') return { type: 'number', format: 'double', ...limits }
  return { type: 'integer', ...(node.number === 'int32' && { format: 'int32' }), ...limits }
}

function messageShape(node: MessageNode): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  const required: string[] = []
  for (const [name, field] of Object.entries(node.fields)) {
    for (const key of [name, ...field.aliases]) properties[key] = jsonSchema(field.node)
    if (field.required) required.push(name)
  }
  const groups = node.oneOfs.map(atMostOneOf)
  return {
    type: 'object',
    properties,
    ...(required.length > 0 && { required }),
    ...(groups.length === 1 ? groups[0] : groups.length > 1 ? { allOf: groups } : {}),
  }
}

/** None of the fields, or exactly one. */
function atMostOneOf(fields: readonly string[]): JsonSchema {
  const alternatives = fields.map((field) => ({ required: [field] }))
  return { oneOf: [{ not: { anyOf: alternatives } }, ...alternatives] }
}

function given<T extends object>(from: T, keys: readonly (keyof T & string)[]): JsonSchema {
  return Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])))
}

/** The fields of a message, each with its name. */
export function fieldsOf(node: MessageNode): [string, FieldNode][] {
  return Object.entries(node.fields)
}
