/** User expressions, in RE2 as Envoy runs them: time grows with the length of the text, whatever the expression. */
import { RE2JS } from 're2js'

const MOST_KEPT = 2_000

/** Compiled expressions, for the same few are asked again and again; undefined for those that RE2 does not take. */
const compiled = new Map<string, RE2JS | undefined>()

function compile(expression: string): RE2JS | undefined {
  if (compiled.has(expression)) return compiled.get(expression)
  if (compiled.size >= MOST_KEPT) compiled.clear()
  const made = tryCompile(expression)
  compiled.set(expression, made)
  return made
}

function tryCompile(expression: string): RE2JS | undefined {
  try {
    return RE2JS.compile(expression)
  } catch {
    // Envoy refuses the resource; here nothing matches.
    return undefined
  }
}

/** Whether the whole text matches. */
export function matchesWhole(expression: string, text: string): boolean {
  return compile(expression)?.matcher(text).matches() ?? false
}

/** Whether the expression is found anywhere. */
export function matchesSomewhere(expression: string, text: string): boolean {
  return compile(expression)?.matcher(text).find() ?? false
}

/** Every occurrence replaced; `\0` to `\9` in the substitution stand for what groups matched, `\\` for a backslash. */
export function replaceAll(text: string, expression: string, substitution: string): string {
  const matcher = compile(expression)?.matcher(text)
  if (!matcher) return text
  let result = ''
  let from = 0
  while (matcher.find()) {
    result += text.slice(from, matcher.start()) + substitution.replace(/\\([0-9\\])/g, (_, key: string) => replacement(matcher, key))
    from = matcher.end()
  }
  return result + text.slice(from)
}

function replacement(matcher: { group(index: number): string | null; groupCount(): number }, key: string): string {
  if (key === '\\') return '\\'
  const index = Number(key)
  return index <= matcher.groupCount() ? (matcher.group(index) ?? '') : ''
}
