/** Pods by their labels: a selector looks at the pods with its rarest label only. */
import { hasLabels } from '@lateen/api'
import type { Labels } from '../kubernetes-views.ts'
import type { Resource } from '../resource.ts'
import { groupBy, type World } from '../world.ts'

type Pod = Resource<'Pod'>

/** The pods that a selector takes, in all namespaces or in one; an empty selector takes all. */
export function podsWith(world: World, selector: Labels, namespace?: string): readonly Pod[] {
  const entries = Object.entries(selector)
  const all = namespace === undefined ? world.of('Pod') : world.in('Pod', namespace)
  const index = world.index(byLabel)
  let candidates = all
  for (const [key, value] of entries) {
    const labelled = index.get(labelKey(key, value)) ?? []
    if (labelled.length < candidates.length) candidates = labelled
  }
  return candidates.filter((pod) => (namespace === undefined || pod.namespace === namespace) && hasLabels(pod.labels, selector))
}

function byLabel(world: World): Map<string, Pod[]> {
  const labelled = world.of('Pod').flatMap((pod) => Object.entries(pod.labels).map(([key, value]) => ({ pod, key: labelKey(key, value) })))
  return new Map([...groupBy(labelled, ({ key }) => key)].map(([key, entries]) => [key, entries.map(({ pod }) => pod)]))
}

const labelKey = (key: string, value: string): string => `${key}=${value}`
