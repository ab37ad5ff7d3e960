import { expect, test } from 'vitest'
import { table } from './table.ts'

test('columns are as wide as their widest cell, and lines end with their last letter', () => {
  expect(
    table(
      ['NAME', 'READY'],
      [
        ['istiod', '1/1'],
        ['a', ''],
      ],
    ),
  ).toBe('NAME     READY\nistiod   1/1\na')
})

test('wide letters count once', () => {
  expect(table(['A', 'B'], [['…', 'x']])).toBe('A   B\n…   x')
})
