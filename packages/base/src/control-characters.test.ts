import { expect, test } from 'vitest'
import { oneEntry, readable } from './control-characters.ts'

test.each([
  ['plain text\twith\ntwo lines', 'plain text\twith\ntwo lines'],
  ['\u001b[1;31mred\u001b[0m', '\u001b[1;31mred\u001b[0m'],
  ['\u001b]0;a title\u0007', '\\x1b]0;a title\\x07'],
  ['\u001b[2J\u001b[H', '\\x1b[2J\\x1b[H'],
  ['hidden\rshown', 'hidden\\rshown'],
  ['\u009b2J', '\\x9b2J'],
])('for people: %j is shown as %j', (text, shown) => {
  expect(readable(text)).toBe(shown)
})

test('in a line of several entries, what came from others is one', () => {
  expect(oneEntry('a\nb\tlevel=error\r\u001b[31m')).toBe('a\\nb\\tlevel=error\\r\\x1b[31m')
})
