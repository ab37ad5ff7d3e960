/** The tables of `ztunnel-config`, with istioctl's columns. */
import { X509Certificate } from 'node:crypto'
import { at, type Fields, fields, list, text } from '../config-dump/fields.ts'
import { byName, type ZtunnelDump } from './dump.ts'

export interface Filter {
  readonly address?: string | undefined
  readonly node?: string | undefined
  readonly namespace?: string | undefined
}

export interface Shown {
  readonly headings: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const NONE = 'None'

export function workloadsOf(dump: ZtunnelDump, { address, node, namespace }: Filter): Fields[] {
  return dump.workloads
    .filter((each) => !namespace || text(each['namespace']) === namespace)
    .filter((each) => !node || text(each['node']) === node)
    .filter((each) => !address || list(at(each, 'workloadIps')).includes(address))
    .sort(byName)
}

export function workloadTable(dump: ZtunnelDump, found: readonly Fields[]): Shown {
  return {
    headings: ['NAMESPACE', 'POD NAME', 'ADDRESS', 'NODE', 'WAYPOINT', 'PROTOCOL'],
    rows: found.map((each) => [
      text(each['namespace']),
      text(each['name']),
      text(list(at(each, 'workloadIps'))[0]),
      text(each['node']),
      waypointOf(each, dump),
      text(each['protocol']),
    ]),
  }
}

export function servicesOf(dump: ZtunnelDump, namespace?: string): Fields[] {
  return dump.services.filter((each) => !namespace || text(each['namespace']) === namespace).sort(byName)
}

export function serviceTable(dump: ZtunnelDump, found: readonly Fields[]): Shown {
  const healthy = new Set(dump.workloads.filter((each) => text(each['status']) === 'Healthy').map((each) => text(each['uid'])))
  return {
    headings: ['NAMESPACE', 'SERVICE NAME', 'SERVICE VIP', 'WAYPOINT', 'ENDPOINTS'],
    rows: found.map((each) => {
      const endpoints = Object.values(fields(each['endpoints']))
      const up = endpoints.filter((endpoint) => healthy.has(text(at(endpoint, 'workloadUid'))))
      return [text(each['namespace']), text(each['name']), vipsOf(each), waypointOf(each, dump), `${up.length}/${endpoints.length}`]
    }),
  }
}

/** Addresses are `network/ip`. */
const vipsOf = (service: Fields): string =>
  list(service['vips'])
    .map((vip) => text(vip).split('/').at(-1) ?? '')
    .join(',')

/** The name of the service whose address, or whose host name, the waypoint is. */
function waypointOf(resource: Fields, { services }: ZtunnelDump): string {
  const destination = at(resource, 'waypoint', 'destination')
  if (destination === undefined || destination === '') return NONE
  const hostname = text(at(destination, 'hostname'))
  const found = services.find((each) => (hostname ? text(each['hostname']) === hostname : list(each['vips']).includes(destination)))
  return text(found?.['name']) || hostname || text(destination) || NONE
}

export function policiesOf(dump: ZtunnelDump, namespace?: string): Fields[] {
  return dump.policies.filter((each) => !namespace || text(each['namespace']) === namespace).sort(byName)
}

export function policyTable(found: readonly Fields[]): Shown {
  const columns = ['namespace', 'name', 'action', 'scope']
  return {
    headings: ['NAMESPACE', 'POLICY NAME', 'ACTION', 'SCOPE'],
    rows: found.map((each) => columns.map((name) => text(each[name]))),
  }
}

const UNKNOWN = 'NA'

/** @param now decides validity */
export function certificateTable(certificates: readonly Fields[], now: Date): Shown {
  return {
    headings: ['CERTIFICATE NAME', 'TYPE', 'STATUS', 'VALID CERT', 'SERIAL NUMBER', 'NOT AFTER', 'NOT BEFORE'],
    rows: certificates.flatMap((each) => {
      const [identity, state] = [text(each['identity']), stateText(each['state'])]
      const chains = chainsOf(each)
      if (chains.length === 0) return [[identity, UNKNOWN, state, 'false', UNKNOWN, UNKNOWN, UNKNOWN]]
      return chains.map(([type, certificate]) => [identity, type, state, ...certificateCells(certificate, now)])
    }),
  }
}

/** Leaf first. Older versions have the root at the end of the chain, newer ones apart. */
function chainsOf(state: Fields): (readonly [string, unknown])[] {
  const chain = list(at(state, 'certChain'))
  const roots = list(at(state, 'rootCerts'))
  const last = roots.length === 0 && chain.length > 1 ? chain.length - 1 : -1
  return [
    ...chain.map((certificate, index) => [index === 0 ? 'Leaf' : index === last ? 'Root' : 'Intermediate', certificate] as const),
    ...roots.map((certificate) => ['Root', certificate] as const),
  ]
}

/** `Available`, `Unavailable: why`, or an object whose one field is the state. */
const stateText = (state: unknown): string => (text(state) || (Object.keys(fields(state))[0] ?? UNKNOWN)).replace(/:.*$/s, '')

function certificateCells(certificate: unknown, now: Date): string[] {
  const [from, to] = [text(at(certificate, 'validFrom')), text(at(certificate, 'expirationTime'))]
  const valid = now > new Date(from) && now < new Date(to)
  return [String(valid), serialOf(certificate), to, from]
}

/** As hexadecimal: the certificate's own, else the decimal number that ztunnel tells. */
function serialOf(certificate: unknown): string {
  try {
    return new X509Certificate(text(at(certificate, 'pem'))).serialNumber.toLowerCase()
  } catch {
    const decimal = text(at(certificate, 'serialNumber'))
    return /^\d{1,60}$/.test(decimal) ? BigInt(decimal).toString(16) : UNKNOWN
  }
}

export function connectionsOf({ workloadState }: ZtunnelDump, namespace?: string): Fields[] {
  return workloadState
    .filter((each) => !namespace || text(at(each, 'info', 'namespace')) === namespace)
    .sort((a, b) => byName(fields(a['info']), fields(b['info'])))
}

const ownerOf = (state: Fields): string => `${text(at(state, 'info', 'name'))}.${text(at(state, 'info', 'namespace'))}`

/** @param raw addresses, not names */
export function connectionTable(
  dump: ZtunnelDump,
  found: readonly Fields[],
  { direction, raw }: { readonly direction?: string | undefined; readonly raw?: boolean },
): Shown {
  const names = raw ? new Map<string, string>() : namesOf(dump)
  const named = (address: unknown) => withName(text(address), names)
  return {
    headings: ['WORKLOAD', 'DIRECTION', 'LOCAL', 'REMOTE', 'REMOTE TARGET', 'PROTOCOL'],
    rows: found.flatMap((state) => {
      const inbound = direction === 'outbound' ? [] : list(at(state, 'connections', 'inbound'))
      const outbound = direction === 'inbound' ? [] : list(at(state, 'connections', 'outbound'))
      return [
        ...inbound.map((each) => ['Inbound', named(at(each, 'actualDst')), named(at(each, 'src')), ...targetOf(each, named)]),
        ...outbound.map((each) => ['Outbound', named(at(each, 'src')), named(at(each, 'actualDst')), ...targetOf(each, named)]),
      ].map((cells) => [ownerOf(state), ...cells])
    }),
  }
}

const targetOf = (connection: unknown, named: (address: unknown) => string): string[] => [
  named(at(connection, 'originalDst')),
  text(at(connection, 'protocol')) || 'TCP',
]

/** Services' host names and workloads' names by their addresses; a service's own address is worth more. */
function namesOf({ workloads, services }: ZtunnelDump): Map<string, string> {
  const pods = workloads.flatMap((each) =>
    list(at(each, 'workloadIps')).map((ip) => [text(ip), `${text(each['name'])}.${text(each['namespace'])}`] as const),
  )
  const vips = services.flatMap((each) =>
    list(each['vips']).map((vip) => [text(vip).split('/').at(-1) ?? '', text(each['hostname'])] as const),
  )
  return new Map([...pods, ...vips])
}

function withName(address: string, names: ReadonlyMap<string, string>): string {
  const colon = address.lastIndexOf(':')
  const name = colon > 0 ? names.get(address.slice(0, colon).replace(/^\[|\]$/g, '')) : undefined
  return name === undefined ? address : `${name}${address.slice(colon)}`
}
