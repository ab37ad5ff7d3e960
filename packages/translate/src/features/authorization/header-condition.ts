/** What authorization rules ask of headers: `hosts`, `methods`, and `request.headers[..]`. */
import type { StringMatcherInit } from '../../builders/string-match.ts'
import { type Condition, type ConditionPlace, type PermissionInit, type PrincipalInit, permission } from './condition.ts'
import { anotherValue, everyNameSpelling, everyValueSpelling, ONE_HOST, REPLACING_METHOD, SEVERAL_VALUES } from './header-spellings.ts'
import { type HeaderMatcherInit, headerMatcher, hostMatcher, matching, textMatcher } from './matchers.ts'
import { everyPathSpelling, PLAIN_PATH } from './path-spellings.ts'

export const host = permission((value, at) => {
  if (!at.http) return undefined
  const rules = hostTests(value, at).map(asks)
  return rules.length === 1 ? rules[0] : { rule: { case: 'andRules', value: { rules } } }
})

export const method: Condition = {
  side: 'permission',
  ask: (values, at) => {
    if (!at.http) return values.map(() => undefined)
    const tests = values.map((value) => asks(methodMatcher(value, at)))
    if (!at.everySpelling) return tests
    if (at.strict) return [...tests, ...REPLACING_METHOD.flatMap((name) => spelled(name, values).map(asks))]
    return tests.map((test) => ({ rule: { case: 'andRules', value: { rules: [test, ...REPLACING_METHOD.map(lacks)] } } }))
  },
}

const asks = (matcher: HeaderMatcherInit): PermissionInit => ({ rule: { case: 'header', value: matcher } })
/** A request with the header, whatever it says. */
export const has = (name: string): PermissionInit => asks(headerMatcher(name, '*'))
/** A request without the header. */
export const lacks = (name: string): PermissionInit => ({ rule: { case: 'notRule', value: has(name) } })

/** One header of a request; its names and values are those of HTTP, or of HTTP/2 where the name begins with a colon. */
export function headerCondition(brackets: string, matcherOf: (name: string, value: string) => HeaderMatcherInit): Condition {
  const name = /^\[([^[\]]+)\]$/.exec(brackets)?.[1]
  return {
    side: 'principal',
    ask: (values, at) => {
      if (!at.http || name === undefined || !HEADER_NAME.test(name)) return values.map(() => undefined)
      if (!at.everySpelling || values.length === 0) return values.map((value) => id(matcherOf(name, value)))
      const own = SPELLED.get(name.toLowerCase())
      if (own) return values.map((value) => all(own(value, at).map(id)))
      return at.strict ? everySpelling(name, values) : values.map((value) => plainly(name, value))
    },
  }
}

/** Envoy refuses others, and with them the listener. */
const HEADER_NAME = /^:?[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const id = (matcher: HeaderMatcherInit): PrincipalInit => ({ identifier: { case: 'header', value: matcher } })
const not = (inner: PrincipalInit): PrincipalInit => ({ identifier: { case: 'notId', value: inner } })
function all(ids: readonly PrincipalInit[]): PrincipalInit {
  const [only, ...more] = ids
  return only && more.length === 0 ? only : { identifier: { case: 'andIds', value: { ids: [...ids] } } }
}

function everySpelling(name: string, values: readonly string[]): readonly (PrincipalInit | undefined)[] {
  const names = everyNameSpelling(name)
  if (!names) return [undefined]
  return names.flatMap((each) => (values.includes('*') ? [headerMatcher(each, '*')] : spelled(each, values)).map(id))
}

/** As it is written, once, and without another header that may be taken for it. */
function plainly(name: string, value: string): PrincipalInit | undefined {
  const names = everyNameSpelling(name)
  if (!names) return undefined
  const others = names.filter((each) => each !== name.toLowerCase()).map((each) => headerMatcher(each, '*'))
  const unlike = value === '*' ? [] : [anotherValue(name, value), fits(name, SEVERAL_VALUES)]
  return all([id(headerMatcher(name, value)), ...[...others, ...unlike].map((matcher) => not(id(matcher)))])
}

/** What a request is addressed to, when it is asked for as a header. */
const SPELLED: ReadonlyMap<string, (value: string, at: ConditionPlace) => readonly HeaderMatcherInit[]> = new Map([
  [':authority', hostTests],
  ['host', hostTests],
  [':method', (value: string, at: ConditionPlace) => [methodMatcher(value, at)]],
  [':path', pathTests],
])

function hostTests(value: string, { strict, everySpelling }: ConditionPlace): readonly HeaderMatcherInit[] {
  const asked = hostMatcher(value, strict)
  return everySpelling && !strict ? [asked, fits(':authority', ONE_HOST)] : [asked]
}

function methodMatcher(value: string, { strict, everySpelling }: ConditionPlace): HeaderMatcherInit {
  if (!everySpelling || !strict || value === '*') return headerMatcher(':method', value)
  return matches(':method', { ...textMatcher(value), ignoreCase: true })
}

/** A path with its query; one that a policy writes with a query is taken as it is written. */
function pathTests(value: string, { strict }: ConditionPlace): readonly HeaderMatcherInit[] {
  const written = headerMatcher(':path', value)
  if (!strict) return [written, fits(':path', `${PLAIN_PATH}(?:\\?.*)?`)]
  return value.includes('?') || value === '*' ? [written] : [fits(':path', everyPathSpelling(value))]
}

const matches = (name: string, value: StringMatcherInit): HeaderMatcherInit => ({
  name,
  headerMatchSpecifier: { case: 'stringMatch', value },
})
const spelled = (name: string, values: readonly string[]): readonly HeaderMatcherInit[] =>
  everyValueSpelling(values).map((value) => matches(name, value))
const fits = (name: string, regex: string): HeaderMatcherInit => matches(name, matching(regex))
