/** From a CRD's `openAPIV3Schema` to the {@link Schema} that pruning, patching and field ownership work on. */
import { definition } from '../schema/builtin.ts'
import { ANY, type Schema, type SchemaType } from '../schema/schema.ts'
import { isObj, list, type Obj, obj, str } from '../values.ts'

export function structuralSchema(source: Obj): Schema {
  const root = convert(source)
  const metadata = definition('meta.v1.ObjectMeta') ?? ANY
  return { ...root, type: 'object', fields: { ...root.fields, apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata } }
}

function convert(source: Obj): Schema {
  const preserve = source['x-kubernetes-preserve-unknown-fields'] === true
  const nullable = source['nullable'] === true ? { nullable: true } : {}
  const fallback = source['default'] === undefined ? {} : { default: source['default'] }
  if (source['x-kubernetes-int-or-string'] === true) return { type: 'intOrString', ...nullable, ...fallback }
  const type = str(source['type'])
  if (type === 'array') {
    const listType = str(source['x-kubernetes-list-type'])
    return {
      type: 'array',
      items: isObj(source['items']) ? convert(source['items']) : ANY,
      ...(listType === 'map' || listType === 'set' || listType === 'atomic' ? { list: listType } : {}),
      ...(listType === 'map' ? { keys: list(source['x-kubernetes-list-map-keys']).map(str) } : {}),
      ...nullable,
      ...fallback,
    }
  }
  const atomic = source['x-kubernetes-map-type'] === 'atomic' ? { atomic: true } : {}
  const embedded = source['x-kubernetes-embedded-resource'] === true ? { embedded: true } : {}
  if (type === 'object' || isObj(source['properties'])) {
    const properties = obj(source['properties'])
    const additional = source['additionalProperties']
    if (Object.keys(properties).length === 0 && (isObj(additional) || additional === true)) {
      return { type: 'map', values: isObj(additional) ? convert(additional) : ANY, ...atomic, ...nullable, ...fallback }
    }
    const fields: Record<string, Schema> = {}
    for (const [name, child] of Object.entries(properties)) if (isObj(child)) fields[name] = convert(child)
    return { type: 'object', fields, ...(preserve ? { preserve } : {}), ...atomic, ...embedded, ...nullable, ...fallback }
  }
  if (isScalar(type)) return { type, ...nullable, ...fallback }
  return { ...ANY, ...nullable, ...fallback }
}

const SCALARS: readonly SchemaType[] = ['string', 'integer', 'number', 'boolean']
const isScalar = (text: string): text is SchemaType => (SCALARS as readonly string[]).includes(text)

/** Fills in the defaults of missing fields, below fields that are there. */
export function applyDefaults(schema: Schema, value: unknown): void {
  if (schema.type === 'array') {
    if (schema.items && Array.isArray(value)) for (const item of value) applyDefaults(schema.items, item)
    return
  }
  if (!isObj(value)) return
  if (schema.type === 'map') {
    if (schema.values) for (const child of Object.values(value)) applyDefaults(schema.values, child)
    return
  }
  for (const [name, field] of Object.entries(schema.fields ?? {})) {
    if (field.ref !== undefined) continue
    const present = Object.hasOwn(value, name) ? value[name] : undefined
    if (field.default !== undefined && (present === undefined || (present === null && !field.nullable)))
      value[name] = structuredClone(field.default)
    if (value[name] !== undefined && value[name] !== null) applyDefaults(field, value[name])
  }
}
