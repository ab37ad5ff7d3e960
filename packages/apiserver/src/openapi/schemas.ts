/** Schemas of served kinds as OpenAPI has them. */

import type { Kind } from '../registry/kind.ts'
import { definition } from '../schema/builtin.ts'
import type { Schema } from '../schema/schema.ts'
import { copy, into, isObj, list, type Obj, obj, str } from '../values.ts'
import { customName, openApiName } from './names.ts'

/** `v3` has defaults and wraps references that carry more than the reference. */
export type OpenApiVersion = 'v2' | 'v3'

type Descriptions = Readonly<Record<string, readonly [string, Readonly<Record<string, string>>]>>

export class SchemaWriter {
  readonly schemas: Obj = {}
  readonly #version: OpenApiVersion
  readonly #descriptions: Descriptions
  readonly #prefix: string
  readonly #kinds: ReadonlyMap<string, Obj[]>

  /** @param kinds the group-version-kinds of the definitions that are kinds */
  constructor(version: OpenApiVersion, descriptions: Descriptions, kinds: ReadonlyMap<string, Obj[]>) {
    this.#version = version
    this.#descriptions = descriptions
    this.#kinds = kinds
    this.#prefix = version === 'v2' ? '#/definitions/' : '#/components/schemas/'
  }

  /** A reference to a built-in definition, which is written with all that it refers to. */
  reference(name: string): Obj {
    const title = openApiName(name)
    if (!Object.hasOwn(this.schemas, title)) {
      const written: Obj = {}
      this.schemas[title] = written
      const schema = definition(name)
      Object.assign(written, schema ? this.#object(name, schema) : { type: 'object' })
    }
    return { $ref: `${this.#prefix}${title}` }
  }

  #object(name: string, schema: Schema): Obj {
    const [description, fields] = this.#descriptions[name] ?? ['', {}]
    const gvk = this.#kinds.get(name)
    const properties: Obj = {}
    for (const [field, below] of Object.entries(schema.fields ?? {})) properties[field] = this.#field(below, fields[field] ?? '')
    return {
      ...(description ? { description } : {}),
      type: 'object',
      ...(Object.keys(properties).length > 0 ? { properties } : {}),
      ...(schema.required ? { required: [...schema.required] } : {}),
      ...(schema.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(gvk ? { 'x-kubernetes-group-version-kind': gvk } : {}),
    }
  }

  #field(schema: Schema, description: string): Obj {
    const value = this.#value(schema)
    const more: Obj = {
      ...(description ? { description } : {}),
      ...(schema.default === undefined ? {} : { default: schema.default }),
      ...(schema.list ? { 'x-kubernetes-list-type': schema.list } : schema.type === 'array' ? { 'x-kubernetes-list-type': 'atomic' } : {}),
      ...(schema.keys ? { 'x-kubernetes-list-map-keys': [...schema.keys] } : {}),
      ...(schema.atomic && schema.ref === undefined ? { 'x-kubernetes-map-type': 'atomic' } : {}),
      ...(schema.patch?.key ? { 'x-kubernetes-patch-merge-key': schema.patch.key } : {}),
      ...(schema.patch
        ? {
            'x-kubernetes-patch-strategy': schema.patch.retainKeys
              ? schema.type === 'array'
                ? 'merge,retainKeys'
                : 'retainKeys'
              : 'merge',
          }
        : {}),
    }
    if (value['$ref'] !== undefined && Object.keys(more).length > 0 && this.#version === 'v3') return { ...more, allOf: [value] }
    return { ...value, ...more }
  }

  #value(schema: Schema): Obj {
    switch (schema.type) {
      case 'object':
        return schema.ref === undefined ? { type: 'object' } : this.reference(schema.ref)
      case 'map':
        return { type: 'object', additionalProperties: schema.values ? this.#value(schema.values) : {} }
      case 'array':
        return { type: 'array', items: schema.items ? this.#value(schema.items) : {} }
      case 'string':
        return { type: 'string', ...(schema.format === 'byte' ? { format: 'byte' } : schema.format ? { format: 'date-time' } : {}) }
      case 'integer':
        return { type: 'integer', format: 'int32' }
      case 'number':
        return { type: 'number', format: 'double' }
      case 'boolean':
        return { type: 'boolean' }
      case 'intOrString':
        if (this.#version === 'v2') return { type: 'string', ...(schema.format === 'quantity' ? {} : { format: 'int-or-string' }) }
        return schema.format === 'quantity'
          ? { oneOf: [{ type: 'string' }, { type: 'number' }] }
          : { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] }
      case 'any':
        return { type: 'object' }
    }
  }

  /** A custom kind, by its CRD's schema. */
  custom(kind: Kind): Obj {
    const title = customName(kind.group, kind.version, kind.kind)
    const source = kind.custom?.openApi
    const schema: Obj = source ? copy(source) : { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    if (this.#version === 'v2') for (const key of Object.keys(schema)) simplify(schema, key)
    const properties = into(schema, 'properties')
    properties['apiVersion'] = {
      type: 'string',
      description: str(obj(properties['apiVersion'])['description']) || 'The version of the kind, such as `group/v1`.',
    }
    properties['kind'] = { type: 'string', description: str(obj(properties['kind'])['description']) || 'The name of the kind.' }
    properties['metadata'] = this.#field({ type: 'object', ref: 'meta.v1.ObjectMeta' }, 'Standard object metadata.')
    schema['x-kubernetes-group-version-kind'] = [{ group: kind.group, version: kind.version, kind: kind.kind }]
    this.schemas[title] = schema
    return { $ref: `${this.#prefix}${title}` }
  }
}

/** What OpenAPI v2 cannot say is left out, so that older clients do not refuse good objects. */
function simplify(schema: Obj, key: string): void {
  const value = schema[key]
  if (['oneOf', 'anyOf', 'not', 'nullable', 'default', 'allOf'].includes(key)) delete schema[key]
  else if (key === 'properties') for (const child of Object.values(obj(value))) simplifyAll(child)
  else if (key === 'items' || key === 'additionalProperties') simplifyAll(value)
  if (schema['x-kubernetes-preserve-unknown-fields'] === true && key === 'properties') delete schema['properties']
}

function simplifyAll(schema: unknown): void {
  if (!isObj(schema)) return
  for (const key of Object.keys(schema)) simplify(schema, key)
  if (schema['x-kubernetes-int-or-string'] === true || schema['nullable'] === true) delete schema['type']
  if (list(schema['enum']).length === 0) delete schema['enum']
}
