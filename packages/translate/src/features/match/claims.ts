/** Header matches that are about the claims of the caller's token: `@request.auth.claims.groups`, `@request.auth.claims[a.b][c]`. */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { StringMatch } from '@lateen/api'
import type { MetadataMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { ValueMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/value_pb.js'
import { stringMatcher } from '../../builders/string-match.ts'

type ValueInit = MessageInitShape<typeof ValueMatcherSchema>
export type MetadataInit = MessageInitShape<typeof MetadataMatcherSchema>

const PREFIX = '@request.auth.claims'

/** Where the filter that checks tokens leaves their payload. */
const TOKEN_FILTER = 'envoy.filters.http.jwt_authn'
const TOKEN_PAYLOAD = 'payload'

/** The path to a claim; undefined for names that are headers. */
export function claimPath(name: string): readonly string[] | undefined {
  if (!name.toLowerCase().startsWith(PREFIX)) return undefined
  const rest = name.slice(PREFIX.length)
  const path = rest.startsWith('.') ? rest.slice(1).split('.') : [...rest.matchAll(/\[([^[\]]+)\]/g)].map(([, key]) => key ?? '')
  const written = rest.startsWith('.') ? rest : path.map((key) => `[${key}]`).join('')
  return path.length > 0 && path.every((key) => key !== '') && written === rest ? path : undefined
}

/** A claim that is a text, or a list that holds a text, which matches. */
export function claimMatcher(path: readonly string[], match: StringMatch, invert: boolean): MetadataInit {
  const text = stringMatcher(match) ?? { matchPattern: { case: 'safeRegex' as const, value: { regex: '.*' } } }
  const value: ValueInit = { matchPattern: { case: 'stringMatch', value: text } }
  const inList: ValueInit = { matchPattern: { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value } } } }
  return {
    filter: TOKEN_FILTER,
    path: [TOKEN_PAYLOAD, ...path].map((key) => ({ segment: { case: 'key' as const, value: key } })),
    value: { matchPattern: { case: 'orMatch', value: { valueMatchers: [value, inList] } } },
    ...(invert && { invert: true }),
  }
}
