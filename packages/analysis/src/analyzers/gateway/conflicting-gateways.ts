/** Gateways that give the same host of the same port and address to the same workload. */
import { hasLabels, type Server } from '@lateen/api'
import type { Analyzer, Report } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'
import { selectorPath, selectorText } from '../../labels.ts'
import { fullName, type Resource } from '../../resource.ts'
import { groupBy, type World } from '../../world.ts'

type Gateway = Resource<'Gateway'>

export const conflictingGateways: Analyzer = {
  name: 'gateway.ConflictingGatewayAnalyzer',
  description: 'Gateways with the same workload, port and hosts',
  inputs: ['Gateway', 'Pod'],
  messages: ['ConflictingGateways', 'ReferencedResourceNotFound'],
  analyze(world, report) {
    for (const gateway of world.of('Gateway')) check(world, gateway, report)
  },
}

function check(world: World, gateway: Gateway, report: Report): void {
  const selector = gateway.spec.selector ?? {}
  const text = selectorText(selector)
  const related = world.index(relatedSelectors).get(text) ?? []
  // Only a gateway without servers is not among those of its own selector.
  if (text !== '' && related.length === 0) {
    report('ReferencedResourceNotFound', gateway, { reftype: 'selector', refval: text }, selectorPath('spec.selector', selector))
    return
  }
  const claims = world.index(claimsByHost)
  for (const [i, server] of (gateway.spec.servers ?? []).entries()) {
    const others = related.flatMap((one) => (server.hosts ?? []).flatMap((host) => claims.get(claimKey(one, server, host)) ?? []))
    const names = [...new Set(others.filter((other) => other !== gateway).map(fullName))].sort()
    if (names.length === 0) continue
    const args = { gateway: names.join(','), selector: text, portnumber: `${portOf(server)}`, hosts: (server.hosts ?? []).join(',') }
    report('ConflictingGateways', gateway, args, `spec.servers[${i}]`)
  }
}

const portOf = (server: Server): number => server.port?.number ?? 0
const claimKey = (selector: string, server: Server, host: string): string =>
  [selector, portOf(server), server.bind ?? '', host].join('\u0000')

function claimsByHost(world: World): Map<string, Gateway[]> {
  const claims = world.of('Gateway').flatMap((gateway) => {
    const selector = selectorText(gateway.spec.selector ?? {})
    return (gateway.spec.servers ?? []).flatMap((server) =>
      (server.hosts ?? []).map((host) => ({ gateway, key: claimKey(selector, server, host) })),
    )
  })
  return new Map([...groupBy(claims, ({ key }) => key)].map(([key, entries]) => [key, entries.map(({ gateway }) => gateway)]))
}

/** For each selector, those of gateways with servers that take a pod that it takes: itself, and wider or narrower ones. */
function relatedSelectors(world: World): Map<string, string[]> {
  const selectors = new Map(world.of('Gateway').map(({ spec }) => [selectorText(spec.selector ?? {}), spec.selector ?? {}]))
  const serving = new Set(
    world.of('Gateway').flatMap(({ spec }) => ((spec.servers ?? []).length > 0 ? [selectorText(spec.selector ?? {})] : [])),
  )
  return new Map(
    [...selectors].map(([text, selector]) => [
      text,
      [...serving].filter((other) => {
        if (other === text) return true
        const theirs = selectors.get(other) ?? {}
        const nested = hasLabels(selector, theirs) || hasLabels(theirs, selector)
        return nested && podsWith(world, { ...selector, ...theirs }).length > 0
      }),
    ]),
  )
}
