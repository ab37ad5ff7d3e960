/** Fields and kinds that are going away or have gone. */
import type { Analyzer } from '../../analyzer.ts'

/** Kinds of RBAC before AuthorizationPolicy. */
const REMOVED = new Set(['ClusterRbacConfig', 'RbacConfig', 'ServiceRole', 'ServiceRoleBinding'])
const REMOVED_GROUP = 'rbac.istio.io'

export const deprecation: Analyzer = {
  name: 'deprecation.DeprecationAnalyzer',
  description: 'Deprecated fields and kinds of Istio',
  inputs: ['VirtualService', 'Sidecar', 'CustomResourceDefinition'],
  messages: ['Deprecated'],
  analyze(world, report) {
    for (const virtualService of world.of('VirtualService')) {
      for (const [i, { fault }] of (virtualService.spec.http ?? []).entries()) {
        if ((fault?.delay?.percent ?? 0) <= 0) continue
        const detail = 'HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage'
        report('Deprecated', virtualService, { detail }, `spec.http[${i}].fault.delay.percent`)
      }
    }
    for (const sidecar of world.of('Sidecar')) {
      if (!sidecar.spec.outboundTrafficPolicy?.egressProxy) continue
      report('Deprecated', sidecar, { detail: 'OutboundTrafficPolicy.EgressProxy ignored' }, 'spec.outboundTrafficPolicy.egressProxy')
    }
    for (const crd of world.of('CustomResourceDefinition')) {
      const { group, kind } = crd.spec
      if (group === REMOVED_GROUP && REMOVED.has(kind))
        report('Deprecated', crd, { detail: `Custom resource type ${group} ${kind} is removed` })
    }
  },
}
