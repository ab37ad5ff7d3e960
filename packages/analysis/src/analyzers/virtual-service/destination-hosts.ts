/** Destinations of VirtualServices: hosts and ports that are there, and subsets that gateways miss. */
import type { Analyzer, Report } from '../../analyzer.ts'
import { findServiceHost, type ServiceHost } from '../../indexes/service-hosts.ts'
import { fullName, type Resource } from '../../resource.ts'
import { groupBy, type World } from '../../world.ts'
import { mirrorDestinations, type PlacedDestination, routeDestinations } from './destinations.ts'

type VirtualService = Resource<'VirtualService'>

export const destinationHosts: Analyzer = {
  name: 'virtualservice.DestinationHostAnalyzer',
  description: 'VirtualServices that route to hosts or ports that do not exist',
  inputs: ['ServiceEntry', 'VirtualService', 'Service'],
  messages: ['ReferencedResourceNotFound', 'VirtualServiceDestinationPortSelectorRequired', 'IngressRouteRulesNotAffected'],
  analyze(world, report) {
    for (const virtualService of world.of('VirtualService')) {
      for (const placed of routeDestinations(virtualService.spec)) check(world, { virtualService, placed, reftype: 'host' }, report)
      for (const placed of mirrorDestinations(virtualService.spec)) check(world, { virtualService, placed, reftype: 'mirror host' }, report)
      checkSubsets(world, virtualService, report)
    }
  },
}

interface Place {
  readonly virtualService: VirtualService
  readonly placed: PlacedDestination
  readonly reftype: string
}

function check(world: World, { virtualService, placed: { destination, path }, reftype }: Place, report: Report): void {
  const { host = '', port } = destination
  const service = findServiceHost(world, { host, namespace: virtualService.namespace, exportTo: virtualService.spec.exportTo })
  if (!service) return report('ReferencedResourceNotFound', virtualService, { reftype, refval: host }, path)
  const problem = portProblem(service, port?.number, port !== undefined)
  if (problem === 'unclear') {
    report('VirtualServiceDestinationPortSelectorRequired', virtualService, { destHost: host, destPorts: service.ports }, path)
  } else if (problem === 'missing') {
    report('ReferencedResourceNotFound', virtualService, { reftype: 'host:port', refval: `${host}:${port?.number ?? 0}` }, path)
  }
}

function portProblem({ ports }: ServiceHost, number: number | undefined, isGiven: boolean): 'unclear' | 'missing' | undefined {
  if (!isGiven) return ports.length > 1 ? 'unclear' : undefined
  return ports.includes(number ?? 0) ? undefined : 'missing'
}

/** A route of a gateway to the whole service passes by the rules that another VirtualService has for that service's subsets. */
function checkSubsets(world: World, virtualService: VirtualService, report: Report): void {
  if ((virtualService.spec.gateways ?? []).length === 0) return
  const subsets = world.index(subsetRules)
  for (const [i, { route = [] }] of (virtualService.spec.http ?? []).entries()) {
    for (const [j, { destination }] of route.entries()) {
      if (!destination || destination.subset) continue
      for (const { rule } of subsets.get(destination.host ?? '') ?? []) {
        const args = { virtualservicesubset: fullName(rule), virtualservice: fullName(virtualService) }
        report('IngressRouteRulesNotAffected', virtualService, args, `spec.http[${i}].route[${j}].destination.host`)
      }
    }
  }
}

/** VirtualServices that route a host of their own to subsets of it, by that host. */
function subsetRules(world: World): Map<string, { readonly rule: VirtualService; readonly host: string }[]> {
  const found = world.of('VirtualService').flatMap((rule) => {
    const hosts = (rule.spec.http ?? []).flatMap(({ route = [] }) =>
      route.flatMap(({ destination }) => (destination?.subset ? [destination.host ?? ''] : [])),
    )
    return [...new Set(hosts)].filter((host) => (rule.spec.hosts ?? []).includes(host)).map((host) => ({ rule, host }))
  })
  return groupBy(found, ({ host }) => host)
}
