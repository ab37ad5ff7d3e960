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

/** A value that is longer than this counts by its beginning, or, where a star stands before it, by its end. */
const MOST_CHARACTERS = 4_000
/** Of an expression, which proxies compile to some 32,768 steps at most. */
const MOST_OF_EXPRESSION = 20_000

/** A header with one of the values as one of its values; a star at an end stands for any text. Several where one would be too long. */
export function everyValueSpelling(values: readonly string[]): readonly StringMatcherInit[] {
  const groups: string[] = []
  for (const value of values) {
    const spelled = valueSpelling(shortened(value))
    const last = groups.at(-1)
    if (last !== undefined && last.length + spelled.length < MOST_OF_EXPRESSION) groups.splice(-1, 1, `${last}|${spelled}`)
    else groups.push(spelled)
  }
  return groups.map((group) => matching(`(?is)(?:${group})`))
}

function shortened(value: string): string {
  if (value.length <= MOST_CHARACTERS) return value
  return value.startsWith('*') ? `*${value.slice(-MOST_CHARACTERS)}` : `${value.slice(0, MOST_CHARACTERS)}*`
}

function valueSpelling(value: string): string {
  if (value === '*') return '.*'
  if (value.startsWith('*')) return `.*${quoted(value.slice(1))}${AROUND}(?:[,;].*)?`
  const before = `(?:.*[,;])?${AROUND}`
  if (value.endsWith('*')) return `${before}${quoted(value.slice(0, -1))}.*`
  return `${before}${quoted(value.trim())}${AROUND}(?:[,;].*)?`
}

/** A header with several values in one line. */
export const SEVERAL_VALUES = '(?s).*,.*'
/** A host by itself: not one of several, and nobody's at that host. */
export const ONE_HOST = '[^,@]*'

/** A value of a header that is another than a policy's: for conditions that let in, where all lines of a header must fit. */
export function anotherValue(name: string, value: string): HeaderMatcherInit {
  return { name, headerMatchSpecifier: { case: 'stringMatch', value: matching(`(?s)${otherThan(value)}`) } }
}

/** How deep RE2 nests is limited, too. Texts that part from the value behind so many characters count as the value. */
const MOST_COMPARED = 200

/** RE2 cannot deny: all texts that part from the value somewhere, character by character. */
function otherThan(value: string): string {
  const all = [...value]
  if (value.startsWith('*')) {
    return all
      .slice(1)
      .slice(-MOST_COMPARED)
      .reduce((inner, each) => `(?:|.*${not(each)}|${inner}${quoted(each)})`, NOTHING)
  }
  const open = value.endsWith('*') || all.length > MOST_COMPARED
  const text = (value.endsWith('*') ? all.slice(0, -1) : all).slice(0, MOST_COMPARED)
  const rest = open ? NOTHING : '.+'
  return text.reduceRight((inner, each) => `(?:|${not(each)}.*|${quoted(each)}${inner})`, rest)
}

const not = (character: string): string => `[^${/[\\\]^-]/.test(character) ? `\\${character}` : character}]`
/** Matches nothing: a character behind the end. */
const NOTHING = '\\zx'
