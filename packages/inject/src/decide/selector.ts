/** Kubernetes label selectors. */
import type { LabelSelector } from '../settings/injector-config.ts'

/** Whether the selector matches; `undefined` when it has an operator that does not exist. An empty selector matches everything. */
export function selectorMatches(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean | undefined {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (labels[key] !== value) return false
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined
    const matches = expression(operator, value, values)
    if (!matches) return matches
  }
  return true
}

/** Whether a selector selects at all; an empty one would match every pod and is ignored where that is never meant. */
export function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0
}

function expression(operator: string, value: string | undefined, values: readonly string[]): boolean | undefined {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    default:
      return undefined
  }
}
