/** What makes a VirtualService unusable or surely not what was meant. */
import type { At } from '../../diagnostics/at.ts'
import { isIp } from '../../validation/addresses.ts'
import { checkExportTo } from '../../validation/export-to.ts'
import { isClaimHeader } from '../../validation/headers.ts'
import { checkGatewayHost, checkWildcardHost, hostsOverlap } from '../../validation/hosts.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkHttpRoute } from './check-http-route.ts'
import { checkGatewayNames, checkTcpRoute, checkTlsRoute } from './check-l4-routes.ts'
import { checkReachable } from './check-reachable.ts'
import type { VirtualServiceSpec } from './virtual-service.ts'

/** Set on objects that were made from Gateway API routes: they name backends in a form of their own. */
const ROUTE_SEMANTICS = 'internal.istio.io/route-semantics'

export function checkVirtualService({ spec, at, namespace, annotations }: Subject<VirtualServiceSpec>): void {
  const hosts = spec.hosts ?? []
  const gateways = spec.gateways ?? []
  const fromGatewayApi = annotations[ROUTE_SEMANTICS] === 'gateway'
  const isDelegate = hosts.length === 0
  if (isDelegate) {
    for (const field of ['gateways', 'tls', 'tcp'] as const) if (spec[field]?.length) at.in(field).say('DelegateWith', { field })
  }
  checkGatewayNames(gateways, at.in('gateways'), { fromGatewayApi })
  const atGateway = gateways.length > 0 && !gateways.includes('mesh')
  if (!atGateway) checkNoClaims(spec, at)
  checkHosts(spec, at, atGateway)
  if (!spec.http?.length && !spec.tcp?.length && !spec.tls?.length) at.say('NoRoutes')
  at.in('http').each(spec.http, (route, place) => {
    checkHttpRoute(route, place, { isDelegate, fromGatewayApi })
  })
  at.in('tls').each(spec.tls, (route, place) => {
    checkTlsRoute(route, place, { hosts, atGateway: gateways.length === 0 || atGateway, fromGatewayApi })
  })
  at.in('tcp').each(spec.tcp, (route, place) => {
    checkTcpRoute(route, place, { fromGatewayApi })
  })
  checkExportTo(spec.exportTo, at.in('exportTo'), { namespace })
  checkReachable(spec, at)
}

/** Claims of a token are known only where tokens are checked before routing: at gateways. */
function checkNoClaims(spec: VirtualServiceSpec, at: At): void {
  at.in('http').each(spec.http, (route, place) => {
    place.in('match').each(route.match, (match, here) => {
      for (const field of ['headers', 'withoutHeaders'] as const) {
        here.in(field).entries(match[field], (_, header, name) => {
          if (isClaimHeader(name)) header.say('ClaimNeedsGateway', { name })
        })
      }
    })
  })
}

function checkHosts(spec: VirtualServiceSpec, at: At, atGateway: boolean): void {
  const hosts = spec.hosts ?? []
  const sni = (spec.tls ?? []).some(({ match }) => match?.some(({ sniHosts }) => sniHosts?.length))
  let usable = true
  at.in('hosts').each(hosts, (host, place) => {
    if (isIp(host)) return
    if (!(atGateway ? checkGatewayHost(host, place, { sni }) : checkWildcardHost(host, place))) usable = false
    else if (host === '*' && !atGateway) {
      place.say('MeshWildcard')
      usable = false
    }
  })
  if (!usable) return
  at.in('hosts').each(hosts, (host, place, i) => {
    const other = hosts.slice(0, i).find((earlier) => hostsOverlap(earlier, host))
    if (other !== undefined) place.say('HostsOverlap', { first: other, second: host })
  })
}
