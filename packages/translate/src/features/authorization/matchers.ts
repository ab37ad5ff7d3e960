/** Values of authorization rules as Envoy's matchers. A star at one end stands for any text there; alone it means "present". */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { HeaderMatcherSchema } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import type { MetadataMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { ValueMatcherSchema } from '@lateen/envoy/gen/envoy/type/matcher/v3/value_pb.js'
import type { StringMatcherInit } from '../../builders/string-match.ts'

export type HeaderMatcherInit = MessageInitShape<typeof HeaderMatcherSchema>
export type MetadataMatcherInit = MessageInitShape<typeof MetadataMatcherSchema>
export type ValueMatcherInit = MessageInitShape<typeof ValueMatcherSchema>

export const exactly = (value: string): StringMatcherInit => ({ matchPattern: { case: 'exact', value } })
export const startingWith = (value: string): StringMatcherInit => ({ matchPattern: { case: 'prefix', value } })
export const endingWith = (value: string): StringMatcherInit => ({ matchPattern: { case: 'suffix', value } })
/** A whole match by RE2. */
export const matching = (regex: string): StringMatcherInit => ({ matchPattern: { case: 'safeRegex', value: { regex } } })

/** Any text but the empty one. */
export const NOT_EMPTY = matching('.+')

/** A text put into a regular expression that means itself. */
export function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

export function textMatcher(value: string): StringMatcherInit {
  // Envoy takes no empty beginnings and endings: the lone star comes first.
  if (value === '*') return NOT_EMPTY
  if (value.startsWith('*')) return endingWith(value.slice(1))
  if (value.endsWith('*')) return startingWith(value.slice(0, -1))
  return exactly(value)
}

/** The identity in a peer's certificate; values leave the scheme out. */
export function identityMatcher(value: string): StringMatcherInit {
  if (value === '*') return NOT_EMPTY
  if (value.startsWith('*')) return matching(`spiffe://.*${quoted(value.slice(1))}`)
  return textMatcher(`spiffe://${value}`)
}

export function headerMatcher(name: string, value: string): HeaderMatcherInit {
  if (value === '*') return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } }
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: textMatcher(value) } }
}

/** A header that has such a value, alone or among others that commas divide. Spaces count: Envoy puts none between joined values. */
export function listedHeaderMatcher(name: string, value: string): HeaderMatcherInit {
  if (value === '*') return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } }
  const [start, plain] = value.startsWith('*') ? ['.*', value.slice(1)] : ['(.*,)?', value]
  const regex = start === '(.*,)?' && plain.endsWith('*') ? `${start}${quoted(plain.slice(0, -1))}.*` : `${start}${quoted(plain)}(,.*)?`
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: matching(regex) } }
}

/**
 * The host that a request names, without regard to case. `loose` also takes what applications treat alike: the same host with a port or
 * a closing dot, behind a user's name, or among several (two Host headers are one text with a comma). That is for conditions that keep
 * requests out, so that `admin.example.com:80` is no way around.
 */
export function hostMatcher(value: string, loose: boolean): HeaderMatcherInit {
  const name = ':authority'
  if (value === '*') return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } }
  const regex = loose ? looseHost(value) : undefined
  const matcher = regex === undefined ? { ...textMatcher(value), ignoreCase: true } : matching(regex)
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: matcher } }
}

/** Undefined for a value that says itself which port or which ending it means. */
function looseHost(value: string): string | undefined {
  if (value.endsWith('*')) return `(?i)(.*[,@] *)?${quoted(value.slice(0, -1))}.*`
  const [start, plain] = value.startsWith('*') ? ['.*', value.slice(1)] : ['(.*[,@] *)?', value]
  return plain.includes(':') || plain.endsWith('.') ? undefined : `(?i)${start}${quoted(plain)}\\.?(:[0-9]*)?( *,.*)?`
}

const textValue = (matcher: StringMatcherInit): ValueMatcherInit => ({ matchPattern: { case: 'stringMatch', value: matcher } })

/** One of several texts. */
export function anyOf(values: readonly string[]): ValueMatcherInit {
  return eitherOf(values.map((value) => textValue(textMatcher(value))))
}

export function eitherOf(matchers: readonly ValueMatcherInit[]): ValueMatcherInit {
  const [only, ...more] = matchers
  return only && more.length === 0 ? only : { matchPattern: { case: 'orMatch', value: { valueMatchers: [...matchers] } } }
}

/** A list that has such an element. */
export const containing = (element: ValueMatcherInit): ValueMatcherInit => ({
  matchPattern: { case: 'listMatch', value: { matchPattern: { case: 'oneOf', value: element } } },
})

const TOKEN_FILTER = 'envoy.filters.http.jwt_authn'

/** Under which name the payload of a verified token is kept. */
export const PAYLOAD = 'payload'

const metadata = (filter: string, path: readonly string[], value: ValueMatcherInit): MetadataMatcherInit => ({
  filter,
  path: path.map((key) => ({ segment: { case: 'key' as const, value: key } })),
  value,
})

/** A claim that is a text. */
export function claimMatcher(claim: string, matcher: StringMatcherInit): MetadataMatcherInit {
  return metadata(TOKEN_FILTER, [PAYLOAD, claim], textValue(matcher))
}

/** A claim, nested or not, that is such a text or a list that has it. */
export function claimsMatcher(claims: readonly string[], value: ValueMatcherInit): MetadataMatcherInit {
  return metadata(TOKEN_FILTER, [PAYLOAD, ...claims], eitherOf([containing(value), value]))
}

/** A value of any filter's metadata; `[v]` asks for a list with `v`. */
export function filterMatcher(filter: string, key: string, values: readonly string[]): MetadataMatcherInit {
  const matchers = values.map((value) => {
    const element = value.startsWith('[') && value.endsWith(']')
    return element ? containing(textValue(textMatcher(value.slice(1, -1)))) : textValue(textMatcher(value))
  })
  return metadata(filter, [key], eitherOf(matchers))
}
