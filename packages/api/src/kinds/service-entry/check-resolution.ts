/** What each way to find endpoints asks of a ServiceEntry. */
import type { At } from '../../diagnostics/at.ts'
import { isIp } from '../../validation/addresses.ts'
import { isFqdn } from '../../validation/hosts.ts'
import { isTls, protocolOf } from '../../validation/protocols.ts'
import { checkLabels } from '../../validation/values.ts'
import { checkEndpointPorts, checkWorkload } from '../workload-entry/check.ts'
import type { ServiceEntrySpec } from './service-entry.ts'

export function checkResolution(spec: ServiceEntrySpec, at: At, labels: Readonly<Record<string, string>>): void {
  const { resolution = 'NONE', workloadSelector } = spec
  if (workloadSelector && resolution === 'NONE') at.in('workloadSelector').say('SelectorWithResolution', { resolution })
  switch (resolution) {
    case 'NONE':
      if (spec.endpoints?.length) at.in('endpoints').say('EndpointsWithNone')
      return
    case 'STATIC':
      return checkStatic(spec, at)
    case 'DNS':
    case 'DNS_ROUND_ROBIN':
      return checkDns(spec, at, resolution)
    case 'DYNAMIC_DNS':
      return checkDynamicDns(spec, at, labels)
  }
}

const portNames = (spec: ServiceEntrySpec) => new Set((spec.ports ?? []).map(({ name = '' }) => name))

function checkStatic(spec: ServiceEntrySpec, at: At): void {
  const servicePorts = portNames(spec)
  at.in('endpoints').each(spec.endpoints, (endpoint, place) => {
    checkWorkload(endpoint, place, { hostNames: false, servicePorts })
  })
}

function checkDns(spec: ServiceEntrySpec, at: At, resolution: string): void {
  const { hosts, endpoints } = spec
  if (!endpoints?.length) {
    at.in('hosts').each(hosts, (host, place) => {
      if (!isFqdn(host)) place.say('DnsHosts', { host, resolution })
    })
  }
  if (resolution === 'DNS_ROUND_ROBIN' && (endpoints?.length ?? 0) > 1) at.in('endpoints').say('OneEndpoint')
  const servicePorts = portNames(spec)
  at.in('endpoints').each(endpoints, ({ address = '', labels, ports }, place) => {
    if (!isIp(address) && !isFqdn(address))
      place.in('address').say('EndpointAddress', { address, wanted: 'an IP address or a host name without wildcard' })
    checkLabels(labels, place.in('labels'))
    checkEndpointPorts(ports, place.in('ports'), servicePorts)
  })
}

/** The proxy resolves whatever host of the wildcard the client names, so nothing else can say where endpoints are. */
function checkDynamicDns(spec: ServiceEntrySpec, at: At, labels: Readonly<Record<string, string>>): void {
  if (spec.endpoints?.length) at.in('endpoints').say('DynamicDnsEndpoints', { field: 'endpoints' })
  if (!spec.hosts?.length) at.in('hosts').say('DynamicDnsNeedsHost')
  at.in('hosts').each(spec.hosts, (host, place) => {
    if (!host.startsWith('*')) place.say('DynamicDnsHost', { host })
  })
  at.in('ports').each(spec.ports, ({ protocol = '' }, place) => {
    const known = protocolOf(protocol)
    const fits = known === 'HTTP' || known === 'HTTP2' || known === 'GRPC' || isTls(known)
    if (!fits) place.in('protocol').say('DynamicDnsProtocol', { protocol })
  })
  if (spec.location === 'MESH_INTERNAL' && labels['istio.io/use-waypoint']) at.in('location').say('DynamicDnsLocation')
}
