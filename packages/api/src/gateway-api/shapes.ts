/** Shapes that the kinds of the Gateway API share, as structural schemas with their defaults. */
import type { JsonSchema } from '../schema/json-schema.ts'

const DNS_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'
const DNS_NAME = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'
const HEADER_NAME = "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$"

/** An object of these fields; required are those whose names are given. */
export const object = (properties: Readonly<Record<string, JsonSchema>>, ...required: readonly string[]): JsonSchema => ({
  type: 'object',
  properties,
  ...(required.length > 0 && { required }),
})

export const list = (items: JsonSchema, maxItems: number, more: JsonSchema = {}): JsonSchema => ({
  type: 'array',
  items,
  maxItems,
  ...more,
})

/** A list whose items are told apart by these fields. */
export const keyed = (items: JsonSchema, maxItems: number, ...keys: readonly string[]): JsonSchema =>
  list(items, maxItems, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys })

export const text = (maxLength: number, more: JsonSchema = {}): JsonSchema => ({ type: 'string', minLength: 1, maxLength, ...more })
export const oneOf = (values: readonly string[], otherwise?: string): JsonSchema => ({
  type: 'string',
  enum: values,
  ...(otherwise !== undefined && { default: otherwise }),
})
export const flag: JsonSchema = { type: 'boolean' }
export const integer = (minimum: number, maximum: number, more: JsonSchema = {}): JsonSchema => ({
  type: 'integer',
  format: 'int32',
  minimum,
  maximum,
  ...more,
})
export const texts = (maxProperties: number, maxLength: number): JsonSchema => ({
  type: 'object',
  maxProperties,
  additionalProperties: { type: 'string', maxLength },
})

export const port = integer(1, 65_535)
export const name = text(253)
export const namespace = text(63, { pattern: DNS_LABEL })
export const sectionName = text(253, { pattern: DNS_NAME })
/** With an optional wildcard for the first label. */
export const hostname = text(253, {
  pattern: '^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
})
export const preciseHostname = text(253, { pattern: DNS_NAME })
export const headerName = text(256, { pattern: HEADER_NAME })
/** As `10s` or `1h30m`. */
export const duration: JsonSchema = { type: 'string', pattern: '^([0-9]{1,5}(h|m|s|ms)){1,4}$' }

const group = (otherwise?: string): JsonSchema => ({
  type: 'string',
  maxLength: 253,
  pattern: '^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  ...(otherwise !== undefined && { default: otherwise }),
})
const kind = (otherwise?: string): JsonSchema =>
  text(63, { pattern: '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$', ...(otherwise !== undefined && { default: otherwise }) })

/** Group and kind without defaults. */
export const anyKind = { group: group(), kind: kind() }
export const GATEWAY_GROUP = 'gateway.networking.k8s.io'

/** A reference to an object of this kind, unless it says another. */
export const referenceTo = (otherGroup: string, otherKind: string) => ({ group: group(otherGroup), kind: kind(otherKind), name, namespace })

export const parentRefs = list(object({ ...referenceTo(GATEWAY_GROUP, 'Gateway'), sectionName, port }, 'name'), 32)

export const backendObject = { ...referenceTo('', 'Service'), port }
export const weight = integer(0, 1_000_000, { default: 1 })

export const labelSelector: JsonSchema = {
  ...object({
    matchLabels: { type: 'object', additionalProperties: { type: 'string' } },
    matchExpressions: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: object(
        {
          key: { type: 'string' },
          operator: { type: 'string' },
          values: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'atomic' },
        },
        'key',
        'operator',
      ),
    },
  }),
  'x-kubernetes-map-type': 'atomic',
}
