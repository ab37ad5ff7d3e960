/** Label selectors. */
import { type LabelSelector, matchesLabelSelector } from '@lateen/api'

export type Labels = Readonly<Record<string, string>>

/** Whether `labels` has every pair of a plain selector map (a Service's); an empty map selects nothing. */
export function matchesMap(selector: Labels | undefined, labels: Labels | undefined): boolean {
  const wanted = Object.entries(selector ?? {})
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value)
}

/** Whether `labels` fulfil a workload's selector; a missing one selects nothing. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels = {}): boolean {
  return selector !== undefined && matchesLabelSelector(selector, labels)
}
