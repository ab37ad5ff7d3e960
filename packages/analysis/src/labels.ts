/** Labels and selectors. */
import type { Labels } from './kubernetes-views.ts'

/** `app=web,version=v1`, in the order of the keys: how messages write a selector. */
export function selectorText(selector: Labels): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',')
}

/** A path to one label of a selector, for the line in which it stands: the first in the order of {@link selectorText}. */
export function selectorPath(field: string, selector: Labels): string {
  const [first] = Object.keys(selector).sort()
  return first === undefined ? field : `${field}[${JSON.stringify(first)}]`
}
