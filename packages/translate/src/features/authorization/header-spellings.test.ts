import type { AuthorizationRule } from '@lateen/api'
import { findEnvoy, refusal } from '@lateen/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anotherValue, everyNameSpelling, everyValueSpelling } from './header-spellings.ts'
import { passesEverySpelling } from './testdata/decision.ts'
import { rbacBootstrap } from './testdata/rbac-bootstrap.ts'

type Headers = readonly (readonly [name: string, value: string])[]

const role = (fields: { readonly values?: string[]; readonly notValues?: string[] }): AuthorizationRule => ({
  when: [{ key: 'request.headers[X-User-Role]', ...fields }],
})
const inHosts = (fields: { readonly hosts?: string[]; readonly notHosts?: string[] }): AuthorizationRule => ({
  to: [{ operation: fields }],
})

function passes(rule: AuthorizationRule, action: 'ALLOW' | 'DENY', headers: Headers, request = {}): boolean {
  const sent = new Map<string, string[]>()
  for (const [name, value] of headers) sent.set(name, [...(sent.get(name) ?? []), value])
  return passesEverySpelling(rule, action, { headers: sent, ...request })
}

test('a name has one spelling for each choice of - and _, up to seven of them', () => {
  expect(everyNameSpelling('X-User_Role')).toEqual(['x-user-role', 'x-user_role', 'x_user-role', 'x_user_role'])
  expect(everyNameSpelling('cookie')).toEqual(['cookie'])
  expect(everyNameSpelling('a-a-a-a-a-a-a-a')).toHaveLength(128)
  expect(everyNameSpelling('a-a-a-a-a-a-a-a-a')).toBeUndefined()
})

describe('a header that is denied', () => {
  const denied = role({ values: ['admin', 'root*', '*-lead'] })
  const WAYS: readonly Headers[] = [
    ...[
      'admin',
      'ADMIN',
      ' admin',
      '"admin"',
      'reader, admin',
      'admin,reader',
      'reader;admin',
      'admin;q=1',
      'root',
      'a,ROOTS',
      'x-lead,y',
    ].map((value): Headers => [['x-user-role', value]]),
    ...['x_user_role', 'x-user_role', 'x_user-role'].map((name): Headers => [[name, 'admin']]),
    [
      ['x-user-role', 'reader'],
      ['x-user-role', 'admin'],
    ],
    [
      ['x-user-role', 'reader'],
      ['x_user_role', 'reader, "Admin"'],
    ],
  ]
  test.each(WAYS)('is denied: %j %j', (...headers) => {
    expect(passes(denied, 'DENY', headers)).toBe(false)
  })

  test.each(['', 'reader', 'administrator', 'my-admin', 'x-leader', 'un-rooted'])('is not "%s"', (value) => {
    expect(passes(denied, 'DENY', [['x-user-role', value]])).toBe(true)
    expect(passes(denied, 'DENY', [['x-role', 'admin']])).toBe(true)
  })

  test('is denied in every spelling of its name when it is denied whatever it says', () => {
    const any = role({ values: ['*'] })
    expect(passes(any, 'DENY', [['x_user-role', '']])).toBe(false)
    expect(passes(any, 'DENY', [])).toBe(true)
  })

  test('keeps out by more when its name has too many spellings', () => {
    const long: AuthorizationRule = { when: [{ key: 'request.headers[a-a-a-a-a-a-a-a-a]', values: ['x'] }] }
    expect(passes(long, 'DENY', [])).toBe(false)
    expect(passes(long, 'ALLOW', [['a-a-a-a-a-a-a-a-a', 'x']])).toBe(false)
  })
})

describe('a header that lets in', () => {
  const once = (value: string): Headers => [['x-user-role', value]]
  test('does so as it is written, once, and without another that may be taken for it', () => {
    for (const [rule, action] of [
      [role({ values: ['admin'] }), 'ALLOW'],
      [role({ notValues: ['admin'] }), 'DENY'],
    ] as const) {
      expect(passes(rule, action, once('admin'))).toBe(true)
      for (const headers of [
        ...['', 'ADMIN', 'admin,x', '"admin"', 'administrator'].map(once),
        [...once('admin'), ...once('reader')],
        [...once('admin'), ...once('reader,admin')],
        [...once('admin'), ['x_user_role', 'reader'] as const],
        [],
      ]) {
        expect({ headers, passes: passes(rule, action, headers) }).toEqual({ headers, passes: false })
      }
    }
  })

  test('does so for all values that a pattern has, and for no other', () => {
    const texts = fc.stringMatching(/^[ab.]{0,4}$/)
    const value = fc.oneof(
      texts.filter((text) => text !== ''),
      texts.map((text) => `${text}*`),
      texts.map((text) => `*${text}`),
    )
    fc.assert(
      fc.property(value, texts, texts, (pattern, one, other) => {
        const plain = pattern === '*' ? '' : pattern.replace('*', '')
        const fits = (text: string) =>
          pattern === '*' ||
          (pattern.startsWith('*') ? text.endsWith(plain) : pattern.endsWith('*') ? text.startsWith(plain) : text === plain)
        const headers = [...once(one), ...once(other)]
        expect({ headers, passes: passes(role({ values: [pattern] }), 'ALLOW', headers) }).toEqual({
          headers,
          passes: fits(one) && fits(other),
        })
      }),
      { numRuns: 300, seed: 3 },
    )
  })
})

test('values of any length and number keep out, by expressions that are not too long', () => {
  const long = 'x'.repeat(4_500)
  const many = Array.from({ length: 300 }, (_, i) => `value-${i}`)
  const expressions = everyValueSpelling([...many, long, `*${long}`, `${long}*`])
  expect(expressions.filter((matcher) => regexOf(matcher).length > 21_000)).toEqual([])
  const denied = role({ values: [...many, long] })
  for (const value of ['VALUE-299', 'a,value-7', long.toUpperCase()]) expect(passes(denied, 'DENY', [['x_user_role', value]])).toBe(false)
  expect(passes(denied, 'DENY', [['x-user-role', 'value-300']])).toBe(true)
  expect(passes(role({ values: [long] }), 'ALLOW', [['x-user-role', long]])).toBe(true)
  expect(passes(role({ values: [`*${long}`] }), 'ALLOW', [['x-user-role', `y${long}`]])).toBe(true)
})

const envoy = findEnvoy()
describe.skipIf(!envoy)('Envoy takes', () => {
  const long = 'x.'.repeat(4_500)
  const many = Array.from({ length: 700 }, (_, i) => `value-${i}`)
  test.each<readonly [name: string, matcher: unknown]>([
    ['another value', anotherValue('x', 'a-[b]^é')],
    ['another beginning', anotherValue('x', 'a*')],
    ['another end', anotherValue('x', '*a')],
    ['another long value', anotherValue('x', long)],
    ['another long end', anotherValue('x', `*${long}`)],
    ...everyValueSpelling([...many, long, 'é"']).map((value, i) => [`values, part ${i}`, value] as const),
  ])('%s', (_, matcher) => {
    const regex = regexOf(matcher)
    expect(refusal(envoy ?? '', rbacBootstrap({ header: { name: 'x', stringMatch: { safeRegex: { regex } } } }))).toBe('')
  })
})

/** The expression that is somewhere in a matcher. */
function regexOf(matcher: unknown): string {
  if (typeof matcher !== 'object' || matcher === null) return ''
  const own: unknown = Reflect.get(matcher, 'regex')
  return typeof own === 'string' ? own : Object.values(matcher).map(regexOf).join('')
}

describe('hosts, methods and paths', () => {
  test('a host that lets in is one host, and one that keeps out is any spelling', () => {
    const allowed = inHosts({ hosts: ['a.example*'] })
    expect(passes(allowed, 'ALLOW', [], { authority: 'a.example.com' })).toBe(true)
    expect(passes(allowed, 'ALLOW', [], { authority: 'a.example.com,b.example.com' })).toBe(false)
    expect(passes(allowed, 'ALLOW', [], { authority: 'a.example@b.example.com' })).toBe(false)
    expect(passes(inHosts({ hosts: ['b.example.com'] }), 'DENY', [], { authority: 'x@B.example.com:80' })).toBe(false)
  })

  test('a method keeps out in any case of letters', () => {
    const rule: AuthorizationRule = { to: [{ operation: { methods: ['DELETE'] } }] }
    expect(passes(rule, 'DENY', [], { method: 'delete' })).toBe(false)
    expect(passes(rule, 'DENY', [], { method: 'GET' })).toBe(true)
    expect(passes(rule, 'ALLOW', [], { method: 'delete' })).toBe(false)
  })

  test.each(['X-HTTP-Method-Override', 'x-http-method', 'x_method-override'])('%s is a method too', (name) => {
    const rule: AuthorizationRule = { to: [{ operation: { methods: ['DELETE'] } }] }
    const allowed: AuthorizationRule = { to: [{ operation: { methods: ['POST'] } }] }
    const sent: Headers = [[name.toLowerCase(), 'delete']]
    expect(passes(rule, 'DENY', sent, { method: 'POST' })).toBe(false)
    expect(passes(allowed, 'ALLOW', sent, { method: 'POST' })).toBe(false)
    expect(passes(allowed, 'ALLOW', [], { method: 'POST' })).toBe(true)
  })

  test.each(['x-original-url', 'x_rewrite_url'])('%s leaves it open which path is meant', (name) => {
    expect(passes({ to: [{ operation: { paths: ['/admin'] } }] }, 'DENY', [[name, '/anything']])).toBe(false)
    expect(passes({ to: [{ operation: { notPaths: ['/'] } }] }, 'DENY', [[name, '/admin']])).toBe(false)
    expect(passes({ to: [{ operation: { paths: ['/'] } }] }, 'ALLOW', [[name, '/admin']])).toBe(false)
  })

  test.each([
    [':path', '/admin', { path: '/%61dmin?x=1' }],
    [':path', '/admin*', { path: '/ADMIN/x' }],
    [':method', 'DELETE', { method: 'Delete' }],
    [':authority', 'b.example.com', { authority: 'b.example.com:80' }],
    ['host', 'b.example.com', { authority: 'b.example.com.' }],
  ])('asked for as the header %s, %s is the same', (name, value, request) => {
    expect(passes({ when: [{ key: `request.headers[${name}]`, values: [value] }] }, 'DENY', [], request)).toBe(false)
    expect(passes({ when: [{ key: `request.headers[${name}]`, values: [value] }] }, 'DENY', [])).toBe(true)
  })
})
