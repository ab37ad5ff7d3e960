import { expect, test } from 'vitest'
import { unifiedDiff } from './unified-diff.ts'

const NAMES = { before: 'sent', after: 'held' }
const lines = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`)

test('equal texts have no difference', () => {
  expect(unifiedDiff(lines(3), lines(3), NAMES)).toBe('')
})

test('a changed line stands between seven lines of what is around it', () => {
  const before = lines(20)
  const found = unifiedDiff(before, before.with(9, 'other'), NAMES).split('\n')
  expect(found.slice(0, 4)).toEqual(['--- sent', '+++ held', '@@ -3,15 +3,15 @@', ' line 3'])
  expect(found.slice(10, 13)).toEqual(['-line 10', '+other', ' line 11'])
  expect(found.slice(-2)).toEqual([' line 17', ''])
})

test('what is new and what is gone is told where it is', () => {
  expect(unifiedDiff(['a', 'b', 'c'], ['a', 'c', 'd'], NAMES)).toBe('--- sent\n+++ held\n@@ -1,3 +1,3 @@\n a\n-b\n c\n+d\n')
  expect(unifiedDiff([], ['a'], NAMES)).toBe('--- sent\n+++ held\n@@ -0,0 +1 @@\n+a\n')
  expect(unifiedDiff(['a'], [], NAMES)).toBe('--- sent\n+++ held\n@@ -1 +0,0 @@\n-a\n')
})

test('differences far apart are told apart', () => {
  const before = lines(60)
  const found = unifiedDiff(before, before.with(4, 'x').with(54, 'y'), NAMES)
  expect(found.match(/^@@.*$/gm)).toEqual(['@@ -1,12 +1,12 @@', '@@ -48,13 +48,13 @@'])
})

test('texts that have nothing in common are told as replaced, in bounded time', () => {
  const [before, after] = [lines(20_000), lines(20_000).map((line) => `other ${line}`)]
  const found = unifiedDiff(before, after, NAMES).split('\n')
  expect(found[2]).toBe('@@ -1,20000 +1,20000 @@')
})

test('what it tells turns one text into the other', () => {
  const [before, after] = ['a b c a b b a', 'c b a b a c'].map((text) => text.split(' '))
  const found = unifiedDiff(before ?? [], after ?? [], NAMES)
    .split('\n')
    .slice(3, -1)
  const side = (mark: string) => found.filter((line) => line.startsWith(' ') || line.startsWith(mark)).map((line) => line.slice(1))
  expect([side('-'), side('+')]).toEqual([before, after])
})
