/** Rules and matches that earlier ones leave nothing for. */
import type { At } from '../../diagnostics/at.ts'
import type { StringMatch } from '../../messages/string-match.ts'
import type { HTTPMatchRequest, VirtualServiceSpec } from './virtual-service.ts'

interface Rule {
  readonly name?: string
  readonly match?: readonly object[]
}

export function checkReachable(spec: VirtualServiceSpec, at: At): void {
  for (const field of ['http', 'tcp', 'tls'] as const) checkRules(spec[field] ?? [], at.in(field))
  checkPrefixes(spec, at.in('http'))
}

/** A rule without a match catches everything; an equal match is caught by the first. */
function checkRules(rules: readonly Rule[], at: At): void {
  const seen = new Map<string, number>()
  let catchAll = false
  at.each(rules, (rule, place, number) => {
    if (!rule.match?.length) {
      if (catchAll)
        place.say('UnreachableRule', {
          reason: 'an earlier rule without match catches everything; give that one a match or remove this one',
        })
      catchAll = true
      return
    }
    let caught = 0
    place.in('match').each(rule.match, (match, here) => {
      const key = canonical({ ...match, name: undefined })
      const earlier = seen.get(key)
      if (earlier === undefined) return seen.set(key, number)
      caught++
      return here.say('IneffectiveMatch', { reason: `${ruleName(rules, earlier)} has an equal one` })
    })
    if (caught === rule.match.length) place.say('UnreachableRule', { reason: 'earlier rules have all its matches' })
  })
}

const ruleName = (rules: readonly Rule[], number: number) => (rules[number]?.name ? `rule "${rules[number].name}"` : `rule ${number}`)

/** JSON with sorted keys, so that equal values give equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

/** Most pairs of prefix matches that are compared; larger objects are left alone rather than slow. */
const MOST_PREFIXES = 1000

/** A prefix match is caught by an earlier, shorter one, when all else that they ask for agrees. */
function checkPrefixes(spec: VirtualServiceSpec, at: At): void {
  const found = (spec.http ?? []).flatMap((route, r) =>
    (route.match ?? []).flatMap((match, m) =>
      match.uri?.prefix ? [{ match, prefix: match.uri.prefix, rule: r, at: at.at(r).in('match').at(m) }] : [],
    ),
  )
  for (const [i, later] of found.slice(0, MOST_PREFIXES).entries()) {
    for (const earlier of found.slice(0, i)) {
      if (earlier.prefix !== later.prefix && later.prefix.startsWith(earlier.prefix) && sameOtherwise(earlier.match, later.match)) {
        later.at.say('IneffectiveMatch', {
          reason: `the shorter prefix ${earlier.prefix} of ${ruleName(spec.http ?? [], earlier.rule)} catches it`,
        })
      }
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
    keys.every((key) => later[key] !== undefined && textOf(earlier[key]).startsWith(textOf(later[key])))
  )
}

/** Regular expressions count as nothing asked: whether they overlap is not looked into. */
function textOf(match: StringMatch | undefined): string {
  if (match?.exact) return `exact:${match.exact}`
  return match?.prefix ? `prefix:${match.prefix}` : ''
}
