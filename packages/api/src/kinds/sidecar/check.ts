/** What makes a Sidecar unusable or surely not what was meant. */
import type { At } from '../../diagnostics/at.ts'
import { checkConnectionPool } from '../../validation/connection-pool.ts'
import { checkFqdn } from '../../validation/hosts.ts'
import { checkNetworkingSelector } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkDestination } from '../virtual-service/check-l4-routes.ts'
import { checkEgress } from './check-egress.ts'
import { checkIngress } from './check-ingress.ts'
import type { OutboundTrafficPolicy, SidecarSpec } from './sidecar.ts'

export function checkSidecar({ spec, at, namespace }: Subject<SidecarSpec>): void {
  if (!checkNetworkingSelector(spec.workloadSelector, at.in('workloadSelector'))) return
  if (!spec.egress?.length && !spec.ingress?.length && !spec.outboundTrafficPolicy && !spec.inboundConnectionPool)
    return at.say('SidecarEmpty')
  checkIngress(spec.ingress, at.in('ingress'))
  checkConnectionPool(spec.inboundConnectionPool, at.in('inboundConnectionPool'))
  checkEgress(spec.egress, at.in('egress'), namespace)
  checkOutboundPolicy(spec.outboundTrafficPolicy, at.in('outboundTrafficPolicy'))
}

function checkOutboundPolicy(policy: OutboundTrafficPolicy | undefined, at: At): void {
  const proxy = policy?.egressProxy
  if (!proxy) return
  const place = at.in('egressProxy')
  if (policy.mode !== 'ALLOW_ANY') return place.say('EgressProxyMode')
  const usable = checkFqdn(proxy.host ?? '', place.in('host'))
  if (!proxy.port) return place.in('port').say('EgressProxyPort')
  if (usable) checkDestination(proxy, place)
}
