/** Envoy's string matcher. */
import type { StringMatcher } from '@lateen/envoy/gen/envoy/type/matcher/v3/string_pb.js'
import { matchesWhole } from './regex.ts'
import type { Truth } from './verdict.ts'

/** Whether a text fits; expressions must fit the whole of it, and do not heed `ignoreCase`. */
export function stringMatches({ matchPattern, ignoreCase }: StringMatcher, text: string): Truth {
  const fold = (value: string) => (ignoreCase ? lower(value) : value)
  switch (matchPattern.case) {
    case 'exact':
      return fold(text) === fold(matchPattern.value)
    case 'prefix':
      return fold(text).startsWith(fold(matchPattern.value))
    case 'suffix':
      return fold(text).endsWith(fold(matchPattern.value))
    case 'contains':
      return fold(text).includes(fold(matchPattern.value))
    case 'safeRegex':
      return matchesWhole(matchPattern.value.regex, text)
    case 'custom':
      return 'unknown'
    case undefined:
      return false
  }
}

/** How a matcher is written for people: `prefix "/a"`. */
export function stringMatcherText({ matchPattern, ignoreCase }: StringMatcher): string {
  const fold = ignoreCase ? ', any case' : ''
  switch (matchPattern.case) {
    case 'safeRegex':
      return `expression "${matchPattern.value.regex}"`
    case 'custom':
      return `extension ${matchPattern.value.name}`
    case undefined:
      return 'nothing'
    default:
      return `${matchPattern.case} "${matchPattern.value}"${fold}`
  }
}

/** Envoy folds ASCII letters only. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
