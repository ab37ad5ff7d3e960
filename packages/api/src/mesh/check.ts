/** What makes a mesh configuration unusable. */
import { parseDuration } from '@lateen/base'
import type { At } from '../diagnostics/at.ts'
import { checkIpOrCidr, checkPort, isIp } from '../validation/addresses.ts'
import { checkClientTls } from '../validation/client-tls.ts'
import { checkFqdn, checkWildcardHost, isDnsLabel, isFqdn } from '../validation/hosts.ts'
import { checkLocality } from '../validation/locality.ts'
import { checkDuration, isWhole } from '../validation/values.ts'
import type { MeshConfig } from './mesh-config.ts'
import type { MeshNetworks } from './mesh-networks.ts'
import type { MeshProxyConfig, MeshTracing } from './mesh-proxy-config.ts'

const HOUR = 3_600_000

export function checkMeshConfig(config: MeshConfig, at: At): void {
  checkPort(config.proxyListenPort, at.in('proxyListenPort'))
  checkPort(config.proxyInboundListenPort, at.in('proxyInboundListenPort'))
  checkDuration(config.connectTimeout, at.in('connectTimeout'))
  if ((parseDuration(config.connectTimeout ?? '') ?? 0) > HOUR)
    at.in('connectTimeout').say('MeshValue', { value: config.connectTimeout ?? '', wanted: 'at most 1h' })
  const detection = parseDuration(config.protocolDetectionTimeout ?? '0s') ?? 0
  if (detection < 0 || !isWhole(detection))
    at.in('protocolDetectionTimeout').say('DurationPrecision', { value: config.protocolDetectionTimeout ?? '' })
  if (config.defaultConfig) checkProxyConfigSettings(config.defaultConfig, at.in('defaultConfig'))
  checkLocality(config.localityLbSetting, at.in('localityLbSetting'), { outlierDetection: true })
  at.in('serviceSettings').each(config.serviceSettings, ({ hosts }, place) => {
    place.in('hosts').each(hosts, checkWildcardHost)
  })
  checkTrustDomain(config.trustDomain ?? '', at.in('trustDomain'))
  at.in('trustDomainAliases').each(config.trustDomainAliases, checkTrustDomain)
  if (config.meshMTLS?.ecdhCurves) at.in('meshMTLS', 'ecdhCurves').say('NotSupported', { field: 'ecdhCurves', instead: 'remove it' })
  checkCurves(config.tlsDefaults?.ecdhCurves ?? [], at.in('tlsDefaults', 'ecdhCurves'))
  at.in('extensionProviders').each(config.extensionProviders, ({ name }, place) => {
    if (!name) place.in('name').say('EmptyName')
  })
}

const CURVES = ['P-224', 'P-256', 'P-384', 'P-521', 'X25519', 'X25519MLKEM768', 'CECPQ2']

function checkCurves(curves: readonly string[], at: At): void {
  const unknown = curves.filter((curve) => curve !== '' && !CURVES.includes(curve))
  const twice = curves.filter((curve, i) => CURVES.includes(curve) && curves.indexOf(curve) !== i)
  if (unknown.length > 0) at.say('UnknownCurves', { curves: unknown.join(', '), allowed: CURVES.join(', ') })
  if (twice.length > 0) at.say('DuplicateCurves', { curves: [...new Set(twice)].join(', ') })
}

function checkTrustDomain(domain: string, at: At): void {
  const labels = domain.split('.')
  if (labels.length > 1 && labels.at(-1) === '') labels.pop()
  if (!labels.every(isDnsLabel)) at.say('MeshValue', { value: domain, wanted: 'a name such as cluster.local' })
}

/** What Envoy and the agent need to start. */
export function checkProxyConfigSettings(config: MeshProxyConfig, at: At): void {
  for (const field of ['configPath', 'binaryPath', 'discoveryAddress'] as const) if (!config[field]) at.in(field).say('Required')
  if (config.serviceCluster === '') at.in('serviceCluster').say('Required')
  checkDuration(config.drainDuration, at.in('drainDuration'))
  if (!isWhole((parseDuration(config.drainDuration ?? '') ?? 0) / 1000))
    at.in('drainDuration').say('MeshValue', { value: config.drainDuration ?? '', wanted: 'a whole number of seconds' })
  const addresses = {
    discoveryAddress: config.discoveryAddress,
    statsdUdpAddress: config.statsdUdpAddress,
    envoyMetricsServiceAddress: config.envoyMetricsServiceAddress,
    'envoyMetricsService.address': config.envoyMetricsService?.address,
    'envoyAccessLogService.address': config.envoyAccessLogService?.address,
  }
  for (const [field, address] of Object.entries(addresses)) if (address) checkAddress(address, at.in(field))
  checkTracing(config.tracing, at.in('tracing'))
  checkKeyProvider(config.privateKeyProvider, at.in('privateKeyProvider'))
  checkClientTls(config.tracing?.tlsSettings, at.in('tracing', 'tlsSettings'), { namespace: '' })
  checkPort(config.proxyAdminPort, at.in('proxyAdminPort'))
  checkPort(config.statusPort, at.in('statusPort'))
  if (config.controlPlaneAuthPolicy === 'INHERIT')
    at.in('controlPlaneAuthPolicy').say('MeshValue', { value: 'INHERIT', wanted: 'NONE or MUTUAL_TLS' })
  if (config.proxyMetadata && 'ISTIO_META_DNS_AUTO_ALLOCATE' in config.proxyMetadata) {
    at.in('proxyMetadata').say('MeshDeprecated', {
      field: 'ISTIO_META_DNS_AUTO_ALLOCATE',
      better: 'addresses are allotted by the control plane; remove it',
    })
  }
}

/** A collector has an address; Lightstep's asks for a token as well. */
function checkTracing(tracing: MeshTracing | undefined, at: At): void {
  for (const collector of ['zipkin', 'datadog', 'lightstep'] as const) {
    const settings = tracing?.[collector]
    // The agent puts the node's address in.
    if (settings) checkAddress((settings.address ?? '').replace('$(HOST_IP)', '127.0.0.1'), at.in(collector, 'address'))
  }
  if (tracing?.lightstep && !tracing.lightstep.accessToken) at.in('lightstep', 'accessToken').say('Required')
}

function checkKeyProvider(provider: MeshProxyConfig['privateKeyProvider'], at: At): void {
  if (!provider) return
  const name = provider.qat ? 'qat' : 'cryptomb'
  const settings = provider[name]
  if (!settings) return at.say('Required')
  const delay = at.in(name, 'pollDelay')
  if (settings.pollDelay === undefined) delay.say('Required')
  else if (parseDuration(settings.pollDelay) === 0) delay.say('MeshValue', { value: settings.pollDelay, wanted: 'a time above 0s' })
}

/** `host:port`, where host is a name or an address (IPv6 in brackets). */
function checkAddress(address: string, at: At): void {
  const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:]*)):([^:]*)$/.exec(address) ?? []
  const host = bracketed ?? plain ?? ''
  const usable = (isFqdn(host) || isIp(host)) && /^[0-9]{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535
  if (!usable) at.say('MeshValue', { value: address, wanted: 'host:port' })
}

export function checkMeshNetworks({ networks }: MeshNetworks, at: At): void {
  at.in('networks').entries(networks, ({ endpoints, gateways }, place) => {
    place.in('endpoints').each(endpoints, ({ fromCidr, fromRegistry }, here) => {
      if (fromCidr !== undefined) checkIpOrCidr(fromCidr, here.in('fromCidr'))
      if (fromRegistry !== undefined && !isDnsLabel(fromRegistry)) here.in('fromRegistry').say('BadLabelName', { name: fromRegistry })
    })
    place.in('gateways').each(gateways, ({ address, registryServiceName, port }, here) => {
      if (registryServiceName !== undefined) checkFqdn(registryServiceName, here.in('registryServiceName'))
      if (address !== undefined && !isIp(address) && !isFqdn(address))
        here.in('address').say('MeshValue', { value: address, wanted: 'an IP address or a host name' })
      checkPort(port, here.in('port'))
    })
  })
}
