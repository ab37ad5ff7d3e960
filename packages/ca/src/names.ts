/** Distinguished names and subject alternative names. */
import { isIPv4, isIPv6 } from 'node:net'
import { implicit, oid, readChildren, readElement, sequence, set, utf8String } from './der.ts'
import { CaError } from './errors.ts'

const ORGANIZATION = '2.5.4.10'
const ORGANIZATIONAL_UNIT = '2.5.4.11'
const COMMON_NAME = '2.5.4.3'

export interface SubjectName {
  readonly commonName?: string
  readonly organization?: string
  readonly units?: readonly string[]
}

/** A distinguished name; empty when nothing is given. */
export function nameDer(name: SubjectName): Buffer {
  const parts: Buffer[] = []
  const add = (type: string, value: string) => parts.push(set(sequence(oid(type), utf8String(value))))
  if (name.organization) add(ORGANIZATION, name.organization)
  for (const unit of name.units ?? []) add(ORGANIZATIONAL_UNIT, unit)
  if (name.commonName) add(COMMON_NAME, name.commonName)
  return sequence(...parts)
}

/** What a server may read of its peer, beside the identity: where metrics get their labels from. Never used to authorize. */
export interface PeerLabels {
  readonly workload?: string
  readonly namespace?: string
  /** The canonical revision. */
  readonly version?: string
  readonly cluster?: string
  /** The canonical service. */
  readonly service?: string
  /** The label `app`. */
  readonly app?: string
  /** The label `version`. */
  readonly appVersion?: string
}

/** X.520's bound on a unit's length. */
const MAX_UNIT = 64

/**
 * Organizational units `wl.…`, `ns.…`, `ver.…`, `cl.…`, `cs.…`, `app.…`, `av.…`. A value keeps letters, digits, `.`, `_` and `-`; anything else becomes
 * `_`, so that a comma or an equals sign cannot forge another unit in the subject's text form.
 */
export function peerUnits(labels: PeerLabels): string[] {
  const fields = [
    ['wl', labels.workload],
    ['ns', labels.namespace],
    ['ver', labels.version],
    ['cl', labels.cluster],
    ['cs', labels.service],
    ['app', labels.app],
    ['av', labels.appVersion],
  ] as const
  return fields.flatMap(([key, value]) => (value ? [`${key}.${value.replace(/[^A-Za-z0-9._-]/g, '_')}`.slice(0, MAX_UNIT)] : []))
}

const IDENTITY = /^spiffe:\/\/([a-zA-Z0-9][a-zA-Z0-9._-]{0,254})\/ns\/([a-zA-Z0-9._-]{1,253})\/sa\/([a-zA-Z0-9._-]{1,253})$/

/** The parts of `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; `undefined` for any other text. */
export function parseIdentity(uri: string): { trustDomain: string; namespace: string; serviceAccount: string } | undefined {
  const match = uri.length <= 2048 ? IDENTITY.exec(uri) : null
  return match ? { trustDomain: match[1] ?? '', namespace: match[2] ?? '', serviceAccount: match[3] ?? '' } : undefined
}

/** The identity of a service account. */
export function identityUri(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}

export interface AlternativeNames {
  readonly uris?: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly ips?: readonly string[]
}

const DNS_NAME = /^(\*\.)?[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?)*$/

/**
 * GeneralNames.
 *
 * @throws CaError naming the DNS name or address that is not one
 */
export function alternativeNamesDer(names: AlternativeNames): Buffer {
  const items: Buffer[] = (names.uris ?? []).map((uri) => implicit(6, Buffer.from(uri, 'ascii')))
  for (const name of names.dnsNames ?? []) {
    if (name.length > 253 || !DNS_NAME.test(name)) throw new CaError('SUBJECT_REFUSED', `"${name}" is not a DNS name`)
    items.push(implicit(2, Buffer.from(name, 'ascii')))
  }
  for (const ip of names.ips ?? []) items.push(implicit(7, addressBytes(ip)))
  return sequence(...items)
}

/** Reads GeneralNames back; `others` counts names of other kinds. */
export function alternativeNamesFromDer(der: Buffer): { uris: string[]; dnsNames: string[]; ips: string[]; others: number } {
  const names = { uris: [] as string[], dnsNames: [] as string[], ips: [] as string[], others: 0 }
  for (const { tag, content } of readChildren(readElement(der).content, 1024)) {
    if (tag === 0x86) names.uris.push(content.toString('latin1'))
    else if (tag === 0x82) names.dnsNames.push(content.toString('latin1'))
    else if (tag === 0x87) names.ips.push(addressText(content))
    else names.others++
  }
  return names
}

/** An IP address in network order: 4 or 16 bytes. */
function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number))
  if (!isIPv6(ip) || ip.includes('%')) throw new CaError('SUBJECT_REFUSED', `"${ip}" is not an IP address`)
  const [left = '', right] = ip.split('::')
  const head = groups(left)
  const tail = right === undefined ? [] : groups(right)
  const middle = Array.from({ length: 16 - head.length - tail.length }, () => 0)
  return Buffer.from([...head, ...middle, ...tail])
}

const groups = (text: string): number[] =>
  text === ''
    ? []
    : text
        .split(':')
        .flatMap((group) =>
          group.includes('.') ? group.split('.').map(Number) : [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff],
        )

/** The text of an address of 4 or 16 bytes; IPv6 in its shortest form. */
export function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.')
  if (bytes.length !== 16) return bytes.toString('hex')
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return new URL(`http://[${words.join(':')}]`).hostname.slice(1, -1)
}
