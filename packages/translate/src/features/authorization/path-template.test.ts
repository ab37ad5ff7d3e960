import { findEnvoy, refusal } from '@lateen/testkit'
import { describe, expect, test } from 'vitest'
import { isTemplate, pathTemplate } from './path-template.ts'
import { rbacBootstrap } from './testdata/rbac-bootstrap.ts'

const GOOD = [
  '/{*}',
  '/{**}',
  '/a/{*}/b',
  '/a/{*}/{*}/c',
  '/a/{*}/{**}',
  '/a/{**}/b',
  '/a/{**}.jpg',
  '/{*}/',
  "/a.b-c_~!$&'()+,;:@=%20/{*}",
]
const BAD = ['{*}', '/{**}/{*}', '/{**}/{**}', '/a{*}', '/{*}a', '/a/{x}/{*}', '/a/*/{*}', '/a//{*}', '/a b/{*}', '/ü/{*}', '/a/{*}?x']

const envoy = findEnvoy()

test('paths with {*} or {**} are templates', () => {
  expect(['/a/{*}', '/{**}', '/a*', '/a/{x}'].map(isTemplate)).toEqual([true, true, false, false])
})

test.each(BAD)('%s is no template', (path) => {
  expect(pathTemplate(path)).toBeUndefined()
})

describe.skipIf(!envoy)('what Envoy takes', () => {
  test('every template that is made', () => {
    const refused = GOOD.filter((path) => pathTemplate(path) !== undefined).filter(
      (path) => refusal(envoy ?? '', bootstrapWith(path)) !== '',
    )
    expect(refused).toEqual([])
    expect(GOOD.filter((path) => pathTemplate(path) === undefined)).toEqual(['/a/{**}.jpg'])
  }, 30_000)
})

/** A listener whose rules ask for a template. */
function bootstrapWith(path: string): unknown {
  const pathTemplate = path.replaceAll('{*}', '*').replaceAll('{**}', '**')
  const type = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig'
  return rbacBootstrap({ uriTemplate: { name: 'uri-template', typedConfig: { '@type': type, pathTemplate } } })
}
