/** protobuf Structs from plain values, keys in order: equal values, equal bytes. */
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'

/** A Struct's init value: protobuf-es takes plain JSON objects. Keys are sorted, undefined ones left out. */
export function structOf(value: Readonly<Record<string, unknown>>): JsonObject {
  return sorted(value) as JsonObject
}

function sorted(value: unknown): JsonValue {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, field]) => field !== undefined)
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, field]) => [key, sorted(field)]))
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null
}
