/** Routes by token claims at gateways where no token is read. */
import { hasLabels, type VirtualServiceSpec } from '@lateen/api'
import type { Analyzer } from '../../analyzer.ts'
import { podsWith } from '../../indexes/pods.ts'
import { fullName, type Resource } from '../../resource.ts'
import type { World } from '../../world.ts'
import { gatewayRef } from './gateways.ts'

export const jwtClaimRoutes: Analyzer = {
  name: 'virtualservice.JWTClaimRouteAnalyzer',
  description: 'VirtualServices that route by token claims without a RequestAuthentication',
  inputs: ['VirtualService', 'RequestAuthentication', 'Gateway', 'Pod'],
  messages: ['JwtClaimBasedRoutingWithoutRequestAuthN'],
  analyze(world, report) {
    for (const virtualService of world.of('VirtualService')) {
      const key = claimKey(virtualService.spec)
      if (key === undefined) continue
      for (const name of virtualService.spec.gateways ?? []) {
        const ref = gatewayRef(name, virtualService.namespace)
        const gateway = world.find('Gateway', ref.namespace, ref.name)
        if (!gateway) continue
        for (const pod of podsWith(world, gateway.spec.selector ?? {})) {
          if (readsTokens(world, pod)) continue
          report('JwtClaimBasedRoutingWithoutRequestAuthN', virtualService, { key, gateway: fullName(ref), pod: pod.name }, 'spec.http')
        }
      }
    }
  },
}

function claimKey({ http = [] }: VirtualServiceSpec): string | undefined {
  const keys = http.flatMap(({ match = [] }) =>
    match.flatMap(({ headers = {}, withoutHeaders = {} }) => [...Object.keys(headers), ...Object.keys(withoutHeaders)]),
  )
  return keys.find((key) => /^@request\.auth\.claims[.[]/i.test(key))
}

function readsTokens(world: World, pod: Resource<'Pod'>): boolean {
  const namespaces = new Set(['istio-system', pod.namespace])
  return [...namespaces].some((namespace) =>
    world.in('RequestAuthentication', namespace).some(({ spec }) => hasLabels(pod.labels, spec.selector?.matchLabels ?? {})),
  )
}
