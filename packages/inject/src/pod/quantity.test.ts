import { expect, test } from 'vitest'
import { canonicalQuantity } from './quantity.ts'

test.each([
  ['1000m', '1'],
  ['4000m', '4'],
  ['100m', '100m'],
  ['0.5', '500m'],
  ['1.25', '1250m'],
  ['1000', '1k'],
  ['1500', '1500'],
  ['0', '0'],
  ['0.0', '0'],
  ['-2000m', '-2'],
  ['1024Mi', '1Gi'],
  ['2000Mi', '2000Mi'],
  ['1.5Gi', '1536Mi'],
  ['1048576Ki', '1Gi'],
  ['128974848', '128974848'],
  ['1e3', '1e3'],
  ['a lot', 'a lot'],
])('%s is %s', (text, canonical) => {
  expect(canonicalQuantity(text)).toBe(canonical)
})
