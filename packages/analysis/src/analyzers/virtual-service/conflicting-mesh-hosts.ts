/** Several VirtualServices with one host for traffic inside the mesh, where only one can count. */
import { hostsOverlap, patternsOver } from '@lateen/model'
import type { Analyzer } from '../../analyzer.ts'
import { fullHost } from '../../indexes/service-hosts.ts'
import { fullName, type Resource } from '../../resource.ts'
import { groupBy, type World } from '../../world.ts'
import { MESH_GATEWAY } from './gateways.ts'

type VirtualService = Resource<'VirtualService'>

const EVERYWHERE = '*'

export const conflictingMeshHosts: Analyzer = {
  name: 'virtualservice.ConflictingMeshGatewayHostsAnalyzer',
  description: 'VirtualServices of the mesh gateway that define the same host',
  inputs: ['VirtualService'],
  messages: ['ConflictingMeshGatewayVirtualServiceHosts'],
  analyze(world, report) {
    const claims = world.index(claimsByHost)
    const reported = new Set<VirtualService>()
    for (const key of [...claims.keys()].sort()) {
      const { scope, host, rules } = claims.get(key) ?? { scope: '', host: '', rules: [] }
      const others = scope === EVERYWHERE ? [] : claimedEverywhere(claims, host)
      const all = [...new Set([...rules, ...others])]
      if (all.length < 2) continue
      const virtualServices = all.map(fullName).sort().join(',')
      for (const rule of all) {
        if (reported.has(rule)) continue
        reported.add(rule)
        report('ConflictingMeshGatewayVirtualServiceHosts', rule, { virtualServices, host: key }, 'metadata.name')
      }
    }
  },
}

interface Claim {
  readonly scope: string
  readonly host: string
  readonly rules: readonly VirtualService[]
}

/** By `scope/host`: the scope is a namespace that sees the claim, or `*`. */
function claimsByHost(world: World): Map<string, Claim> {
  const claims = world.of('VirtualService').flatMap((rule) => {
    const { hosts = [], gateways = [], exportTo = [] } = rule.spec
    if (gateways.length > 0 && !gateways.includes(MESH_GATEWAY)) return []
    const isPublic = exportTo.length === 0 || exportTo.includes(EVERYWHERE)
    const scopes = isPublic ? [EVERYWHERE] : [...new Set(exportTo.map((scope) => (scope === '.' ? rule.namespace : scope)))]
    return scopes.flatMap((scope) => hosts.map((host) => ({ rule, scope, host: fullHost(host, rule.namespace) })))
  })
  const grouped = groupBy(claims, ({ scope, host }) => `${scope}/${host}`)
  return new Map(
    [...grouped].flatMap(([key, [first, ...rest]]) =>
      first ? [[key, { scope: first.scope, host: first.host, rules: [first, ...rest].map(({ rule }) => rule) }]] : [],
    ),
  )
}

/** The public claims of hosts that have a name in common with this one. */
function claimedEverywhere(claims: ReadonlyMap<string, Claim>, host: string): VirtualService[] {
  if (!host.startsWith('*')) return patternsOver(host).flatMap((pattern) => claims.get(`${EVERYWHERE}/${pattern}`)?.rules ?? [])
  return [...claims.values()].flatMap((claim) => (claim.scope === EVERYWHERE && hostsOverlap(claim.host, host) ? claim.rules : []))
}
