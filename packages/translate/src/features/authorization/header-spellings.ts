/**
 * Headers in every spelling that an application may read alike: `_` for `-` in names, several values in one line or in several lines,
 * letters' case, blanks and quotes around values.
 */
import type { StringMatcherInit } from '../../builders/string-match.ts'
import { type HeaderMatcherInit, matching, quoted } from './matchers.ts'

/** A name with `n` of `-` and `_` has 2^n spellings; nobody's names have more of them than this. */
const MOST_SEPARATORS = 7

/** The names that CGI and its descendants make one variable of; undefined for a name with too many. */
export function everyNameSpelling(name: string): readonly string[] | undefined {
  const [first = '', ...parts] = name.toLowerCase().split(/[-_]/)
  if (parts.length > MOST_SEPARATORS) return undefined
  return parts.reduce<string[]>((names, part) => names.flatMap((before) => [`${before}-${part}`, `${before}_${part}`]), [first])
}

const spellingsOf = (...names: readonly string[]): readonly string[] => names.flatMap((name) => everyNameSpelling(name) ?? [])

/** Headers by which frameworks let a request name another path, or another method, than its first line does. */
export const REPLACING_PATH = spellingsOf('x-original-url', 'x-rewrite-url')
export const REPLACING_METHOD = spellingsOf('x-http-method-override', 'x-http-method', 'x-method-override')

const AROUND = '[\\s"\']*'

/** A header with one of the values as one of its values; a star at an end stands for any text. */
export function everyValueSpelling(values: readonly string[]): StringMatcherInit {
  return matching(`(?is)(?:${values.map(valueSpelling).join('|')})`)
}

function valueSpelling(value: string): string {
  if (value === '*') return '\\C*'
  if (value.startsWith('*')) return `\\C*${quoted(value.slice(1))}${AROUND}(?:[,;]\\C*)?`
  const before = `(?:\\C*[,;])?${AROUND}`
  if (value.endsWith('*')) return `${before}${quoted(value.slice(0, -1))}\\C*`
  return `${before}${quoted(value.trim())}${AROUND}(?:[,;]\\C*)?`
}

/** A header with several values in one line. */
export const SEVERAL_VALUES = '\\C*,\\C*'
/** A host by itself: not one of several, and nobody's at that host. */
export const ONE_HOST = '[^,@]*'

/** A value of a header that is another than a policy's: for conditions that let in, where all lines of a header must fit. */
export function anotherValue(name: string, value: string): HeaderMatcherInit {
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: matching(`(?s)${otherThan(value)}`) } }
}

/** RE2 cannot deny: all texts that part from the value somewhere, character by character. */
function otherThan(value: string): string {
  const all = [...value]
  if (value.startsWith('*')) {
    return all.slice(1).reduce((inner, each) => `(?:|\\C*${not(each)}|${inner}${quoted(each)})`, NOTHING)
  }
  const [text, rest] = value.endsWith('*') ? [all.slice(0, -1), NOTHING] : [all, '\\C+']
  return text.reduceRight((inner, each) => `(?:|${not(each)}\\C*|${quoted(each)}${inner})`, rest)
}

const not = (character: string): string => `[^${/[\\\]^-]/.test(character) ? `\\${character}` : character}]`
const NOTHING = '[^\\x00-\\x{10FFFF}]'
