/** Lines that pasted text brings along and that YAML's own messages would lead astray about: odd blanks, tabs, commands. */
import type { Sayings } from './sayings.ts'

const BLANKS: Readonly<Record<string, string>> = {
  '\u00a0': 'no-break space (U+00A0)',
  '\u2002': 'en space (U+2002)',
  '\u2003': 'em space (U+2003)',
  '\u2007': 'figure space (U+2007)',
  '\u200b': 'zero-width space (U+200B)',
  '\u202f': 'narrow no-break space (U+202F)',
  '\u3000': 'ideographic space (U+3000)',
}
const ODD = Object.keys(BLANKS).join('')
const INDENT = new RegExp(`^[ \\t${ODD}]*`)
/** An odd blank before or behind the colon of a key, or behind a list's dash. */
const AFTER_KEY = new RegExp(`^-([${ODD}])|^(?:- +)*[\\w.\\-/]+([${ODD}]*):([${ODD}])`)
const SMART_QUOTE = /^(?:- +)*[\w.\-/]+:\s+[\u201c\u201d]/
const COMMAND = /^(?:\$ |(?:sudo )?(?:kubectl|helm|istioctl|curl|export|docker|git|cat|echo|minikube|kind) +[-\w"'./<$])/

/** Numbers of the lines (from 1) that make what they are in unreadable, with the kind of fault. */
export type OddLines = ReadonlyMap<number, 'blank' | 'tab' | 'command'>

/** Finds such lines and says each kind of fault once. */
export function findOddLines(text: string, said: Sayings): OddLines {
  const odd = new Map<number, 'blank' | 'tab' | 'command'>()
  const blanks = new Map<number, string>()
  for (const [i, line] of text.split('\n').entries()) {
    const indent = INDENT.exec(line)?.[0] ?? ''
    const rest = line.slice(indent.length)
    if (rest === '' || rest.startsWith('#')) continue
    const blank = oddBlank(indent, rest)
    if (blank !== undefined) {
      odd.set(i + 1, 'blank')
      blanks.set(i + 1, blank)
    } else if (/^ *\t/.test(indent)) odd.set(i + 1, 'tab')
    else if (indent === '' && COMMAND.test(rest)) odd.set(i + 1, 'command')
    else if (SMART_QUOTE.test(rest)) said.add('SmartQuote', { position: { line: i + 1, column: indent.length + 1 } })
  }
  const [first] = blanks
  if (first) {
    const others = blanks.size > 1 ? ` and ${blanks.size - 1} more lines hold` : ' holds'
    said.add('OddBlank', { position: { line: first[0], column: 1 } }, { blank: BLANKS[first[1]] ?? 'blank', others })
  }
  return odd
}

function oddBlank(indent: string, rest: string): string | undefined {
  const inIndent = [...indent].find((c) => c in BLANKS)
  if (inIndent !== undefined) return inIndent
  const [, afterDash, beforeColon, afterColon] = AFTER_KEY.exec(rest) ?? []
  return afterDash ?? (beforeColon ? beforeColon[0] : afterColon)
}
