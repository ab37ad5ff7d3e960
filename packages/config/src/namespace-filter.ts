/** MeshConfig's `discoverySelectors`: which namespaces the mesh looks into. */

import { type LabelSelector, matchesLabelSelector } from '@lateen/api'

/** No selector selects every namespace; else one that matches is enough. The root namespace always belongs to the mesh. */
export function selectsNamespace(selectors: readonly LabelSelector[], labels: Readonly<Record<string, string>>): boolean {
  return selectors.length === 0 || selectors.some((selector) => matchesLabelSelector(selector, labels))
}
