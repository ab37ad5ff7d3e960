/** `paths` of authorization rules. */

import type { StringMatcherInit } from '../../builders/string-match.ts'
import type { Condition, ConditionPlace, PermissionInit } from './condition.ts'
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
  return { rule: { case: 'andRules', value: { rules: [written, urlPath(matching(PLAIN_PATH))] } } }
}

function writtenPath(value: string): PermissionInit | undefined {
  if (!isTemplate(value)) return urlPath(textMatcher(value))
  const template = pathTemplate(value)
  return template && { rule: { case: 'uriTemplate', value: template } }
}

/** Nobody knows what an application makes of them, so they are kept out whatever is. */
const UNREADABLE: readonly PermissionInit[] = [
  urlPath(matching(AMBIGUOUS_PATH)),
  { rule: { case: 'notRule', value: urlPath(matching(PRINTABLE_PATH)) } },
]
