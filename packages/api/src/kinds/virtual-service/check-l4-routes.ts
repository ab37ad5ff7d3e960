/** The checks of TLS and TCP routes, and of what all routes share: destinations, weights, names of gateways. */
import type { At } from '../../diagnostics/at.ts'
import type { Destination } from '../../messages/destination.ts'
import { checkIpOrCidr, checkPort, isIp } from '../../validation/addresses.ts'
import { checkFqdn, checkGatewayHost, checkWildcardHost, hostWithin, isDnsLabel } from '../../validation/hosts.ts'
import { checkLabels } from '../../validation/values.ts'
import type { L4MatchAttributes, TCPRoute, TLSMatchAttributes, TLSRoute } from './virtual-service.ts'

interface TlsOptions {
  readonly hosts: readonly string[]
  readonly atGateway: boolean
  readonly fromGatewayApi: boolean
}

export function checkTlsRoute(route: TLSRoute, at: At, options: TlsOptions): void {
  if (!route.match?.length) at.in('match').say('TlsMatchMissing')
  at.in('match').each(route.match, (match, place) => {
    checkTlsMatch(match, place, options)
  })
  checkRoute(route, at, options)
}

function checkTlsMatch(match: TLSMatchAttributes, at: At, options: TlsOptions): void {
  if (!match.sniHosts?.length) at.in('sniHosts').say('SniMissing')
  at.in('sniHosts').each(match.sniHosts, (host, place) => {
    checkSniHost(host, place, options)
  })
  checkConnection(match, at)
}

function checkSniHost(host: string, at: At, { hosts, atGateway }: TlsOptions): void {
  if (isIp(host)) return at.say('SniIp', { host })
  if (!(atGateway ? checkGatewayHost(host, at, { sni: true }) : checkWildcardHost(host, at))) return
  if (!hosts.some((own) => hostWithin(host, own))) at.say('SniOutside', { host, hosts: hosts.join(', ') })
}

export function checkTcpRoute(route: TCPRoute, at: At, options: { readonly fromGatewayApi: boolean }): void {
  at.in('match').withoutWarnings().each(route.match, checkConnection)
  checkRoute(route, at, options)
}

function checkConnection(match: TLSMatchAttributes | L4MatchAttributes, at: At): void {
  at.in('destinationSubnets').each(match.destinationSubnets, checkIpOrCidr)
  if (match.port) checkPort(match.port, at.in('port'))
  checkLabels(match.sourceLabels, at.in('sourceLabels'))
  checkGatewayNames(match.gateways, at.in('gateways'), { fromGatewayApi: false })
}

function checkRoute({ route }: TLSRoute | TCPRoute, at: At, { fromGatewayApi }: { readonly fromGatewayApi: boolean }): void {
  if (!route?.length) at.in('route').say('RouteActionMissing')
  at.in('route').each(route, ({ destination }, place) => {
    if (!destination) place.in('destination').say('DestinationMissing')
    if (!fromGatewayApi) checkDestination(destination, place.in('destination'))
  })
  checkWeights(route, at.in('route'))
}

export function checkDestination(destination: Destination | undefined, at: At): void {
  if (!destination) return
  const { host = '', subset, port } = destination
  if (host === '*') at.in('host').say('WildcardDestination', { host })
  else checkWildcardHost(host, at.in('host'))
  if (subset && !isDnsLabel(subset)) at.in('subset').say('BadLabelName', { name: subset })
  if (port) checkPort(port.number, at.in('port', 'number'))
}

export function checkWeights(routes: readonly { readonly weight?: number }[] | undefined, at: At): void {
  at.each(routes, ({ weight }, place) => {
    if (weight !== undefined && weight < 0) place.in('weight').say('NegativeNumber', { value: weight })
  })
  if (routes && routes.length > 1 && routes.reduce((sum, { weight = 0 }) => sum + weight, 0) === 0) at.say('ZeroWeights')
}

export function checkGatewayNames(
  names: readonly string[] | undefined,
  at: At,
  { fromGatewayApi }: { readonly fromGatewayApi: boolean },
): void {
  // As Istio has it, what follows a name without a namespace (`mesh` among them) is not looked at.
  const last = names?.findIndex((name) => !name.includes('/')) ?? -1
  at.each(last < 0 ? names : names?.slice(0, last + 1), (name, place) => {
    const slash = name.indexOf('/')
    if (slash < 0) {
      const [gateway = '', namespace = ''] = name.split('.')
      if (name.includes('.')) place.say('LegacyGatewayName', { name, better: `${namespace}/${gateway}` })
      checkFqdn(name, place)
      return
    }
    const gateway = name.slice(slash + 1)
    if (!isDnsLabel(name.slice(0, slash)) || gateway === '' || (!isDnsLabel(gateway) && !fromGatewayApi))
      place.say('BadGatewayName', { name })
  })
}
