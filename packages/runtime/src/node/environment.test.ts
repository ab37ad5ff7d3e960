import { expect, test } from 'vitest'
import { expand } from './environment.ts'
import { quote } from './shell-text.ts'

test.each([
  ['$(A)-$(B)', 'x-y'],
  ['$$(A)', '$(A)'],
  ['$(NOPE) $A $', '$(NOPE) $A $'],
  ['$$$(A)', '$x'],
])('%s becomes %s', (text, expected) => {
  expect(expand(text, { A: 'x', B: 'y' })).toBe(expected)
})

test.each([
  ['plain', 'plain'],
  ["it's", "'it'\\''s'"],
  ['', "''"],
  ['a b$(rm)\n`x`', "'a b$(rm)\n`x`'"],
])('the word %j is %s in a shell', (word, expected) => {
  expect(quote(word)).toBe(expected)
})
