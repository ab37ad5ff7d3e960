/** Regular expressions of schemas, in RE2's syntax and with its linear running time. */
import { RE2JS } from 're2js'

const MAX_LENGTH = 16 * 1024
const cache = new Map<string, RE2JS | undefined>()

/** `undefined` when the text is not a regular expression. */
export function compilePattern(pattern: string): RE2JS | undefined {
  if (cache.has(pattern)) return cache.get(pattern)
  let compiled: RE2JS | undefined
  if (pattern.length <= MAX_LENGTH) {
    try {
      compiled = RE2JS.compile(pattern)
    } catch {
      compiled = undefined
    }
  }
  if (cache.size > 2000) cache.clear()
  cache.set(pattern, compiled)
  return compiled
}

/** Whether the pattern is found somewhere in the text. */
export function matchesPattern(pattern: string, text: string): boolean {
  return compilePattern(pattern)?.matcher(text).find() ?? false
}
