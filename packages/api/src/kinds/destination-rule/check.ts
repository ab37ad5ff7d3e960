/** What makes a DestinationRule unusable or surely not what was meant. */
import type { At } from '../../diagnostics/at.ts'
import { checkPort, isIp } from '../../validation/addresses.ts'
import { checkClientTls } from '../../validation/client-tls.ts'
import { checkConnectionPool } from '../../validation/connection-pool.ts'
import { checkExportTo } from '../../validation/export-to.ts'
import { checkWildcardHost, isDnsLabel, isFqdn } from '../../validation/hosts.ts'
import { checkSelector } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkDuration, checkLabels, checkPercent } from '../../validation/values.ts'
import { checkLoadBalancer } from './check-load-balancer.ts'
import type { DestinationRuleSpec, OutlierDetection, TrafficPolicy, TunnelSettings } from './destination-rule.ts'

export function checkDestinationRule({ spec, at, namespace }: Subject<DestinationRuleSpec>): void {
  checkWildcardHost(spec.host ?? '', at.in('host'))
  checkTrafficPolicy(spec.trafficPolicy, at.in('trafficPolicy'), namespace)
  const names = new Set<string>()
  at.in('subsets').each(spec.subsets, ({ name = '', labels, trafficPolicy }, place) => {
    if (names.has(name)) place.in('name').say('DuplicateName', { name })
    names.add(name)
    if (!isDnsLabel(name)) place.in('name').say(name === '' ? 'EmptyName' : 'BadLabelName', { name })
    checkLabels(labels, place.in('labels'))
    checkTrafficPolicy(trafficPolicy, place.in('trafficPolicy').withoutWarnings(), namespace)
  })
  checkExportTo(spec.exportTo, at.in('exportTo'), { namespace, ownOnly: spec.workloadSelector !== undefined })
  checkSelector(spec.workloadSelector, at.in('workloadSelector'))
}

function checkTrafficPolicy(policy: TrafficPolicy | undefined, at: At, namespace: string): void {
  if (!policy) return
  if (Object.keys(policy).length === 0) return at.say('PolicyEmpty')
  if (policy.tunnel && policy.proxyProtocol) return at.say('TunnelAndProxyProtocol')
  checkParts(policy, at, namespace)
  at.in('portLevelSettings').each(policy.portLevelSettings, (settings, place) => {
    if (!settings.port) place.in('port').say('PortMissing')
    const { port: _, ...parts } = settings
    if (Object.keys(parts).length === 0) place.say('PolicyEmpty')
    else checkParts(parts, place.withoutWarnings(), namespace)
  })
  checkTunnel(policy.tunnel, at.in('tunnel'))
  checkPercent(policy.retryBudget?.percent, at.in('retryBudget', 'percent'))
}

type Parts = Pick<TrafficPolicy, 'outlierDetection' | 'connectionPool' | 'loadBalancer' | 'tls'>

function checkParts(parts: Parts, at: At, namespace: string): void {
  checkOutlierDetection(parts.outlierDetection, at.in('outlierDetection'))
  checkConnectionPool(parts.connectionPool, at.in('connectionPool'))
  checkLoadBalancer(parts.loadBalancer, at.in('loadBalancer'), { outlierDetection: parts.outlierDetection !== undefined })
  checkClientTls(parts.tls, at.in('tls'), { namespace })
}

function checkOutlierDetection(outlier: OutlierDetection | undefined, at: At): void {
  if (!outlier) return
  checkDuration(outlier.baseEjectionTime, at.in('baseEjectionTime'))
  checkDuration(outlier.interval, at.in('interval'))
  if (outlier.consecutiveErrors) {
    at.in('consecutiveErrors').say('DeprecatedField', {
      field: 'consecutiveErrors',
      better: 'consecutive5xxErrors or consecutiveGatewayErrors',
    })
  }
  if (!outlier.splitExternalLocalOriginErrors && (outlier.consecutiveLocalOriginFailures ?? 0) > 0) {
    at.in('consecutiveLocalOriginFailures').say('LocalOriginWithoutSplit')
  }
  for (const field of ['maxEjectionPercent', 'minHealthPercent'] as const) checkPercent(outlier[field], at.in(field))
}

function checkTunnel(tunnel: TunnelSettings | undefined, at: At): void {
  if (!tunnel) return
  const { protocol, targetHost = '', targetPort } = tunnel
  if (protocol && protocol !== 'CONNECT' && protocol !== 'POST') at.in('protocol').say('TunnelProtocol', { protocol })
  if (!isFqdn(targetHost) && !isIp(targetHost)) at.in('targetHost').say('TunnelHost', { host: targetHost })
  checkPort(targetPort, at.in('targetPort'))
}
