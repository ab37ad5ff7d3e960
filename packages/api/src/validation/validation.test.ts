/** The small checks: addresses, hosts, CEL's grammar, did-you-mean, the catalogue. */
import { describe, expect, test } from 'vitest'
import { istioCode, MESSAGES } from '../diagnostics/catalogue.ts'
import { didYouMean } from '../diagnostics/suggest.ts'
import { isCidr, isIp } from './addresses.ts'
import { celProblem } from './cel-syntax.ts'
import { hostsOverlap, hostWithin, isFqdn } from './hosts.ts'
import { parseUrl } from './urls.ts'

test.each(['0.0.0.0', '255.255.255.255', '::', '::1', '2001:db8::1', '1:2:3:4:5:6:7:8', 'fe80::1%eth0', '::ffff:10.0.0.1'])(
  '%s is an address',
  (text) => {
    expect(isIp(text)).toBe(true)
  },
)
test.each([
  '',
  '1.2.3',
  '1.2.3.256',
  '01.2.3.4',
  '1.2.3.4.5',
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  'g::',
  '12345::',
  '::1%',
  'a.com',
])('%s is no address', (text) => {
  expect(isIp(text)).toBe(false)
})
test.each([
  ['10.0.0.0/8', true],
  ['10.0.0.0/33', false],
  ['::/0', true],
  ['::/129', false],
  ['10.0.0.0', false],
  ['10.0.0.0/08', false],
  ['10.0.0.0/8/8', false],
])('%s as an address range: %s', (text, expected) => {
  expect(isCidr(text)).toBe(expected)
})

test.each([
  ['a.com', true],
  ['a.com.', true],
  ['cart', true],
  ['*.a.com', false],
  ['a..com', false],
  ['-a.com', false],
  ['a.1', false],
  [`${'a'.repeat(64)}.com`, false],
  [`${'a.'.repeat(130)}com`, false],
])('%s as a full host name: %s', (host, expected) => {
  expect(isFqdn(host)).toBe(expected)
})

test.each([
  ['*.com', 'a.com', true],
  ['*.a.com', '*.com', true],
  ['a.com', 'b.com', false],
  ['*', 'a', true],
])('%s and %s overlap: %s', (a, b, expected) => {
  expect(hostsOverlap(a, b)).toBe(expected)
  expect(hostsOverlap(b, a)).toBe(expected)
})

test('a host lies within a wildcard, not the other way round', () => {
  expect(hostWithin('a.com', '*.com')).toBe(true)
  expect(hostWithin('*.a.com', '*.com')).toBe(true)
  expect(hostWithin('*.com', 'a.com')).toBe(false)
})

describe('CEL', () => {
  test.each([
    'true',
    'a.b[0].c == "x"',
    'x ? y : !z',
    'has(a.b) && a.b in [1, 2u, 3.5e1, 0xff]',
    '{"a": 1, b: 2}',
    'a.all(x, x > -1)',
    'r\'\\d\' + b"x"',
    '.a.b',
    'T{a: 1}',
    '"""a\n"b"\n"""',
    '[1, 2,]',
  ])('%s is an expression', (text) => {
    expect(celProblem(text)).toBeUndefined()
  })
  test.each(['', ')++++', 'a b', 'a ==', '(a', 'a ? b', '"open', 'a.1', 'for', 'a[', '{1}', 'f(,)', '@', '('.repeat(5000)])(
    '%s is none',
    (text) => {
      expect(celProblem(text)).toEqual(expect.any(String))
    },
  )
})

test.each([
  ['https://a.com/x', 'https', undefined],
  ['a/b:c', '', undefined],
  ['https://a.com:x', 'https', 'the port "x" is not a number'],
  ['https://a.com/%zz', 'https', 'a percent sign is not followed by two hex digits'],
  ['https://a\u0000', 'https', 'it holds control characters'],
])('the URL %s', (url, scheme, problem) => {
  expect(parseUrl(url)).toMatchObject({ scheme, ...(problem !== undefined && { problem }) })
})

test.each([
  ['wieght', ['weight', 'route'], 'weight'],
  ['http_status', ['httpStatus'], 'httpStatus'],
  ['strict', ['STRICT', 'DISABLE'], 'STRICT'],
  ['SERVER_AND_CLIENT', ['CLIENT_AND_SERVER', 'CLIENT', 'SERVER'], 'CLIENT_AND_SERVER'],
  ['tags', ['match', 'tagOverrides'], 'tagOverrides'],
  ['tags', ['tagOverrides', 'tagFilters'], undefined],
  ['zzz', ['weight'], undefined],
  ['x'.repeat(100), ['weight'], undefined],
])('%s of %j', (found, allowed, expected) => {
  expect(didYouMean(found, allowed)).toBe(expected === undefined ? '' : `; did you mean "${expected}"?`)
})

describe('the catalogue', () => {
  test('gives every message a code of its own', () => {
    const codes = Object.values(MESSAGES).map(({ code }) => code)
    expect(new Set(codes).size).toBe(codes.length)
    for (const code of codes) expect(code).toMatch(/^LTN\d{4}$/)
  })

  test("knows the code that Istio's analysis gives", () => {
    expect(istioCode('LTN0338')).toBe('IST0130')
    expect(istioCode('LTN0202')).toBe('IST0106')
    expect(istioCode('LTN0224')).toBe('IST0133')
    expect(istioCode('IST0101')).toBe('IST0101')
  })

  test('avoids words that blame', () => {
    for (const { text } of Object.values(MESSAGES)) expect(text).not.toMatch(/invalid|failed|illegal/i)
  })
})
