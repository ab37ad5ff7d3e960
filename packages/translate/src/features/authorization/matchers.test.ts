import { describe, expect, test } from 'vitest'
import { hostMatcher, identityMatcher, listedHeaderMatcher, quoted } from './matchers.ts'

test('a literal in an expression means itself', () => {
  const every = String.raw`a.b*c+d?e^f$g{1,2}h(i)j|k[l]m\n-/`
  expect(whole(quoted(every)).test(every)).toBe(true)
  expect(whole(quoted('a.b')).test('axb')).toBe(false)
})

test('an identity by its ending takes no other text for a dot', () => {
  const regex = regexOf(identityMatcher('*.b/ns/x'))
  expect(regex.test('spiffe://a.b/ns/x')).toBe(true)
  expect(regex.test('spiffe://ab/ns/x')).toBe(false)
})

describe('a host that is kept out', () => {
  const regex = regexOf(headerText('admin.example.com'))
  test.each([
    ...[
      'admin.example.com',
      'ADMIN.example.com',
      'admin.example.com:80',
      'admin.example.com:',
      'admin.example.com.',
      'admin.example.com.:8080',
    ],
    ...[
      'ann@admin.example.com',
      'ann:secret@admin.example.com:80',
      'admin.example.com,other.example.com',
      'other.example.com, admin.example.com',
    ],
  ])('%s is that host', (host) => {
    expect(regex.test(host)).toBe(true)
  })
  test.each(['notadmin.example.com', 'admin.example.com.evil.org', 'adminxexample.com', 'admin.example.com:80x', 'example.com'])(
    '%s is another',
    (host) => {
      expect(regex.test(host)).toBe(false)
    },
  )
})

describe('a header that is a list has a value', () => {
  test.each([
    ['admin', 'admin', true],
    ['admin', 'user,admin', true],
    ['admin', 'admin,user', true],
    ['admin', 'a,admin,b', true],
    ['admin', 'administrator', false],
    ['admin', 'user, admin', false],
    ['ops-*', 'user,ops-1,x', true],
    ['ops-*', 'dev-ops-1', false],
    ['*-lead', 'user,team-lead,x', true],
    ['*-lead', 'team-leader', false],
    ['a.b', 'axb', false],
  ])('%s in %s: %s', (value, header, expected) => {
    const { headerMatchSpecifier } = listedHeaderMatcher('x-role', value)
    expect(regexOf(headerMatchSpecifier?.case === 'stringMatch' ? headerMatchSpecifier.value : undefined).test(header)).toBe(expected)
  })
})

function headerText(host: string): unknown {
  const { headerMatchSpecifier } = hostMatcher(host, true)
  return headerMatchSpecifier?.case === 'stringMatch' ? headerMatchSpecifier.value : undefined
}

function regexOf(matcher: unknown): RegExp {
  const text: unknown = Reflect.get(Object(Reflect.get(Object(Reflect.get(Object(matcher), 'matchPattern')), 'value')), 'regex')
  if (typeof text !== 'string') throw new TypeError('the matcher has no expression')
  return whole(text)
}

/** As Envoy takes it: of the whole text, and in RE2's words for letters' case. */
function whole(text: string): RegExp {
  return new RegExp(`^(?:${text.replace('(?i)', '')})$`, text.startsWith('(?i)') ? 'i' : '')
}
