/**
 * Paths in every spelling that an application may read alike, as expressions of RE2: what conditions that keep requests out mean where a
 * policy asks for it. Two spellings of one path differ by letters' case; by escapes, however often escaped again; by `\` for `/`; by
 * several slashes, dot segments and `;parameters`; by a slash, dots, blanks or an escaped `?` or `#` at an end.
 *
 * Steps up (`..`) that the proxy did not resolve may lead anywhere: before one of them stands any text. Expressions grow with the path
 * only, and are kept under what proxies compile: a path that is longer counts by its beginning.
 */
import { quoted } from './matchers.ts'
import { isTemplate } from './path-template.ts'

/** Under `(?s)` any bytes at all: Envoy has RE2 read bytes, whether or not they are text. */
const ANYTHING = '.*'

/** How escapes begin, however often they are escaped again: `%25` for `%`. */
const ESCAPE = '%(?:25)*'

/** A character of ASCII by its two digits; escapes of which digits are escaped in turn are ambiguous. */
const escaped = (digits: string): string => `${ESCAPE}${digits}`

/** The bytes of a character beyond ASCII. */
const escapedBytes = (character: string): string =>
  [...new TextEncoder().encode(character)].map((byte) => escaped(byte.toString(16).padStart(2, '0'))).join('')

const either = (...all: readonly string[]): string => `(?:${[...new Set(all)].join('|')})`

/** Letters that become ASCII letters when their case is changed. */
const CASE_TWINS: Readonly<Record<string, string>> = { i: '\u0131', k: '\u212a', s: '\u017f' }

/** How far the wide form of an ASCII character is from it: applications that bring texts to NFKC read U+FF0F as `/`. */
const WIDE = 0xfee0

const wide = (text: string): string => escapedBytes(String.fromCharCode(text.charCodeAt(0) + WIDE))

/** One character, by itself and escaped. Letters' case is left to the whole expression, but for the escapes. */
function character(text: string): string {
  const [lower, upper] = [text.toLowerCase(), text.toUpperCase()]
  const code = lower.codePointAt(0) ?? 0
  if (code > 0x7e) return either(quoted(text), ...[text, lower, upper].map(escapedBytes))
  const [high = '', low = ''] = code.toString(16).padStart(2, '0')
  const twin = CASE_TWINS[lower]
  return either(
    quoted(lower),
    escaped(`${lower === upper ? high : `[${high}${Number(high) - 2}]`}${low}`),
    ...(code > 0x20 ? [wide(lower), wide(upper)] : []),
    ...(twin ? [escapedBytes(twin)] : []),
  )
}

function* characters(text: string): Generator<string> {
  for (const one of text) yield character(one)
}

const SLASH = either('[/\\\\]', escaped('2f'), escaped('5c'), wide('/'), wide('\\'))
const DOT = character('.')
const BLANK = either(escaped('20'), escapedBytes('\u00a0'))
const PARAMETERS = `(?:${character(';')}[^/\\\\]*)?`
const UP = `${SLASH}${DOT}${DOT}`
/** Segments that lead nowhere, and steps up from a segment; before the first segment of a path also steps up from its root. */
const IDLE = `(?:${SLASH}(?:${ANYTHING}${UP}|${DOT}?)${PARAMETERS})*`
const IDLE_AT_ROOT = `(?:(?:${ANYTHING}${UP}|${SLASH}${DOT}?)${PARAMETERS})*`
/** Between segments. */
const FIRST = `${IDLE_AT_ROOT}${SLASH}${BLANK}*`
const NEXT = `${IDLE}${SLASH}${BLANK}*`
/** After the text of a segment: Windows leaves out dots and blanks there. */
const REST = `(?:${BLANK}|${DOT})*${PARAMETERS}`
const END = `(?:${either(character('?'), character('#'))}${ANYTHING})?`
const LAST = `${IDLE}${END}`

/**
 * Characters of an expression. RE2 makes about half as many steps of it, of the 32,768 that proxies compile; a request with 60 kB of path
 * still costs some milliseconds then.
 */
const MOST_CHARACTERS = 30_000

/** The expression for a path as policies write it; a star at an end stands for any text, `{*}` and `{**}` for segments. */
export function everyPathSpelling(value: string): string {
  return `(?is)${isTemplate(value) ? whole(value) : pattern(value)}`
}

function pattern(value: string): string {
  if (value === '*') return '.+'
  if (value.startsWith('*')) return ending(value.slice(1))
  return value.endsWith('*') ? beginning(value.slice(0, -1)) : whole(value)
}

function whole(value: string): string {
  const segments = segmentsOf(value)
  return segments.length > 0 ? bounded(steps(segments), LAST) : `${IDLE_AT_ROOT}${END}`
}

function beginning(value: string): string {
  const text = decoded(value)
  if (text.endsWith('/')) {
    const segments = segmentsOf(text)
    return segments.length === 0 ? ANYTHING : bounded(steps(segments), either(`${SLASH}${ANYTHING}`, END))
  }
  const slash = text.lastIndexOf('/')
  const before = segmentsOf(text.slice(0, slash + 1))
  return bounded(begun(before, text.slice(slash + 1)), ANYTHING)
}

function* begun(segments: readonly string[], last: string): Generator<string> {
  yield* steps(segments)
  yield segments.length > 0 ? NEXT : FIRST
  yield* characters(last)
}

function ending(value: string): string {
  const text = decoded(value)
  const start = text.split('/', 1).join('')
  const after = segmentsOf(text.slice(start.length))
  // Every path may have a slash at its end: the ending that is a slash alone is the one that means it.
  if (start === '' && after.length === 0) return `${ANYTHING}${SLASH}${DOT}?${PARAMETERS}${END}`
  return `${ANYTHING}${bounded(ended(start, after), LAST)}`
}

function* ended(start: string, segments: readonly string[]): Generator<string> {
  if (start !== '') {
    yield* characters(start)
    yield REST
  }
  yield* steps(segments, NEXT)
}

/** Each segment's parts, with what may stand before and after it. */
function* steps(segments: readonly string[], first: string = FIRST): Generator<string> {
  for (const [i, segment] of segments.entries()) {
    if (segment === '{**}') {
      yield `(?:${SLASH}${ANYTHING})?`
      continue
    }
    yield i === 0 ? first : NEXT
    if (segment === '{*}') yield '[^/\\\\]+'
    else {
      yield* characters(segment)
      yield REST
    }
  }
}

/** Parts one after the other, as many as fit; what does not is anything, and is not made. */
function bounded(parts: Iterable<string>, last: string): string {
  let made = ''
  for (const part of parts) {
    if (made.length + part.length > MOST_CHARACTERS) return `${made}${ANYTHING}`
    made += part
  }
  return `${made}${last}`
}

/** Segments of a path without those that lead nowhere, and without those that are stepped up from. */
function segmentsOf(value: string): readonly string[] {
  const kept: string[] = []
  for (const segment of decoded(value).split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  return kept
}

/** A character beyond ASCII, as its bytes in UTF-8: the first says how many follow. */
const BEYOND_ASCII = /%(?:[cd]|e[0-9a-f]%[89ab]|f[0-9a-f]%[89ab][0-9a-f]%[89ab])[0-9a-f]%[89ab][0-9a-f]/gi

/**
 * Without escapes, however deep, and with `/` for `\`. Escapes are resolved where they end, in one pass: a policy may hold any number of
 * them in one another.
 */
function decoded(value: string): string {
  const made: string[] = []
  for (const one of value) {
    for (let next: string | undefined = one; next !== undefined; next = takeEscape(made)) made.push(next)
  }
  return made.join('').replace(BEYOND_ASCII, decodedBytes).replaceAll('\\', '/')
}

/** Takes an escaped character of ASCII off the end of a text. */
function takeEscape(text: string[]): string | undefined {
  const end = text.at(-3) === '%' ? text.slice(-3).join('') : ''
  if (!/^%[0-7][0-9a-f]$/i.test(end)) return undefined
  text.length -= 3
  return String.fromCharCode(Number.parseInt(end.slice(1), 16))
}

/** The character, or the bytes as they are written where there is none of them. */
function decodedBytes(escapes: string): string {
  try {
    return decodeURIComponent(escapes)
  } catch {
    return escapes
  }
}

/** A path in ASCII, as its own bytes and as those that escapes stand for. */
export const PRINTABLE_PATH = '[!-~]*'

/**
 * Paths with an escape that readers do not agree on, and that nobody needs: control characters, `%uHHHH`, UTF-8 that is longer than it must
 * be, and escapes of which a digit is escaped in turn (`%%36%31`, `%2%35`).
 */
export const AMBIGUOUS_PATH = (() => {
  const control = either(escaped('[01][0-9a-f]'), escaped('7f'))
  const overlong = either(
    `${escaped('c[01]')}${escaped('[89ab]')}`,
    `${escaped('e0')}${escaped('[89]')}`,
    `${escaped('f0')}${escaped('8')}`,
  )
  const inPieces = `${ESCAPE}[0-9a-f]?${escaped('(?:3[0-9]|[46][1-6])')}`
  return `(?is)${ANYTHING}${either(control, overlong, inPieces, escaped('u[0-9a-f]{4}'))}${ANYTHING}`
})()

/**
 * Paths that everybody reads alike, which alone conditions take that let requests in: no empty segments, dot segments or segments that end
 * with a dot, no parameters, and no escapes of what stands for itself, of slashes, dots, semicolons, `%`, `?`, `#` or control characters.
 */
export const PLAIN_PATH = (() => {
  const more = '%[89ABab][0-9A-Fa-f]'
  const beyondAscii = either(
    `%(?:[Cc][2-9A-Fa-f]|[Dd][0-9A-Fa-f])${more}`,
    `%(?:[Ee]0%[ABab][0-9A-Fa-f]|[Ee][1-9A-Ea-e]${more}|[Ee][Ff]%(?:[89Aa][0-9A-Fa-f]|[Bb][0-9ABEFabef]))${more}`,
    `%(?:[Ff]0%[9ABab][0-9A-Fa-f]|[Ff][1-4]${more})${more}${more}`,
  )
  const ascii = '%(?:2[0-246-9A-Ca-c]|3[ACDEacde]|40|5[BDEbde]|60|7[B-Db-d])'
  const solid = either("[A-Za-z0-9_~!$&'()*+,=:@-]", ascii, beyondAscii)
  const segment = `\\.*${solid}(?:\\.*${solid})*`
  return `/(?:${segment}(?:/${segment})*/?)?`
})()
