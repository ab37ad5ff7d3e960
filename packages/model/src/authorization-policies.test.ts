import { expect, test } from 'vitest'
import { everySpellingOf } from './authorization-policies.ts'

const policy = (annotations?: Readonly<Record<string, string>>) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'AuthorizationPolicy',
  metadata: { namespace: 'shop', name: 'denied', ...(annotations && { annotations }) },
})

test('a policy that does not say leaves it to the mesh which spellings it means', () => {
  expect(everySpellingOf(policy())).toBeUndefined()
  expect(everySpellingOf(policy({ 'istio.io/dry-run': 'true' }))).toBeUndefined()
})

test.each([
  ['true', true],
  ['1', true],
  ['false', false],
  ['F', false],
  // Neither: the stricter of the two.
  ['yes', true],
  ['', true],
])('every spelling: "%s" is %s', (text, expected) => {
  expect(everySpellingOf(policy({ 'lateen.io/every-spelling': text }))).toBe(expected)
})
