/** Rules and matches that earlier ones leave nothing for. */
import type { At } from '../../diagnostics/at.ts'
import type { StringMatch } from '../../messages/string-match.ts'
import type { HTTPMatchRequest, HTTPRoute, VirtualServiceSpec } from './virtual-service.ts'

export function checkReachable(spec: VirtualServiceSpec, at: At): void {
  checkRules(spec.tcp ?? [], at.in('tcp'))
  checkRules(spec.tls ?? [], at.in('tls'))
  checkPrefixes(spec.http ?? [], checkRules(spec.http ?? [], at.in('http')))
}

interface Rule<M> {
  readonly name?: string
  readonly match?: readonly M[]
}

/** A match that no earlier rule catches whole. */
interface OpenMatch<M> {
  readonly match: M
  readonly rule: number
  readonly at: At
}

/** A rule without a match catches everything that follows; an equal match is caught by the first. Answers the matches that are left. */
function checkRules<M extends object>(rules: readonly Rule<M>[], at: At): OpenMatch<M>[] {
  const open: OpenMatch<M>[] = []
  const seen = new Map<string, number>()
  let catchAll = false
  at.each(rules, ({ match: matches = [] }, place, rule) => {
    if (catchAll) place.say('UnreachableRule', { reason: matches.length === 0 ? SECOND_CATCH_ALL : AFTER_CATCH_ALL })
    if (matches.length === 0) catchAll = true
    if (catchAll) return
    let caught = 0
    place.in('match').each(matches, (match, here) => {
      const key = canonical({ ...match, name: undefined })
      const earlier = seen.get(key)
      if (earlier !== undefined) {
        caught++
        return here.say('IneffectiveMatch', { reason: `${ruleName(rules, earlier)} has an equal one` })
      }
      seen.set(key, rule)
      open.push({ match, rule, at: here })
    })
    if (caught === matches.length) place.say('UnreachableRule', { reason: 'earlier rules have all its matches' })
  })
  return open
}

const SECOND_CATCH_ALL = 'an earlier rule without match catches everything; give that one a match or remove this one'
const AFTER_CATCH_ALL = 'an earlier rule without match catches everything; put this rule before it'

const ruleName = (rules: readonly Rule<object>[], number: number) =>
  rules[number]?.name ? `rule "${rules[number].name}"` : `rule ${number}`

/** JSON with sorted keys, so that equal values give equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** Prefix matches that are compared with each other; what follows them is left alone rather than slow. */
const MOST_PREFIXES = 1000

/** A prefix match is caught by an earlier, shorter one, when all else that they ask for agrees. */
function checkPrefixes(rules: readonly HTTPRoute[], matches: readonly OpenMatch<HTTPMatchRequest>[]): void {
  const found = matches.filter(({ match }) => match.uri?.prefix).slice(0, MOST_PREFIXES)
  for (const [i, later] of found.entries()) {
    for (const earlier of found.slice(0, i)) {
      if (later.at.report.isFull) return
      const shorter = earlier.match.uri?.prefix ?? ''
      if (shorter === later.match.uri?.prefix || !later.match.uri?.prefix?.startsWith(shorter)) continue
      if (!sameOtherwise(earlier.match, later.match)) continue
      later.at.say('IneffectiveMatch', { reason: `the shorter prefix ${shorter} of ${ruleName(rules, earlier.rule)} catches it` })
    }
  }
}

function sameOtherwise(earlier: HTTPMatchRequest, later: HTTPMatchRequest): boolean {
  if ((earlier.port ?? 0) !== (later.port ?? 0)) return false
  const method = (match: HTTPMatchRequest) => textOf(match.method) || 'exact:GET'
  if (!method(earlier).startsWith(method(later)) || !textOf(earlier.authority).startsWith(textOf(later.authority))) return false
  return (['headers', 'queryParams', 'withoutHeaders'] as const).every((field) => sameEntries(earlier[field] ?? {}, later[field] ?? {}))
}

function sameEntries(earlier: Readonly<Record<string, StringMatch>>, later: Readonly<Record<string, StringMatch>>): boolean {
  const keys = Object.keys(earlier)
  return (
    keys.length === Object.keys(later).length &&
    keys.every((key) => Object.hasOwn(later, key) && textOf(earlier[key]).startsWith(textOf(later[key])))
  )
}

/** Regular expressions count as nothing asked: whether they overlap is not looked into. */
function textOf(match: StringMatch | undefined): string {
  if (match?.exact) return `exact:${match.exact}`
  return match?.prefix ? `prefix:${match.prefix}` : ''
}
