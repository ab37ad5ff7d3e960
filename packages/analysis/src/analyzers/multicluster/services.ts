/** Services with one name that differ from cluster to cluster. */
import type { Analyzer } from '../../analyzer.ts'
import { fullName, type Resource } from '../../resource.ts'
import { groupBy } from '../../world.ts'

type Service = Resource<'Service'>

export const multiclusterServices: Analyzer = {
  name: 'services.MultiClusterServiceAnalyzer',
  description: 'Services that differ between clusters',
  inputs: ['Service'],
  messages: ['MultiClusterInconsistentService'],
  analyze(world, report) {
    const live = world.inEveryCluster('Service').filter(({ origin }) => origin.cluster !== undefined)
    for (const services of groupBy(live, fullName).values()) {
      const [first, ...others] = services
      if (!first || others.length === 0) continue
      const differing = others.filter((other) => differences(first, other).length > 0)
      if (differing.length === 0) continue
      const reasons = [...new Set(differing.flatMap((other) => differences(first, other)))].sort()
      const isMixed = reasons.includes(MIXED)
      const clusters = (isMixed ? services : [first, ...differing]).map(({ origin }) => origin.cluster ?? '').sort()
      const { name, namespace } = first
      report('MultiClusterInconsistentService', first, { serviceName: name, namespace, clusters, error: reasons.join('; ') })
    }
  },
}

const MIXED = 'headless in one cluster and not in another'

function differences(a: Service, b: Service): string[] {
  return [
    ...((a.spec.clusterIP === 'None') === (b.spec.clusterIP === 'None') ? [] : [MIXED]),
    ...(a.spec.type === b.spec.type ? [] : ['the types differ']),
    ...(portsText(a) === portsText(b) ? [] : ['the ports differ']),
  ]
}

function portsText({ spec }: Service): string {
  return JSON.stringify([...spec.ports].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)))
}
