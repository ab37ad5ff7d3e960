/** DestinationRules for hosts that are not there, and subsets without a pod. */
import type { Analyzer } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'
import { findServiceHost } from '../../indexes/service-hosts.ts'
import type { Labels } from '../../kubernetes-views.ts'
import type { World } from '../../world.ts'

export const subsetPods: Analyzer = {
  name: 'destinationrule.SubsetSelectPodAnalyzer',
  description: 'DestinationRules whose host is no service, and subsets that select no pod',
  inputs: ['DestinationRule', 'Pod', 'Service', 'ServiceEntry', 'Node'],
  messages: ['UnknownDestinationRuleHost', 'DestinationRuleSubsetNotSelectPods'],
  analyze(world, report) {
    for (const rule of world.of('DestinationRule')) {
      const { host = '', exportTo, subsets = [] } = rule.spec
      const service = findServiceHost(world, { host, namespace: rule.namespace, exportTo })
      if (!service) {
        report('UnknownDestinationRuleHost', rule, { host }, 'spec.host')
        continue
      }
      // Of subsets with one name the last counts.
      const named = new Map(subsets.map((subset, i) => [subset.name ?? '', { subset, i }]))
      for (const [name, { subset, i }] of named) {
        if (hasPod(world, { ...service.workloadLabels, ...subset.labels })) continue
        report('DestinationRuleSubsetNotSelectPods', rule, { subset: name }, `spec.subsets[${i}].name`)
      }
    }
  },
}

const REGION = 'topology.kubernetes.io/region'
const ZONE = 'topology.kubernetes.io/zone'
const SUBZONE = 'topology.istio.io/subzone'
const HOSTNAME = 'kubernetes.io/hostname'

/** A pod that is on a node has the node's place among its labels. */
function hasPod(world: World, wanted: Labels): boolean {
  const own: Record<string, string> = {}
  const place: Record<string, string> = {}
  for (const [key, value] of Object.entries(wanted)) (NODE_LABELS.has(key) ? place : own)[key] = value
  if (Object.keys(place).length === 0) return podsWith(world, own).length > 0
  return podsWith(world, own).some(({ labels, spec: { nodeName } }) => {
    const node = nodeName === '' ? undefined : world.find('Node', '', nodeName)
    return Object.entries(place).every(([key, value]) => {
      // A place without a name is none.
      const ofNode = key === HOSTNAME ? node && nodeName : node?.labels[key]
      return value !== '' && (ofNode || labels[key]) === value
    })
  })
}

const NODE_LABELS: ReadonlySet<string> = new Set([REGION, ZONE, SUBZONE, HOSTNAME])
