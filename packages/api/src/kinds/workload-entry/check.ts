/** What makes a WorkloadEntry, or an endpoint of a ServiceEntry, unusable. */
import type { At } from '../../diagnostics/at.ts'
import { checkPort, checkUnixPath, isIp, unixPath } from '../../validation/addresses.ts'
import { isDnsLabel, isFqdn } from '../../validation/hosts.ts'
import type { Subject } from '../../validation/subject.ts'
import { checkLabels } from '../../validation/values.ts'
import type { WorkloadEntrySpec } from './workload-entry.ts'

export function checkWorkloadEntry({ spec, at }: Subject<WorkloadEntrySpec>): void {
  checkWorkload(spec, at, { hostNames: true })
}

interface Options {
  /** Whether the address may be a host name, which DNS resolves. */
  readonly hostNames: boolean
  /** Names of the ports of the ServiceEntry; unknown for an object of its own. */
  readonly servicePorts?: ReadonlySet<string>
}

export function checkWorkload(workload: WorkloadEntrySpec, at: At, { hostNames, servicePorts }: Options): void {
  const { address = '', network = '', ports, labels } = workload
  if (address === '') {
    if (network === '') return at.in('address').say('AddressMissing')
    at.in('address').say('AddressEmptyWithNetwork', { network })
  }
  const path = unixPath(address)
  if (path !== undefined) {
    checkUnixPath(path, at.in('address'))
    if (Object.keys(ports ?? {}).length > 0) at.in('ports').say('SocketWithPorts')
  } else if (address !== '' && !isIp(address) && !(hostNames && isFqdn(address))) {
    at.in('address').say('EndpointAddress', {
      address,
      wanted: hostNames ? 'an IP address, a host name without wildcard or unix:///path' : 'an IP address or unix:///path',
    })
  }
  checkEndpointPorts(ports, at.in('ports'), servicePorts)
  checkLabels(labels, at.in('labels'))
  if (path !== undefined && servicePorts && servicePorts.size !== 1) at.in('address').say('SocketOnePort')
}

export function checkEndpointPorts(ports: WorkloadEntrySpec['ports'], at: At, servicePorts: ReadonlySet<string> | undefined): void {
  at.entries(ports, (port, place, name) => {
    if (servicePorts && !servicePorts.has(name)) place.say('EndpointPort', { name })
    if (!isDnsLabel(name)) place.say('BadLabelName', { name })
    checkPort(port, place)
  })
}
