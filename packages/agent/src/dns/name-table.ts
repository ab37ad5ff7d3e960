/**
 * The names of the mesh, as the control plane sends them, looked up as a resolver asks.
 *
 * Enters: an encoded NameTable and where this proxy is. Leaves: for a query name, the addresses, or nothing where the mesh does
 * not know the name.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { readFields, readMapEntry } from '../grpc/protobuf.ts'

/** What a host of the table says. */
export interface NameInfo {
  readonly ips: readonly string[]
  /** `Kubernetes` or `External`. */
  readonly registry: string
  readonly shortname: string
  readonly namespace: string
  readonly altHosts: readonly string[]
}

/** Where the proxy is, which decides on short names and search domains. */
export interface NameScope {
  readonly namespace: string
  /** `shop.svc.cluster.local`. */
  readonly dnsDomain: string
  /** Search domains of the pod's resolv.conf, in order. */
  readonly search: readonly string[]
}

export interface NameAnswer {
  readonly v4: readonly string[]
  readonly v6: readonly string[]
  /** The name that the queried one stands for; absent when it is that name itself. */
  readonly canonical?: string
}

interface Entry {
  readonly v4: readonly string[]
  readonly v6: readonly string[]
}

export interface NameTable {
  /** Number of names. */
  readonly size: number
  /** Addresses of a name, without regard to case or a dot at the end; `undefined` when the mesh does not know it. */
  lookup(name: string): NameAnswer | undefined
}

/** NameTable: table = 1, a map to NameInfo: ips = 1, registry = 2, shortname = 3, namespace = 4, alt_hosts = 5. */
export function decodeNameTable(message: Buffer): Map<string, NameInfo> {
  const table = new Map<string, NameInfo>()
  for (const field of readFields(message)) {
    if (field.number !== 1) continue
    const { key, value } = readMapEntry(field.bytes)
    table.set(key, decodeNameInfo(value))
  }
  return table
}

function decodeNameInfo(message: Buffer): NameInfo {
  const info = { ips: [] as string[], registry: '', shortname: '', namespace: '', altHosts: [] as string[] }
  for (const { number, bytes } of readFields(message)) {
    const text = bytes.toString('utf8')
    if (number === 1) info.ips.push(text)
    else if (number === 2) info.registry = text
    else if (number === 3) info.shortname = text
    else if (number === 4) info.namespace = text
    else if (number === 5) info.altHosts.push(text)
  }
  return info
}

/** An empty table: what there is before the control plane has sent one. */
export const NO_NAMES: NameTable = { size: 0, lookup: () => undefined }

/** Makes a table ready for lookups. */
export function buildNameTable(hosts: ReadonlyMap<string, NameInfo>, scope: NameScope): NameTable {
  const entries = new Map<string, Entry>()
  // Full names first: a short form of one service never hides another's full name.
  for (const [host, info] of hosts) entries.set(normal(host), { v4: info.ips.filter(isIPv4), v6: info.ips.filter(isIPv6) })
  for (const [host, info] of hosts) {
    const entry = entries.get(normal(host))
    for (const alias of aliases(normal(host), info, scope)) if (entry && !entries.has(alias)) entries.set(alias, entry)
  }
  const [firstSearch] = scope.search
  const suffix = firstSearch ? `.${normal(firstSearch)}` : undefined
  return {
    size: entries.size,
    lookup(queried) {
      const name = normal(queried)
      const direct = find(entries, name)
      if (direct) return direct
      // A resolver tries `host.<search domain>` first. Answering there with the name that was meant spares it the other attempts.
      if (!suffix || !name.endsWith(suffix)) return undefined
      const meant = name.slice(0, -suffix.length)
      const entry = find(entries, meant)
      return entry && { ...entry, canonical: meant }
    },
  }
}

const normal = (name: string): string => name.toLowerCase().replace(/\.$/, '')

/** The exact name, else the closest wildcard above it. */
function find(entries: ReadonlyMap<string, Entry>, name: string): Entry | undefined {
  const exact = entries.get(name)
  if (exact) return exact
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const wildcard = entries.get(`*${name.slice(dot)}`)
    if (wildcard) return wildcard
  }
  return undefined
}

/** Other names of a host: those that the control plane lists, else for a Kubernetes service its short forms. */
function aliases(host: string, info: NameInfo, scope: NameScope): string[] {
  if (info.altHosts.length > 0) return info.altHosts.map(normal)
  if (info.registry !== 'Kubernetes' || !info.shortname || !info.namespace) return []
  // Short forms are those of the proxy's own cluster domain.
  const clusterDomain = normal(scope.dnsDomain).split('.').slice(1).join('.')
  if (clusterDomain === '' || !host.endsWith(`.${clusterDomain}`)) return []
  const qualified = normal(`${info.shortname}.${info.namespace}`)
  const service = clusterDomain.split('.')[0]
  return [
    qualified,
    ...(service ? [`${qualified}.${service}`] : []),
    ...(info.namespace === scope.namespace ? [normal(info.shortname)] : []),
  ]
}
