/** Fields that Kubernetes' own tools always print, empty or in canonical form, so that `kube-inject` output compares equal to theirs. */
import { isRecord } from './pod.ts'
import { canonicalQuantity } from './quantity.ts'

type Fields = Readonly<Record<string, unknown>>

/** A workload as Kubernetes' tools print it. */
export function printedShape(object: Fields): Fields {
  const shaped = atContainers(object, 0)
  const spec = withoutDefaults(isRecord(shaped.spec) ? shaped.spec : {})
  switch (shaped.kind) {
    case 'Deployment':
      return { ...shaped, spec: { ...spec, strategy: spec.strategy ?? {} } }
    case 'DaemonSet':
    case 'StatefulSet':
      return { ...shaped, spec: { ...spec, updateStrategy: spec.updateStrategy ?? {} } }
    case 'DeploymentConfig':
      return {
        ...shaped,
        spec: { ...spec, strategy: { resources: {}, ...(isRecord(spec.strategy) ? spec.strategy : {}) }, test: spec.test ?? false },
      }
    case 'ReplicaSet':
    case 'ReplicationController':
      return { ...shaped, spec }
    default:
      return shaped
  }
}

/** Zero and false are left out where they are what an absent field means. */
function withoutDefaults(spec: Fields): Fields {
  return Object.fromEntries(
    Object.entries(spec).filter(([key, value]) => !(key === 'minReadySeconds' && value === 0) && !(key === 'paused' && value === false)),
  )
}

/** Where pods nest in workloads: no deeper than CronJob's spec.jobTemplate.spec.template.spec. */
const MAX_DEPTH = 6

function atContainers(value: Fields, depth: number): Fields {
  if (depth > MAX_DEPTH) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if ((key === 'containers' || key === 'initContainers') && Array.isArray(item)) return [key, item.map(printedContainer)]
      const descend = key === 'spec' || key === 'template' || key === 'jobTemplate'
      return [key, descend && isRecord(item) ? atContainers(item, depth + 1) : item]
    }),
  )
}

function printedContainer(container: unknown): unknown {
  if (!isRecord(container)) return container
  const resources = isRecord(container.resources) ? container.resources : {}
  const amounts = Object.entries(resources).map(([name, list]) => [
    name,
    isRecord(list) && name !== 'claims'
      ? Object.fromEntries(Object.entries(list).map(([key, amount]) => [key, canonicalQuantity(String(amount))]))
      : list,
  ])
  return { ...container, resources: Object.fromEntries(amounts) }
}
