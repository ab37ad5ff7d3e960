/** The address translation rules for Services, as text for one `iptables-restore`. Pure. */
import { createHash } from 'node:crypto'
import { objectKey } from '@lateen/api'
import { familyOf, type IpFamily } from '@lateen/base'
import { type EndpointSlice, isEndpointReady, isHeadless, SERVICE_NAME_LABEL, type Service, type ServicePort } from '../kube/service.ts'
import { OUTSIDE_DEVICE } from './outside.ts'

export interface RuleInput {
  readonly family: IpFamily
  readonly services: Iterable<Service>
  readonly slices: Iterable<EndpointSlice>
  readonly serviceCidr: string
  /** Where the node itself answers. */
  readonly dnsAddress?: string
}

interface Backend {
  readonly address: string
  readonly port: number
}

/** Marks a connection of a pod to itself through a Service: its answers must come back through the node. */
const HAIRPIN_MARK = '0x4000/0x4000'
const PROTOCOLS: Readonly<Record<string, string>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' }

/** Tables nat and filter, complete. The same input gives the same text, so that no change means no work. */
export function serviceRules(input: RuleInput): string {
  const backends = backendsByPort(input.slices, input.family)
  const chains: string[] = []
  const services: string[] = []
  const nodePorts: string[] = []
  const rules: string[] = []
  const rejects: string[] = []
  for (const service of [...input.services].toSorted((a, b) => (objectKey(a) < objectKey(b) ? -1 : 1))) {
    const { clusterIP, clusterIPs = [clusterIP ?? ''], ports = [], externalIPs = [], type } = service.spec ?? {}
    if (!clusterIP || isHeadless(service) || type === 'ExternalName') continue
    for (const port of ports) {
      const protocol = PROTOCOLS[port.protocol ?? 'TCP']
      const addresses = [...clusterIPs, ...externalIPs].filter((address) => isAddress(address, input.family))
      if (!protocol || addresses.length === 0) continue
      const targets = backends.get(portKey(service, port)) ?? []
      const match = (address: string) => `-d ${alone(address)} -p ${protocol} -m ${protocol} --dport ${port.port}`
      const nodePort = port.nodePort ? `-p ${protocol} -m ${protocol} --dport ${port.nodePort}` : undefined
      if (targets.length === 0) {
        for (const address of addresses) rejects.push(`${match(address)} -j REJECT`)
        if (nodePort) rejects.push(`-m addrtype --dst-type LOCAL ${nodePort} -j REJECT`)
        continue
      }
      const chain = chainName('SVC', portKey(service, port))
      chains.push(chain)
      for (const address of addresses) services.push(`-A LATEEN-SERVICES ${match(address)} -j ${chain}`)
      if (nodePort) nodePorts.push(`-A LATEEN-NODEPORTS ${nodePort} -j ${chain}`)
      addBackends(chain, targets, protocol, affinitySeconds(service), { chains, rules })
    }
  }
  // The node itself has the DNS address: translating it would gain nothing, and two questions sent at once through one socket (A and
  // AAAA) can lose one of them when their translations are entered at the same time.
  if (input.dnsAddress) services.unshift(`-A LATEEN-SERVICES -d ${input.dnsAddress}/32 -j RETURN`)
  return `${[...nat(chains, services, nodePorts, rules), ...filter(rejects, input)].join('\n')}\n`
}

function nat(chains: string[], services: string[], nodePorts: string[], rules: string[]): string[] {
  return [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ':LATEEN-SERVICES - [0:0]',
    ':LATEEN-NODEPORTS - [0:0]',
    ...chains.map((chain) => `:${chain} - [0:0]`),
    '-A PREROUTING -j LATEEN-SERVICES',
    '-A OUTPUT -j LATEEN-SERVICES',
    `-A POSTROUTING -m mark --mark ${HAIRPIN_MARK} -j MASQUERADE`,
    `-A POSTROUTING -o ${OUTSIDE_DEVICE} -j MASQUERADE`,
    ...services,
    '-A LATEEN-SERVICES -m addrtype --dst-type LOCAL -j LATEEN-NODEPORTS',
    ...nodePorts,
    ...rules,
    'COMMIT',
  ]
}

function filter(rejects: string[], input: RuleInput): string[] {
  // A service address that no rule knows would otherwise be waited for until a time-out.
  const unknown = `-d ${input.serviceCidr} -j REJECT`
  return [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':LATEEN-REJECT - [0:0]',
    '-A INPUT -m conntrack --ctstate NEW -j LATEEN-REJECT',
    '-A FORWARD -m conntrack --ctstate NEW -j LATEEN-REJECT',
    '-A OUTPUT -m conntrack --ctstate NEW -j LATEEN-REJECT',
    ...(input.dnsAddress ? dns(input.dnsAddress) : []),
    ...rejects.map((rule) => `-A LATEEN-REJECT ${rule}`),
    `-A LATEEN-REJECT ${unknown}`,
    'COMMIT',
  ]
}

/** While the process that answers DNS is started again, resolvers should ask once more instead of giving up. */
function dns(address: string): string[] {
  return [`-A OUTPUT -s ${address}/32 -p icmp -m icmp --icmp-type port-unreachable -j DROP`, `-A LATEEN-REJECT -d ${address}/32 -j RETURN`]
}

interface Output {
  readonly chains: string[]
  readonly rules: string[]
}

function addBackends(chain: string, targets: readonly Backend[], protocol: string, affinity: number | undefined, out: Output): void {
  const names = targets.map((target) => chainName('SEP', `${chain}/${socket(target)}`))
  if (affinity !== undefined) {
    for (const name of names)
      out.rules.push(`-A ${chain} -m recent --name ${name} --rcheck --seconds ${affinity} --reap --rsource -j ${name}`)
  }
  for (const [index, target] of targets.entries()) {
    const name = names[index] ?? ''
    const left = targets.length - index
    out.chains.push(name)
    out.rules.push(`-A ${chain}${left > 1 ? ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}` : ''} -j ${name}`)
    out.rules.push(`-A ${name} -s ${alone(target.address)} -j MARK --or-mark 0x4000`)
    const remember = affinity === undefined ? '' : ` -m recent --name ${name} --set --rsource`
    out.rules.push(`-A ${name} -p ${protocol}${remember} -m ${protocol} -j DNAT --to-destination ${socket(target)}`)
  }
}

/** Where each service port leads: ready endpoints, or, when there are none, those that still serve while they end. */
function backendsByPort(slices: Iterable<EndpointSlice>, family: IpFamily): Map<string, Backend[]> {
  const ready = new Map<string, Backend[]>()
  const ending = new Map<string, Backend[]>()
  for (const slice of slices) {
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL]
    if (!service || slice.addressType !== family) continue
    for (const endpoint of slice.endpoints ?? []) {
      const { terminating, serving } = endpoint.conditions ?? {}
      const group = isEndpointReady(endpoint) ? ready : terminating && serving ? ending : undefined
      const address = endpoint.addresses[0]
      if (!group || !address || !isAddress(address, family)) continue
      for (const { name, port, protocol } of slice.ports ?? []) {
        if (!port) continue
        const key = `${slice.metadata.namespace}/${service}/${name ?? ''}/${protocol ?? 'TCP'}`
        const known = group.get(key) ?? []
        known.push({ address, port })
        group.set(key, known)
      }
    }
  }
  for (const [key, targets] of ending) if (!ready.has(key)) ready.set(key, targets)
  for (const targets of ready.values()) targets.sort((a, b) => (`${a.address}:${a.port}` < `${b.address}:${b.port}` ? -1 : 1))
  return ready
}

function portKey(service: Service, port: ServicePort): string {
  return `${objectKey(service)}/${port.name ?? ''}/${port.protocol ?? 'TCP'}`
}

function affinitySeconds(service: Service): number | undefined {
  const { sessionAffinity, sessionAffinityConfig } = service.spec ?? {}
  return sessionAffinity === 'ClientIP' ? (sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : undefined
}

/** Chain names may have 28 characters. */
function chainName(kind: string, key: string): string {
  return `LATEEN-${kind}-${createHash('sha256').update(key).digest('hex').slice(0, 16).toUpperCase()}`
}

/** What becomes part of a rule must be nothing but an address of the family. */
function isAddress(text: string, family: IpFamily): boolean {
  return family === 'IPv4' ? /^\d{1,3}(\.\d{1,3}){3}$/.test(text) : text.includes(':') && /^[0-9a-f:]{2,39}$/i.test(text)
}

const alone = (address: string): string => `${address}/${familyOf(address) === 'IPv6' ? 128 : 32}`
const socket = ({ address, port }: Backend): string => (familyOf(address) === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`)
