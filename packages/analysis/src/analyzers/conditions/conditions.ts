/** Conditions that the control plane wrote into objects and that are not met. */
import type { Analyzer } from '../../analyzer.ts'

const KINDS = ['Service', 'ServiceEntry', 'AuthorizationPolicy'] as const

export const conditions: Analyzer = {
  name: 'conditions.ConditionAnalyzer',
  description: 'Conditions in the status of objects that are false',
  inputs: KINDS,
  messages: ['NegativeConditionStatus'],
  analyze(world, report) {
    for (const kind of KINDS) {
      for (const resource of world.of(kind)) {
        for (const { type, status, reason, message } of resource.conditions) {
          if (status === 'False') report('NegativeConditionStatus', resource, { conditionType: type, reason, message }, 'status.conditions')
        }
      }
    }
  },
}
