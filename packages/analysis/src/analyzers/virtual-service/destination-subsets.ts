/** Subsets that VirtualServices route to and no DestinationRule defines. */
import type { Analyzer } from '../../analyzer.ts'
import { serviceKey } from '../../indexes/service-hosts.ts'
import type { World } from '../../world.ts'
import { mirrorDestinations, routeDestinations } from './destinations.ts'

export const destinationSubsets: Analyzer = {
  name: 'virtualservice.DestinationRuleAnalyzer',
  description: 'VirtualServices that route to subsets that do not exist',
  inputs: ['VirtualService', 'DestinationRule'],
  messages: ['ReferencedResourceNotFound'],
  analyze(world, report) {
    const subsets = world.index(definedSubsets)
    for (const virtualService of world.of('VirtualService')) {
      const placed = [
        ...routeDestinations(virtualService.spec).map((one) => ({ ...one, reftype: 'host+subset in destinationrule' })),
        ...mirrorDestinations(virtualService.spec).map((one) => ({ ...one, reftype: 'mirror+subset in destinationrule' })),
      ]
      for (const { destination, path, reftype } of placed) {
        const { host = '', subset = '' } = destination
        if (subset === '' || subsets.has(subsetKey(serviceKey(host, virtualService.namespace), subset))) continue
        report('ReferencedResourceNotFound', virtualService, { reftype, refval: `${host}+${subset}` }, path)
      }
    }
  },
}

function definedSubsets(world: World): Set<string> {
  const rules = world.of('DestinationRule')
  return new Set(
    rules.flatMap(({ namespace, spec: { host = '', subsets = [] } }) =>
      subsets.map(({ name = '' }) => subsetKey(serviceKey(host, namespace), name)),
    ),
  )
}

const subsetKey = (service: string, subset: string): string => `${service}+${subset}`
