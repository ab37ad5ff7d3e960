/** Envoy's own JSON into the canonical form of its messages, as istioctl prints it: camel case, normal durations, fields as declared. */
import { fromJson, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import { inDeclaredOrder } from './declared-order.ts'
import { fields, list } from './fields.ts'

export interface CanonicalForms {
  /** Messages that are not known (extensions of other vendors) stay as they are. */
  of(value: unknown): unknown
  /** What could not be read so far, one line each; it was given as it came. */
  faults(): readonly string[]
}

/** @param type the message of the values, such as `envoy.config.cluster.v3.Cluster` */
export async function canonicalForms(type: string): Promise<CanonicalForms> {
  const { envoyRegistry } = await import('@lateen/envoy/registry')
  const conversion = { registry: envoyRegistry(), faults: new Set<string>() }
  return { of: (value) => convert(type, value, conversion), faults: () => [...conversion.faults] }
}

interface Conversion {
  readonly registry: Registry
  readonly faults: Set<string>
}

function convert(type: string, value: unknown, { registry, faults }: Conversion): unknown {
  const schema = registry.getMessage(type)
  if (!schema || !isJson(value)) return value
  try {
    const { '@type': _, ...message } = fields(value)
    const known = asJson(wrapUnknown(message, { registry, faults }))
    const form = toJson(schema, fromJson(schema, known, { registry, ignoreUnknownFields: true }), { registry })
    return unwrapUnknown(inDeclaredOrder(schema, form, registry))
  } catch (error) {
    const name = fields(value)['name']
    const which = typeof name === 'string' ? `${type} "${name}"` : type
    faults.add(`${which} is shown as it came: ${error instanceof Error ? error.message : 'it cannot be read'}`)
    return value
  }
}

const STRUCT = 'type.googleapis.com/google.protobuf.Struct'

/** A message of an unknown type, packed as free data so that what is around it can be read. */
function wrapUnknown(value: unknown, conversion: Conversion): unknown {
  if (Array.isArray(value)) return value.map((each) => wrapUnknown(each, conversion))
  if (typeof value !== 'object' || value === null) return value
  const type = fields(value)['@type']
  if (typeof type === 'string' && !conversion.registry.getMessage(type.slice(type.lastIndexOf('/') + 1))) {
    conversion.faults.add(`messages of the unknown type ${type} are shown as they came`)
    return { '@type': STRUCT, value }
  }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, wrapUnknown(each, conversion)]))
}

function unwrapUnknown(value: unknown): unknown {
  if (Array.isArray(value)) return list(value).map(unwrapUnknown)
  if (typeof value !== 'object' || value === null) return value
  const { '@type': type, value: inner } = fields(value)
  if (type === STRUCT && typeof fields(inner)['@type'] === 'string') return inner
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, unwrapUnknown(each)]))
}

/** What JSON.parse gave is JSON. */
const isJson = (value: unknown): value is JsonValue => value !== undefined && typeof value !== 'function'

function asJson(value: unknown): JsonValue {
  return isJson(value) ? value : null
}
