/** Text of others does not steer the terminal of who reads it. */

/** Control characters as `\x1b`; tabs, line breaks and colours stay. For what is shown to people. */
export const readable = (text: string): string =>
  text.replace(/\p{Cc}(?:\[[\d;]*m)?/gu, (found) => (/^[\t\n]/.test(found) || isColor(found) ? found : escaped(found)))

/** All control characters as escapes, so that what came from others stays one entry of a line. */
export const oneEntry = (text: string): string => text.replace(/\p{Cc}/gu, escaped)

const isColor = (found: string): boolean => found.startsWith('\u001b[') && found.endsWith('m')

const NAMES: Readonly<Record<string, string>> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }

function escaped(found: string): string {
  const [first = '', ...rest] = found
  return `${NAMES[first] ?? `\\x${first.charCodeAt(0).toString(16).padStart(2, '0')}`}${rest.join('')}`
}
