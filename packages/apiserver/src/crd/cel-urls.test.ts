import { expect, test } from 'vitest'
import { evaluate } from './cel-environment.ts'

test.each([
  ['https://auth.example.com/.well-known/jwks.json', 'https'],
  ['oci://registry.example.com/wasm/metrics:1.0.0', 'oci'],
  ['file:///opt/filter.wasm', 'file'],
  ['/only/a/path', ''],
])('%s is a URL with scheme "%s"', (self, scheme) => {
  expect(evaluate('isURL(self)', { self })).toBe(true)
  expect(evaluate('url(self).getScheme()', { self })).toBe(scheme)
})

test.each(['registry.example.com/wasm/metrics', 'http://a b', 'http://[::1', '', '%zz', 'http://host:port/'])('"%s" is no URL', (self) => {
  expect(evaluate('isURL(self)', { self })).toBe(false)
  expect(() => evaluate('url(self).getScheme()', { self })).toThrow('is not a URL')
})

test('the parts of a URL are read as Kubernetes names them', () => {
  const self = 'https://user@[fd00::1]:8443/a%20b?x=1&x=2&y='
  expect(evaluate('url(self).getHost()', { self })).toBe('[fd00::1]:8443')
  expect(evaluate('url(self).getHostname()', { self })).toBe('fd00::1')
  expect(evaluate('url(self).getPort()', { self })).toBe('8443')
  expect(evaluate('url(self).getEscapedPath()', { self })).toBe('/a%20b')
  expect(evaluate("url(self).getQuery() == {'x': ['1', '2'], 'y': ['']}", { self })).toBe(true)
})
