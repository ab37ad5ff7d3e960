/** Envoy's own JSON into the canonical form of its messages, as istioctl prints it: camel case, normal durations. */
import { fromJson, type JsonValue, type Registry, toJson } from '@bufbuild/protobuf'
import { fields } from './fields.ts'

/** Messages that are not known (extensions of other vendors) stay as they are. */
export async function canonical(type: string, values: readonly unknown[]): Promise<unknown[]> {
  const { envoyRegistry } = await import('@lateen/envoy/registry')
  const registry = envoyRegistry()
  return values.map((value) => convert(type, value, registry))
}

function convert(type: string, value: unknown, registry: Registry): unknown {
  const schema = registry.getMessage(type)
  if (!schema || !isJson(value)) return value
  try {
    const { '@type': _, ...message } = fields(value)
    return toJson(schema, fromJson(schema, asJson(message), { registry, ignoreUnknownFields: true }), { registry })
  } catch {
    return value
  }
}

/** What JSON.parse gave is JSON. */
const isJson = (value: unknown): value is JsonValue => value !== undefined && typeof value !== 'function'

function asJson(value: unknown): JsonValue {
  return isJson(value) ? value : null
}
