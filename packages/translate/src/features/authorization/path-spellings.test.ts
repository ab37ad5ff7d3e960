import { findEnvoy, refusal } from '@lateen/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { everyPathSpelling } from './path-spellings.ts'
import { passesEverySpelling } from './testdata/decision.ts'
import { rbacBootstrap } from './testdata/rbac-bootstrap.ts'

type Paths = { readonly paths?: string[]; readonly notPaths?: string[] }

const denies = (operation: Paths, path: string): boolean => !passesEverySpelling({ to: [{ operation }] }, 'DENY', { path })
const allows = (operation: Paths, path: string): boolean => passesEverySpelling({ to: [{ operation }] }, 'ALLOW', { path })

/** Segments of letters and digits, of which none is a prefix of what changes them: no dots, no blanks. */
const segment = fc.stringMatching(/^[a-z0-9_-]{1,6}$/)
const segments = fc.array(segment, { minLength: 1, maxLength: 4 })

/** How a character is written: by itself, in capitals, escaped, or wide; escapes may be escaped again. */
const written = fc.oneof(
  { weight: 4, arbitrary: fc.constant((text: string) => text) },
  fc.constant((text: string) => text.toUpperCase()),
  fc.nat(3).map((again) => (text: string) => [...text].map((one) => deeper(hex(one), again)).join('')),
  fc.nat(2).map((again) => (text: string) => wide(text, again)),
)

const hex = (text: string): string => `%${text.charCodeAt(0).toString(16).padStart(2, '0')}`
const deeper = (text: string, again: number): string => text.replaceAll('%', `%${'25'.repeat(again)}`)
const wide = (text: string, again: number): string =>
  deeper([...text].map((one) => encodeURIComponent(String.fromCharCode(one.charCodeAt(0) + 0xfee0))).join(''), again)

const spelled = (text: string): fc.Arbitrary<string> =>
  fc.tuple(...[...text].map((one) => written.map((write) => write(one)))).map((parts) => parts.join(''))

const slash = fc.oneof(spelled('/'), spelled('\\'), fc.constant('/'))
const parameters = fc.oneof(
  fc.constant(''),
  fc.tuple(spelled(';'), segment).map(([mark, name]) => `${mark}${name}=1`),
)
const step = (text: string): fc.Arbitrary<string> => fc.tuple(slash, spelled(text), parameters).map((parts) => parts.join(''))
const idle = fc.oneof(
  step('.'),
  fc.tuple(slash, parameters).map((parts) => parts.join('')),
)
const aside = fc.tuple(slash, segment.chain(spelled), step('..')).map((parts) => parts.join(''))
/** What leads from one segment to the next. */
const between = fc
  .tuple(fc.array(fc.oneof({ weight: 3, arbitrary: idle }, aside), { maxLength: 2 }), slash)
  .map(([steps, last]) => steps.join('') + last)
const end = fc.oneof(
  fc.constant(''),
  fc.tuple(spelled('?'), segment).map((parts) => parts.join('')),
  fc.tuple(spelled('#'), segment).map((parts) => parts.join('')),
  fc.constantFrom('%20', '%2520', '%c2%a0'),
  spelled('.'),
  fc.array(idle, { minLength: 1, maxLength: 2 }).map((steps) => steps.join('')),
)

const escapeSome = (text: string, mask: Iterator<boolean>): string => [...text].map((one) => (mask.next().value ? hex(one) : one)).join('')

/** One of the ways to write a path, without steps up unless they are asked for. */
const spellingOf = (all: readonly string[], way: fc.Arbitrary<string> = between): fc.Arbitrary<string> =>
  fc
    .tuple(fc.tuple(...all.map((one) => fc.tuple(way, spelled(one), parameters))), end)
    .map(([parts, last]) => parts.map((part) => part.join('')).join('') + last)

const withoutSteps = fc.tuple(fc.array(idle, { maxLength: 2 }), slash).map(([steps, last]) => steps.join('') + last)

describe('a path that is denied', () => {
  test('is denied in every spelling', () => {
    fc.assert(
      fc.property(
        segments.chain((all) => fc.tuple(fc.constant(all), spellingOf(all))),
        ([all, path]) => {
          expect({ path, denied: denies({ paths: [`/${all.join('/')}`] }, path) }).toEqual({ path, denied: true })
        },
      ),
      { numRuns: 200, seed: 5 },
    )
  })

  test('is denied in every spelling when it is meant by its beginning, its end, or a template', () => {
    fc.assert(
      fc.property(
        segments.chain((all) => fc.tuple(fc.constant(all), spellingOf(['more', ...all]), spellingOf([...all, 'more']))),
        ([all, before, after]) => {
          const path = `/${all.join('/')}`
          const template = `/${['{*}', ...all].join('/')}`
          expect([
            denies({ paths: [`*${path}`] }, before),
            denies({ paths: [template] }, before),
            denies({ paths: [`${path}/*`] }, after),
            denies({ paths: [`${path}*`] }, after),
            denies({ paths: [`${path}/{**}`] }, after),
          ]).toEqual([true, true, true, true, true])
        },
      ),
      { numRuns: 60, seed: 5 },
    )
  })

  test('is denied when escapes are escaped again in part, in any number of rounds', () => {
    const rounds = fc.array(fc.infiniteStream(fc.boolean()), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(segments, rounds, (all, masks) => {
        const path = `/${masks.reduce(escapeSome, all.join('/'))}`
        expect({ path, denied: denies({ paths: [`/${all.join('/')}`] }, path) }).toEqual({ path, denied: true })
      }),
      { numRuns: 200, seed: 5 },
    )
  })

  test('leaves every other path alone, in any spelling', () => {
    fc.assert(
      fc.property(
        fc
          .tuple(segments, segments)
          .filter(([one, other]) => one.join('/') !== other.join('/'))
          .chain(([one, other]) => fc.tuple(fc.constant(one), spellingOf(other, withoutSteps))),
        ([all, path]) => {
          expect({ path, denied: denies({ paths: [`/${all.join('/')}`] }, path) }).toEqual({ path, denied: false })
        },
      ),
      { numRuns: 200, seed: 5 },
    )
  })

  test.each([
    ['/admin', ['/%00admin', '/x%0a', '/%u002fadmin', '/public/%c0%af', '/%e0%80%af', '/x\u00ff', '/%25c0%25af']],
    ['/caf\u00e9', ['/caf%C3%A9', '/CAF%c3%89', '/caf%25C3%25A9/']],
    ['/a%2Fb', ['/a/b', '/a%2fb', '/a%252fb']],
    ['/sky', ['/%c5%bfky', '/s%E2%84%AAy']],
    ['/', ['/', '//', '/.', '/;x', '/a/..;/', '/%2e/']],
    ['/a/*', ['/a', '/a/', '/a;x', '/A/b/..;/c', '/a%2f']],
    ['*.php', ['/x.PHP', '/x.php/', '/a/x.php;y', '/x%2ephp%23']],
    ['*/', ['/a/', '/a//', '/a/.', '/a%2f']],
    ['*', ['/a']],
    ['/a/{*}/c', ['/a/b%2Fb/c', '/A/b;x/c', '/a/b/x/..;/c']],
    ['/a/{**}/z', ['/a/b/c/z', '/a/z/', '/a%2fb%2fz']],
  ])('%s is also %j', (path, spellings) => {
    expect(spellings.filter((spelling) => !denies({ paths: [path] }, spelling))).toEqual([])
  })

  test.each([
    ['/admin', ['/', '/admins', '/admin/x', '/x/admin', '/adm/in', '/%2361dmin', '/administrator%20', '/admin%2525']],
    ['/a%2Fb', ['/ab', '/a%2b']],
    ['/a/*', ['/ab', '/', '/b/a']],
    ['*.php', ['/xphp', '/x.phpx', '/x.php/y']],
    ['*/', ['/a', '/a/b']],
    ['/a/{*}/c', ['/a/c', '/a/b/b/c', '/a/b/cc']],
  ])('%s is none of %j', (path, others) => {
    expect(others.filter((other) => denies({ paths: [path] }, other))).toEqual([])
  })
})

test('a path that is longer than expressions may be counts by its beginning', () => {
  const long = `/${'abcdefghij'.repeat(100)}`
  expect(denies({ paths: [long] }, long.toUpperCase())).toBe(true)
  expect(denies({ paths: [`*${long}`] }, `/x${long}`)).toBe(true)
  expect(denies({ paths: [long] }, '/abcdefghij')).toBe(false)
  expect(denies({ paths: [`*${long}`] }, '/abcdefghij')).toBe(false)
})

test.each([
  ['escaped again and again', `/%${'25'.repeat(100_000)}61`, '/a'],
  ['whose digits are escaped in turn', `/${'%3'.repeat(100_000)}5`, '/5'],
  ['beside bytes that are no text', '/%61%ff', '/a%ff'],
])('a policy may write escapes %s', (_, written, meant) => {
  expect(everyPathSpelling(written)).toBe(everyPathSpelling(meant))
})

describe('what lets a path in takes the plain spelling alone', () => {
  const PLAIN = ['/a', '/a/', '/a/b.c', '/a/.well-known', '/a/x%20y', '/a/caf%C3%A9', '/a/u@x:1,2=3', '/a/%5Bx%5D']
  const OTHER = [
    ...['/a/../admin', '/a//b', '/a/.', '/a/..;/b', '/a;x', '/a/;x/b', '/a/%2e%2e/b', '/a%2fb', '/a%5cb', '/a/%61', '/a/%2561', '/a/x.'],
    ...['/a/%c0%af', '/a/%ef%bc%8f', '/a/%00', '/a/b%3fx', '/a/b%23', '/a\\b', '/a/%', '/a/%zz', '/a/\u00e9'],
  ]
  test('in an ALLOW rule', () => {
    expect(PLAIN.filter((path) => !allows({ paths: ['/a*'] }, path))).toEqual([])
    expect(OTHER.filter((path) => allows({ paths: ['/a*'] }, path))).toEqual([])
    expect(allows({ paths: ['/A*'] }, '/a')).toBe(false)
  })

  test('in what a DENY rule leaves out', () => {
    expect(PLAIN.filter((path) => denies({ notPaths: ['/a*'] }, path))).toEqual([])
    expect(OTHER.filter((path) => !denies({ notPaths: ['/a*'] }, path))).toEqual([])
  })

  test('while what an ALLOW rule leaves out is every spelling', () => {
    expect(allows({ paths: ['/a*'], notPaths: ['/a/admin'] }, '/a/ADMIN')).toBe(false)
    expect(allows({ notPaths: ['/admin'] }, '/%2561dmin')).toBe(false)
    expect(allows({ notPaths: ['/admin'] }, '/public')).toBe(true)
  })
})

const envoy = findEnvoy()
describe.skipIf(!envoy)('what Envoy takes', () => {
  test.each([['/segment'.repeat(2000)], ['/a'.repeat(4000)], [`/${'é'.repeat(4000)}*`], [`*${'x'.repeat(8000)}`], ['/{*}'.repeat(500)]])(
    'a path of any length: %.12s',
    (path) => {
      expect(refusal(envoy ?? '', rbacBootstrap({ urlPath: { path: { safeRegex: { regex: everyPathSpelling(path) } } } }))).toBe('')
    },
    30_000,
  )
})
