import { expect, test } from 'vitest'
import { matchesLabelSelector } from './label-selector.ts'

const labels = { app: 'web', tier: 'front' }

test.each([
  ['nothing asked', {}, true],
  ['a label', { matchLabels: { app: 'web' } }, true],
  ['another value', { matchLabels: { app: 'db' } }, false],
  ['a name of every JavaScript object', { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, false],
  ['In', { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'web'] }] }, true],
  ['In without the label', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }, false],
  ['NotIn', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false],
  ['NotIn without the label', { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] }, true],
  ['Exists', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, true],
  ['DoesNotExist', { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, false],
  ['an operator that does not exist', { matchExpressions: [{ key: 'app', operator: 'Like', values: ['w*'] }] }, false],
  ['all must hold', { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, false],
])('%s', (_, selector, expected) => {
  expect(matchesLabelSelector(selector, labels)).toBe(expected)
})
