import { expect, test } from 'vitest'
import { templateMatches } from './uri-template.ts'

test.each([
  ['/t/*/x', '/t/1/x', true],
  ['/t/*/x', '/t/1/2/x', false],
  ['/t/{id}/x/**', '/t/1/x/a/b', true],
  ['/t/**', '/t/', true],
  ['/a.b', '/a1b', false],
  ['/v/{rest=**}', '/v/a/b', true],
])('template %s and path %s: %s', (template, path, fits) => {
  expect(templateMatches(template, path)).toBe(fits)
})
