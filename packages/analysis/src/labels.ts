/** Labels and selectors. */
import type { LabelSelector, LabelSelectorRequirement } from '@lateen/api'
import type { Labels } from './kubernetes-views.ts'

/** Whether labels have all of a selector's; an empty selector takes everything. */
export function hasLabels(labels: Labels, selector: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
}

/** `app=web,version=v1`, in the order of the keys: how messages write a selector. */
export function selectorText(selector: Labels): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',')
}

/** Whether labels fit a Kubernetes selector; no selector takes everything. */
export function fitsSelector(labels: Labels, selector: LabelSelector | undefined): boolean {
  if (!selector) return true
  return hasLabels(labels, selector.matchLabels ?? {}) && (selector.matchExpressions ?? []).every((expression) => fits(labels, expression))
}

function fits(labels: Labels, { key, operator, values = [] }: LabelSelectorRequirement): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value)
    case 'NotIn':
      return value === undefined || !values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

/** A path to one label of a selector, for the line in which it stands: the first in the order of {@link selectorText}. */
export function selectorPath(field: string, selector: Labels): string {
  const [first] = Object.keys(selector).sort()
  return first === undefined ? field : `${field}[${JSON.stringify(first)}]`
}
