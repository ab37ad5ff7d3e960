/** Label selectors, as Kubernetes evaluates them. */

/** An untrusted one: whoever wrote it may have used an operator that does not exist. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly LabelSelectorRequirement[]
}

export interface LabelSelectorRequirement {
  readonly key: string
  /** `In`, `NotIn`, `Exists` or `DoesNotExist`. */
  readonly operator: string
  readonly values?: readonly string[]
}

type Labels = Readonly<Record<string, string>>

/** Whether labels have each of these, with these values; no labels at all are in everything. */
export function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
}

/** Whether labels satisfy every requirement: an empty selector is satisfied by all, one with an unknown operator by none. */
export function matchesLabelSelector(selector: LabelSelector, labels: Labels): boolean {
  return (
    hasLabels(labels, selector.matchLabels ?? {}) &&
    (selector.matchExpressions ?? []).every((requirement) =>
      satisfiesRequirement(requirement, Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined),
    )
  )
}

/** Whether the value of the label, if there is one, is as required. */
export function satisfiesRequirement({ operator, values = [] }: Omit<LabelSelectorRequirement, 'key'>, value: string | undefined): boolean {
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
      return false
  }
}
