/** Go template text cut into literal text and actions, and actions into tokens. */

export interface Token {
  readonly kind: 'word' | 'field' | 'variable' | 'text' | 'number' | 'mark'
  readonly text: string
  /** Something separates this token from the one before: `.a.b` is one chain, `.a .b` two operands. */
  readonly spaced: boolean
}

export type Piece = { readonly literal: string } | { readonly action: readonly Token[]; readonly line: number }

/** A template that cannot be understood or carried out; the message names template and line. */
export class TemplateError extends RangeError {}

const MAX_TEXT = 1024 * 1024

/** Cuts a template into pieces; `{{-` and `-}}` have trimmed the text around them, comments are gone. */
export function pieces(name: string, source: string): Piece[] {
  if (source.length > MAX_TEXT)
    throw new TemplateError(`template "${name}" is ${source.length} characters long; at most ${MAX_TEXT} are accepted`)
  const result: Piece[] = []
  let at = 0
  let trim = false
  while (at < source.length) {
    const open = source.indexOf('{{', at)
    const end = open < 0 ? source.length : open
    const trimRight = open >= 0 && /^\{\{-\s/.test(source.slice(open, open + 4))
    let literal = source.slice(at, end)
    if (trim) literal = literal.trimStart()
    if (trimRight) literal = literal.trimEnd()
    if (literal !== '') result.push({ literal })
    if (open < 0) break
    const line = source.slice(0, open).split('\n').length
    const action = readAction(name, source, open + (trimRight ? 3 : 2), line)
    if (action.tokens) result.push({ action: action.tokens, line })
    trim = action.trim
    at = action.end
  }
  return result
}

const SPACE = /\s+/y
const COMMENT = /\/\*[\s\S]*?\*\//y
const CLOSE = /(\s-)?\}\}/y
const TOKENS: readonly [Token['kind'], RegExp][] = [
  ['text', /"(?:[^"\\\n]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)'/y],
  ['number', /[+-]?[0-9][0-9_a-zA-Z.]*/y],
  ['variable', /\$[A-Za-z0-9_]*/y],
  ['field', /\.[A-Za-z_][A-Za-z0-9_]*/y],
  ['word', /[A-Za-z_][A-Za-z0-9_]*/y],
  ['mark', /:=|=|\||\(|\)|,|\./y],
]

function readAction(
  name: string,
  source: string,
  start: number,
  line: number,
): { tokens: Token[] | undefined; trim: boolean; end: number } {
  const tokens: Token[] = []
  let at = start
  let spaced = true
  let comment = false
  for (;;) {
    const close = match(CLOSE, source, at) ?? match(/-\}\}/y, source, at)
    if (close !== undefined)
      return { tokens: comment && tokens.length === 0 ? undefined : tokens, trim: close.includes('-'), end: at + close.length }
    const space = match(SPACE, source, at)
    if (space !== undefined) {
      // ` -}}` needs its space: it ends the action.
      at += space.length
      spaced = true
      continue
    }
    const remark = match(COMMENT, source, at)
    if (remark !== undefined) {
      comment = true
      at += remark.length
      continue
    }
    const token = readToken(source, at, spaced)
    if (!token)
      throw new TemplateError(
        `template "${name}", line ${line}: ${at >= source.length ? 'the action is never closed with }}' : `"${source.slice(at, at + 12)}" is not understood`}`,
      )
    tokens.push(token)
    at += token.text.length
    spaced = false
  }
}

function readToken(source: string, at: number, spaced: boolean): Token | undefined {
  for (const [kind, pattern] of TOKENS) {
    const text = match(pattern, source, at)
    if (text !== undefined) return { kind, text, spaced }
  }
  return undefined
}

function match(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0]
}

/** The value of a quoted token. */
export function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1)
  return text.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)/g, (_, code: string) => {
    if (code.length > 1) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return ESCAPES[code] ?? code
  })
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }
