/** Istio's StringMatch as Envoy's matchers. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { StringMatch } from '@lateen/api'
import type { StringMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/string_pb.js'

export type StringMatcherInit = Exclude<MessageInitShape<typeof StringMatcherSchema>, { $typeName: string }>

/** A matcher of texts; undefined for a match that says nothing (`{}`: anything). */
export function stringMatcher(match: StringMatch): StringMatcherInit | undefined {
  if (match.exact !== undefined) return { matchPattern: { case: 'exact', value: match.exact } }
  if (match.prefix !== undefined) return { matchPattern: { case: 'prefix', value: match.prefix } }
  if (match.regex !== undefined) return { matchPattern: { case: 'safeRegex', value: { regex: match.regex } } }
  return undefined
}
