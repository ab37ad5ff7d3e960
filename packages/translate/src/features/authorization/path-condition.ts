/** `paths` of authorization rules. */

import type { StringMatcherInit } from '../../builders/string-match.ts'
import type { Condition, ConditionPlace, PermissionInit } from './condition.ts'
import { has, lacks } from './header-condition.ts'
import { REPLACING_PATH } from './header-spellings.ts'
import { matching, textMatcher } from './matchers.ts'
import { AMBIGUOUS_PATH, everyPathSpelling, PLAIN_PATH, PRINTABLE_PATH } from './path-spellings.ts'
import { isTemplate, pathTemplate } from './path-template.ts'

export const path: Condition = {
  side: 'permission',
  ask: (values, at) => {
    if (!at.http) return values.map(() => undefined)
    const tests = values.map((value) => pathTest(value, at))
    const spelled = at.everySpelling && tests.some((test) => test !== undefined)
    return spelled && at.strict ? [...tests, ...UNREADABLE] : tests
  },
}

const urlPath = (matcher: StringMatcherInit): PermissionInit => ({
  rule: { case: 'urlPath', value: { rule: { case: 'path', value: matcher } } },
})

/** Undefined for a template that Envoy does not take. */
function pathTest(value: string, { everySpelling, strict }: ConditionPlace): PermissionInit | undefined {
  const written = writtenPath(value)
  if (!written || !everySpelling) return written
  if (strict) return urlPath(matching(everyPathSpelling(value)))
  return { rule: { case: 'andRules', value: { rules: [written, urlPath(matching(PLAIN_PATH)), ...REPLACING_PATH.map(lacks)] } } }
}

function writtenPath(value: string): PermissionInit | undefined {
  if (!isTemplate(value)) return urlPath(textMatcher(value))
  const template = pathTemplate(value)
  return template && { rule: { case: 'uriTemplate', value: template } }
}

/** Requests of which nobody knows what path an application reads in them: they are kept out whatever path is. */
const UNREADABLE: readonly PermissionInit[] = [
  ...REPLACING_PATH.map(has),
  urlPath(matching(AMBIGUOUS_PATH)),
  { rule: { case: 'notRule', value: urlPath(matching(PRINTABLE_PATH)) } },
]
