/** What makes a ServiceEntry unusable or surely not what was meant. */
import type { At } from '../../diagnostics/at.ts'
import { checkIpOrCidr, checkPort } from '../../validation/addresses.ts'
import { checkExportTo } from '../../validation/export-to.ts'
import { checkWildcardHost, isDnsLabel, isPartialWildcard } from '../../validation/hosts.ts'
import { checkProtocol, isHttp, isTcp, isTls, protocolOf } from '../../validation/protocols.ts'
import { checkNetworkingSelector } from '../../validation/selectors.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkResolution } from './check-resolution.ts'
import type { ServiceEntrySpec, ServicePort } from './service-entry.ts'

export function checkServiceEntry({ spec, at, namespace, labels }: Subject<ServiceEntrySpec>): void {
  if (!checkNetworkingSelector(spec.workloadSelector, at.in('workloadSelector'))) return
  if (spec.workloadSelector && spec.endpoints) at.say('SelectorAndEndpoints')
  if (!spec.hosts?.length) at.in('hosts').say('NoHosts')
  at.in('hosts').each(spec.hosts, (host, place) => {
    if (host === '*') return place.say('WildcardHostAlone')
    checkWildcardHost(host, place)
    if (isPartialWildcard(host)) place.say('PartialWildcardHost', { host })
  })
  checkAddresses(spec, at)
  checkPorts(spec, at, allotsAddresses(spec, labels))
  checkResolution(spec, at, labels)
  checkShared(spec, at)
  checkExportTo(spec.exportTo, at.in('exportTo'), { namespace, nobodyAllowed: true })
}

/** Whether the control plane gives the hosts addresses of its own, so that plain TCP can be told apart. */
function allotsAddresses({ addresses, resolution = 'NONE' }: ServiceEntrySpec, labels: Readonly<Record<string, string>>): boolean {
  const refused = labels['networking.istio.io/enable-autoallocate-ip']?.toLowerCase() === 'false'
  return !refused && !addresses?.length && resolution !== 'NONE'
}

function checkAddresses({ addresses, resolution = 'NONE' }: ServiceEntrySpec, at: At): void {
  at.in('addresses').each(addresses, checkIpOrCidr)
  if (addresses?.some((address) => address.includes('/')) && resolution !== 'NONE' && resolution !== 'STATIC') {
    at.in('addresses').say('CidrResolution', { resolution })
  }
}

function checkPorts({ ports, addresses }: ServiceEntrySpec, at: At, addressesAllotted: boolean): void {
  const names = new Set<string>()
  const numbers = new Set<number>()
  at.in('ports').each(ports, (port, place) => {
    const { name = '', number = 0, protocol = '', targetPort } = port
    if (names.has(name)) place.in('name').say('DuplicateName', { name })
    if (numbers.has(number)) place.in('number').say('DuplicatePort', { port: number })
    names.add(name)
    numbers.add(number)
    if (targetPort) checkPort(targetPort, place.in('targetPort'))
    if (!addresses?.length && !addressesAllotted && (protocol === '' || protocol === 'TCP')) place.say('TcpNeedsAddress')
    if (!isDnsLabel(name)) place.in('name').say(name === '' ? 'EmptyName' : 'BadLabelName', { name })
    if (protocol !== '') checkProtocol(protocol, place.in('protocol'))
    checkPort(number, place.in('number'))
  })
}

/** Several hosts on one plain TCP port cannot be told apart, unless the destination address of the client decides (NONE). */
function checkShared({ hosts = [], ports = [], addresses, resolution = 'NONE' }: ServiceEntrySpec, at: At): void {
  if (hosts.length < 2 || resolution === 'NONE') return
  const plain = (port: ServicePort) => !isHttp(protocolOf(port.protocol)) && !isTls(protocolOf(port.protocol))
  const shared = ports.find(plain)
  if (shared)
    at.in('ports')
      .at(ports.indexOf(shared))
      .say('HostsShareTcp', { port: shared.number ?? 0 })
  const dns = resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN'
  if (dns && addresses?.length && ports.some((port) => isTcp(protocolOf(port.protocol)))) at.in('addresses').say('HostsShareAddress')
}
