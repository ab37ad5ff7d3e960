/** Kinds served in more than one shape: events of both groups, and autoscaling/v1. */
import type { Kind } from '../registry/kind.ts'
import { copy, list, type Obj, obj, objs } from '../values.ts'

/** Names in core/v1 on the left, in events.k8s.io/v1 on the right. */
const EVENT_FIELDS: ReadonlyArray<readonly [string, string]> = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
]

function renamed(object: Obj, apiVersion: string, pairs: ReadonlyArray<readonly [string, string]>): Obj {
  const names = new Map(pairs)
  const result: Obj = {}
  for (const [field, value] of Object.entries(object)) result[names.get(field) ?? field] = value
  result['apiVersion'] = apiVersion
  return result
}

const events: NonNullable<Kind['convert']> = {
  toStored: (object) =>
    renamed(
      object,
      'v1',
      EVENT_FIELDS.map(([core, other]) => [other, core]),
    ),
  fromStored: (object) => renamed(object, 'events.k8s.io/v1', EVENT_FIELDS),
}

const autoscaler: NonNullable<Kind['convert']> = {
  toStored: (object) => {
    const result = { ...copy(object), apiVersion: 'autoscaling/v2' }
    const spec: Obj = { ...obj(object['spec']) }
    const target = spec['targetCPUUtilizationPercentage']
    delete spec['targetCPUUtilizationPercentage']
    if (typeof target === 'number')
      spec['metrics'] = [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: target } } }]
    const status: Obj = { ...obj(object['status']) }
    delete status['currentCPUUtilizationPercentage']
    return { ...result, spec, ...(object['status'] === undefined ? {} : { status }) }
  },
  fromStored: (object) => {
    const { metrics, behavior: _behavior, ...spec } = obj(object['spec'])
    const { currentMetrics, conditions: _conditions, ...status } = obj(object['status'])
    const cpu = objs(list(metrics)).find((m) => obj(m['resource'])['name'] === 'cpu')
    const target = obj(obj(obj(cpu)['resource'])['target'])['averageUtilization']
    const now = obj(obj(obj(objs(currentMetrics).find((m) => obj(m['resource'])['name'] === 'cpu'))['resource'])['current'])[
      'averageUtilization'
    ]
    return {
      ...object,
      apiVersion: 'autoscaling/v1',
      spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
      ...(object['status'] === undefined
        ? {}
        : { status: { ...status, ...(now === undefined ? {} : { currentCPUUtilizationPercentage: now }) } }),
    }
  },
}

/** The conversion of a definition that is not stored as it is. */
export function conversionOf(definition: string): Kind['convert'] {
  if (definition === 'events.v1.Event') return events
  if (definition === 'autoscaling.v1.HorizontalPodAutoscaler') return autoscaler
  return undefined
}
