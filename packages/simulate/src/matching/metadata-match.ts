/** Envoy's metadata matcher, on what filters have noted about a request. */
import type { MetadataMatcher } from '@lateen/envoy/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { ValueMatcher } from '@lateen/envoy/gen/envoy/type/matcher/v3/value_pb.js'
import { stringMatches } from './string-match.ts'
import { not, some, type Truth } from './verdict.ts'

/** Metadata by filter; a filter whose notes cannot be known is `unknown`. */
export type FilterNotes = ReadonlyMap<string, unknown>

/** Stands for notes that only a running filter could make. */
export const UNKNOWN_NOTES: unique symbol = Symbol('unknown notes')

export function metadataMatches({ filter, path, value, invert }: MetadataMatcher, notes: FilterNotes): Truth {
  const found = notes.get(filter)
  if (found === UNKNOWN_NOTES) return 'unknown'
  const at = path.reduce<unknown>(
    (node, { segment }) =>
      typeof node === 'object' && node !== null && segment.case === 'key' ? Reflect.get(node, segment.value) : undefined,
    found,
  )
  const fits = value ? valueMatches(value, at) : false
  return invert ? not(fits) : fits
}

function valueMatches({ matchPattern: pattern }: ValueMatcher, value: unknown): Truth {
  switch (pattern.case) {
    case 'nullMatch':
      return value === null
    case 'doubleMatch':
      if (typeof value !== 'number') return false
      if (pattern.value.matchPattern.case === 'exact') return value === pattern.value.matchPattern.value
      if (pattern.value.matchPattern.case === 'range')
        return value >= pattern.value.matchPattern.value.start && value < pattern.value.matchPattern.value.end
      return false
    case 'stringMatch':
      return typeof value === 'string' ? stringMatches(pattern.value, value) : false
    case 'boolMatch':
      return value === pattern.value
    case 'presentMatch':
      return (value !== undefined) === pattern.value
    case 'listMatch': {
      const one = pattern.value.matchPattern
      return one.case === 'oneOf' && Array.isArray(value) ? some(value, (entry: unknown) => valueMatches(one.value, entry)) : false
    }
    case 'orMatch':
      return some(pattern.value.valueMatchers, (matcher) => valueMatches(matcher, value))
    case undefined:
      return false
  }
}
