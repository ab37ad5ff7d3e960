/** The two ways to say which workloads an object concerns. */
import { map, message, type Static, text } from '../schema/define.ts'
import type { CelRule } from '../schema/node.ts'

const NO_WILDCARD_VALUE: CelRule = { rule: "!self.contains('*')", message: 'a label value has no wildcards: "*" is not supported' }
const LABEL_KEYS: readonly CelRule[] = [
  { rule: "self.all(key, !key.contains('*'))", message: 'a label key has no wildcards: "*" is not supported' },
  { rule: 'self.all(key, key.size() != 0)', message: 'a label key must not be empty' },
]

/** Selects workloads in the policy's namespace (all namespaces in the root namespace) by their labels. */
export const WorkloadSelector = message('WorkloadSelector', {
  matchLabels: map(
    text(undefined, { maxLength: 63, rules: [NO_WILDCARD_VALUE] }),
    'Labels that a workload must all carry; empty selects every workload.',
    {
      maxProperties: 4096,
      rules: LABEL_KEYS,
    },
  ),
})
export interface WorkloadSelector extends Static<typeof WorkloadSelector> {}

/** The networking API's selector: the same, under the name `labels`. */
export const NetworkingWorkloadSelector = message('NetworkingWorkloadSelector', {
  labels: map(
    text(undefined, { maxLength: 63, rules: [NO_WILDCARD_VALUE] }),
    'Labels that a workload must all carry; empty selects every workload.',
    {
      maxProperties: 256,
    },
  ),
})
export interface NetworkingWorkloadSelector extends Static<typeof NetworkingWorkloadSelector> {}
