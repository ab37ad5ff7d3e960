/** Label and field selectors: parsing their query texts, and matching. */
import { satisfiesRequirement } from '@lateen/api'
import { badRequest } from './errors.ts'
import { at, isObj, list, type Obj, obj, objs, str, strings } from './values.ts'

export interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt'
  readonly values: readonly string[]
}

const MAX_TEXT = 64 * 1024

/** @throws StatusError when the text is not a label selector */
export function parseLabelSelector(text: string): Requirement[] {
  if (text.length > MAX_TEXT) throw badRequest('the label selector is longer than 64 KiB')
  const result: Requirement[] = []
  let rest = text.trim()
  while (rest !== '') {
    const set = /^([^\s,=!()]+)\s+(in|notin)\s*\(([^()]*)\)\s*(?:,\s*|$)/.exec(rest)
    const other = /^(!?)\s*([^\s,=!()<>]+)\s*(?:(==|=|!=|>|<)\s*([^\s,()]*))?\s*(?:,\s*|$)/.exec(rest)
    if (set) {
      const values = (set[3] ?? '').split(',').map((v) => v.trim())
      result.push({ key: set[1] ?? '', operator: set[2] === 'in' ? 'In' : 'NotIn', values })
      rest = rest.slice(set[0].length)
    } else if (other) {
      const [whole, not, key = '', operator, value = ''] = other
      if (not && operator) throw badRequest(`unable to parse requirement: found '${operator}', expected: ',' or 'end of string'`)
      if (!operator) result.push({ key, operator: not ? 'DoesNotExist' : 'Exists', values: [] })
      else
        result.push({
          key,
          operator: operator === '!=' ? 'NotIn' : operator === '>' ? 'Gt' : operator === '<' ? 'Lt' : 'In',
          values: [value],
        })
      rest = rest.slice(whole.length)
    } else {
      throw badRequest(`unable to parse requirement: found '${rest.slice(0, 60)}', expected: identifier`)
    }
  }
  for (const { key, values } of result) {
    if (!/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(key)) {
      throw badRequest(
        `unable to parse requirement: <nil>: Invalid value: "${key}": a label key consists of alphanumeric characters, '-', '_' or '.', with an optional DNS prefix and '/'`,
      )
    }
    for (const value of values) {
      if (!/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(value)) {
        throw badRequest(
          `unable to parse requirement: values[0][${key}]: Invalid value: "${value}": a label value has at most 63 alphanumeric characters, '-', '_' or '.'`,
        )
      }
    }
  }
  return result
}

/** A LabelSelector object (`matchLabels`, `matchExpressions`) as requirements. */
export function requirementsOf(selector: unknown): Requirement[] {
  const { matchLabels, matchExpressions } = obj(selector)
  const equals: Requirement[] = Object.entries(strings(matchLabels)).map(([key, value]) => ({ key, operator: 'In', values: [value] }))
  const others = objs(matchExpressions).map((e): Requirement => {
    const operator = str(e['operator'])
    return {
      key: str(e['key']),
      operator: operator === 'In' || operator === 'NotIn' || operator === 'Exists' ? operator : 'DoesNotExist',
      values: list(e['values']).map(str),
    }
  })
  return [...equals, ...others]
}

export function matches(requirements: readonly Requirement[], labels: unknown): boolean {
  const has = isObj(labels) ? labels : {}
  return requirements.every((requirement) =>
    holds(requirement, Object.hasOwn(has, requirement.key) ? str(has[requirement.key]) : undefined),
  )
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0])
    default:
      return satisfiesRequirement({ operator, values }, value)
  }
}

export interface FieldRequirement {
  readonly path: string
  readonly equals: boolean
  readonly value: string
}

/** @throws StatusError when the text is not a field selector, or names a field that cannot be selected by */
export function parseFieldSelector(text: string, supported: readonly string[]): FieldRequirement[] {
  if (text.length > MAX_TEXT) throw badRequest('the field selector is longer than 64 KiB')
  return text
    .split(/(?<!\\),/)
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^([^=!]+)(!=|==|=)(.*)$/.exec(part)
      if (!match) throw badRequest(`invalid selector: '${part}'; can't understand '${part}'`)
      const path = match[1] ?? ''
      if (!supported.includes(path)) throw badRequest(`field label not supported: ${path}`)
      return { path, equals: match[2] !== '!=', value: (match[3] ?? '').replace(/\\(.)/g, '$1') }
    })
}

export function matchesFields(requirements: readonly FieldRequirement[], object: Obj): boolean {
  return requirements.every(({ path, equals, value }) => {
    const found = at(object, ...path.split('.'))
    const text = found === undefined || found === null ? '' : String(found)
    return (text === value) === equals
  })
}
