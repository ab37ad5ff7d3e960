/** Envoy's header and query parameter matchers. */
import type { HeaderMatcher, QueryParameterMatcher } from '@lateen/envoy/gen/envoy/config/route/v3/route_components_pb.js'
import { matchesWhole } from './regex.ts'
import { type HttpRequest, headerOf, queryParameter } from './request.ts'
import { stringMatcherText, stringMatches } from './string-match.ts'
import { not, some, type Truth } from './verdict.ts'

/**
 * Whether a header fits. Of a header sent several times, one fitting value is enough. A missing header fits nothing, not even an inverted
 * condition, unless it is told to count as empty; only the question whether it is there is answered for a missing one.
 */
export function headerMatches(matcher: HeaderMatcher, request: HttpRequest): Truth {
  const { headerMatchSpecifier: specifier, invertMatch, treatMissingHeaderAsEmpty } = matcher
  const values = valuesOf(matcher.name, request) ?? (treatMissingHeaderAsEmpty ? [''] : undefined)
  if (specifier.case === 'presentMatch' || specifier.case === undefined) {
    const wanted = specifier.case === undefined || specifier.value
    return ((values !== undefined) === wanted) !== invertMatch
  }
  if (values === undefined) return false
  const fits = some(values, (value) => valueMatches(specifier, value))
  return invertMatch ? not(fits) : fits
}

function valuesOf(name: string, request: HttpRequest): readonly string[] | undefined {
  const sent = request.headers.get(name.toLowerCase())
  if (sent) return sent
  const pseudo = headerOf(request, name)
  return pseudo === undefined ? undefined : [pseudo]
}

function valueMatches(specifier: HeaderMatcher['headerMatchSpecifier'], value: string): Truth {
  switch (specifier.case) {
    case 'exactMatch':
      return specifier.value === '' || value === specifier.value
    case 'safeRegexMatch':
      return matchesWhole(specifier.value.regex, value)
    case 'rangeMatch':
      return inNumbers(value, specifier.value)
    case 'prefixMatch':
      return value.startsWith(specifier.value)
    case 'suffixMatch':
      return value.endsWith(specifier.value)
    case 'containsMatch':
      return value.includes(specifier.value)
    case 'stringMatch':
      return stringMatches(specifier.value, value)
    case 'presentMatch':
    case undefined:
      return true
  }
}

function inNumbers(value: string, { start, end }: { readonly start: bigint; readonly end: bigint }): boolean {
  if (!/^\s*[+-]?\d{1,19}\s*$/.test(value)) return false
  const read = BigInt(value.trim().replace(/^\+/, ''))
  return read >= start && read < end
}

/** Whether a query parameter fits: the first of its name counts, as it was sent, not decoded. */
export function queryMatches({ name, queryParameterMatchSpecifier: specifier }: QueryParameterMatcher, path: string): Truth {
  const value = queryParameter(path, name)
  if (specifier.case === 'presentMatch') return (value !== undefined) === specifier.value
  if (value === undefined) return false
  return specifier.case === 'stringMatch' ? stringMatches(specifier.value, value) : true
}

/** A header condition for people: `header x-user: exact "jason"`. */
export function headerText({ name, headerMatchSpecifier: specifier, invertMatch }: HeaderMatcher): string {
  const what = name === ':method' ? 'method' : name === ':authority' ? 'authority' : name === ':scheme' ? 'scheme' : `header ${name}`
  const no = invertMatch ? 'not ' : ''
  switch (specifier.case) {
    case undefined:
      return `${what} ${invertMatch ? 'absent' : 'present'}`
    case 'presentMatch':
      return `${what} ${specifier.value === invertMatch ? 'absent' : 'present'}`
    case 'stringMatch':
      return `${what} ${no}${stringMatcherText(specifier.value)}`
    case 'safeRegexMatch':
      return `${what} ${no}expression "${specifier.value.regex}"`
    case 'rangeMatch':
      return `${what} ${no}from ${specifier.value.start} to ${specifier.value.end}`
    default:
      return `${what} ${no}${specifier.case.replace('Match', '')} "${specifier.value}"`
  }
}

/** A query condition for people. */
export function queryText({ name, queryParameterMatchSpecifier: specifier }: QueryParameterMatcher): string {
  if (specifier.case === 'stringMatch') return `query ${name} ${stringMatcherText(specifier.value)}`
  return `query ${name} ${specifier.case === 'presentMatch' && !specifier.value ? 'absent' : 'present'}`
}
