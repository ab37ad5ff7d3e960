import { expect, test } from 'vitest'
import { structuralDiff } from './structural-diff.ts'

test('equal values differ nowhere', () => {
  expect(structuralDiff({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] })).toEqual([])
})

test('fields that change, come and go are told with their paths', () => {
  expect(structuralDiff({ a: { b: 1, c: 2 } }, { a: { b: 3, d: 4 } })).toEqual([
    { path: 'a.b', before: 1, after: 3 },
    { path: 'a.c', before: 2 },
    { path: 'a.d', after: 4 },
  ])
})

test('items with names are matched by name, wherever they stand', () => {
  const [x, y] = [{ name: 'x', value: 1 }, { name: 'y' }]
  expect(structuralDiff({ list: [x, y] }, { list: [y, { name: 'x', value: 2 }] })).toEqual([
    { path: 'list[name=x].value', before: 1, after: 2 },
    { path: 'list (order)', before: ['x', 'y'], after: ['y', 'x'] },
  ])
})

test('an item put into a list without names is one difference', () => {
  expect(structuralDiff([{ a: 1 }, { a: 2 }, { a: 3 }], [{ a: 1 }, { a: 9 }, { a: 2 }, { a: 3 }])).toEqual([
    { path: '[1]', after: { a: 9 } },
  ])
})

test('the number of differences is bounded', () => {
  const many = (value: number) => Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`f${index}`, value]))
  expect(structuralDiff(many(1), many(2))).toHaveLength(1_000)
})
