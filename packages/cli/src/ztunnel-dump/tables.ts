/** The tables of `ztunnel-config`, with istioctl's columns. */
import { X509Certificate } from 'node:crypto'
import { compareText } from '@lateen/base'
import { at, type Fields, fields, list, text } from '../config-dump/fields.ts'
import type { Shown } from '../render/table.ts'
import { byName, type ZtunnelDump } from './dump.ts'

export interface Filter {
  readonly address?: string | undefined
  readonly node?: string | undefined
  readonly namespace?: string | undefined
}

const PADDING = 1

const NONE = 'None'

export function workloadsOf(dump: ZtunnelDump, { address, node, namespace }: Filter): Fields[] {
  return dump.workloads
    .filter((each) => !namespace || sameWord(text(each['namespace']), namespace))
    .filter((each) => !node || sameWord(text(each['node']), node))
    .filter((each) => !address || list(at(each, 'workloadIps')).some((ip) => sameWord(text(ip), address)))
}

const sameWord = (left: string, right: string): boolean => left.toLowerCase() === right.toLowerCase()

/** By `namespace.name`, then node. */
function compareWorkloads(left: Fields, right: Fields): number {
  const nameOf = (each: Fields) => `${text(each['namespace'])}.${text(each['name'])}`
  return compareText(nameOf(left), nameOf(right)) || compareText(text(left['node']), text(right['node']))
}

export function workloadTable(dump: ZtunnelDump, found: readonly Fields[]): Shown {
  return {
    padding: PADDING,
    headings: ['NAMESPACE', 'POD NAME', 'ADDRESS', 'NODE', 'WAYPOINT', 'PROTOCOL'],
    rows: [...found]
      .sort(compareWorkloads)
      .map((each) => [
        text(each['namespace']),
        text(each['name']),
        list(at(each, 'workloadIps')).map(text).join(',') || text(each['hostname']),
        text(each['node']),
        waypointOf(each, dump),
        text(each['protocol']),
      ]),
  }
}

export function servicesOf(dump: ZtunnelDump, namespace?: string): Fields[] {
  return dump.services
    .filter((each) => !namespace || sameWord(text(each['namespace']), namespace))
    .sort((a, b) => byName(a, b) || compareText(text(a['hostname']), text(b['hostname'])))
}

export function serviceTable(dump: ZtunnelDump, found: readonly Fields[]): Shown {
  const healthy = new Set(dump.workloads.filter((each) => text(each['status']) === 'Healthy').map((each) => text(each['uid'])))
  return {
    padding: PADDING,
    headings: ['NAMESPACE', 'SERVICE NAME', 'SERVICE VIP', 'WAYPOINT', 'ENDPOINTS'],
    rows: found.map((each) => {
      const endpoints = Object.values(fields(each['endpoints']))
      const up = endpoints.filter((endpoint) => healthy.has(text(at(endpoint, 'workloadUid'))))
      return [text(each['namespace']), text(each['name']), vipsOf(each), waypointOf(each, dump), `${up.length}/${endpoints.length}`]
    }),
  }
}

/** Addresses are `network/ip`. */
const ipOf = (address: unknown): string => /^[^/]*\/(.*)$/.exec(text(address))?.[1] ?? ''

const vipsOf = (service: Fields): string => list(service['vips']).map(ipOf).join(',')

/** The name of the service that the waypoint is: by its address, or by `namespace/hostname`, in one text or apart. */
function waypointOf(resource: Fields, { services }: ZtunnelDump): string {
  if (fields(resource)['waypoint'] === undefined || fields(resource)['waypoint'] === null) return NONE
  const destination = at(resource, 'waypoint', 'destination')
  const hostname = text(at(destination, 'hostname'))
  const wanted = hostname ? `${text(at(destination, 'namespace'))}/${hostname}` : text(destination)
  const found = services.find(
    (each) => `${text(each['namespace'])}/${text(each['hostname'])}` === wanted || list(each['vips']).includes(wanted),
  )
  return text(found?.['name']) || UNKNOWN
}

const UNKNOWN = 'NA'

export function policiesOf(dump: ZtunnelDump, namespace?: string): Fields[] {
  return dump.policies.filter((each) => !namespace || sameWord(text(each['namespace']), namespace)).sort(byName)
}

export function policyTable(found: readonly Fields[]): Shown {
  const columns = ['namespace', 'name', 'action', 'scope']
  return {
    padding: PADDING,
    headings: ['NAMESPACE', 'POLICY NAME', 'ACTION', 'SCOPE'],
    rows: found.map((each) => columns.map((name) => text(each[name]))),
  }
}

/** @param now decides validity */
export function certificateTable(certificates: readonly Fields[], now: Date): Shown {
  return {
    padding: 5,
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
  return [String(valid), serialOf(certificate), to || UNKNOWN, from || UNKNOWN]
}

/** As hexadecimal: the decimal number that ztunnel tells, else the certificate's own. */
function serialOf(certificate: unknown): string {
  const decimal = text(at(certificate, 'serialNumber'))
  if (/^\d{1,60}$/.test(decimal)) return BigInt(decimal).toString(16)
  try {
    return new X509Certificate(text(at(certificate, 'pem'))).serialNumber.toLowerCase()
  } catch {
    return UNKNOWN
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
    padding: PADDING,
    headings: ['WORKLOAD', 'DIRECTION', 'LOCAL', 'REMOTE', 'REMOTE TARGET', 'PROTOCOL'],
    rows: found.flatMap((state) => {
      const inbound = direction === 'outbound' ? [] : list(at(state, 'connections', 'inbound'))
      const outbound = direction === 'inbound' ? [] : list(at(state, 'connections', 'outbound'))
      return [
        // What an inbound connection was meant for is a host's name already.
        ...inbound.map((each) => [
          'Inbound',
          named(at(each, 'actualDst')),
          named(at(each, 'src')),
          text(at(each, 'originalDst')),
          ...protocolOf(each),
        ]),
        ...outbound.map((each) => [
          'Outbound',
          named(at(each, 'src')),
          named(at(each, 'actualDst')),
          named(at(each, 'originalDst')),
          ...protocolOf(each),
        ]),
      ].map((cells) => [ownerOf(state), ...cells])
    }),
  }
}

const protocolOf = (connection: unknown): string[] => [text(at(connection, 'protocol'))]

/** Services' host names and workloads' names by their addresses; a service's own address is worth more. */
function namesOf({ workloads, services }: ZtunnelDump): Map<string, string> {
  const pods = workloads.flatMap((each) =>
    list(at(each, 'workloadIps')).map((ip) => [text(ip), `${text(each['name'])}.${text(each['namespace'])}`] as const),
  )
  const vips = services.flatMap((each) => list(each['vips']).map((vip) => [ipOf(vip), text(each['hostname'])] as const))
  return new Map([...pods, ...vips])
}

function withName(address: string, names: ReadonlyMap<string, string>): string {
  const colon = address.lastIndexOf(':')
  const name = colon > 0 ? names.get(address.slice(0, colon).replace(/^\[|\]$/g, '')) : undefined
  return name === undefined ? address : `${name}${address.slice(colon)}`
}
