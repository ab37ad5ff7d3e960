/**
 * Addresses for hosts of ServiceEntries that have none, so that an agent that answers DNS can give out one for each, and bytes can
 * be told apart by the address dialled. They depend on the namespace and the host alone, but for collisions.
 */
import type { KubeObject } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import { isWildcard } from './host.ts'
import type { ServiceEntrySpec } from './views.ts'

/** `240.240.0.1` to `240.240.254.254`: the network that Istio uses. */
const SLOTS = 255 * 254

/** Further choices where another host has the first. */
const LEVELS = 6

/** `enable-autoallocate-ip: "false"` keeps an entry out. */
const SWITCH = 'networking.istio.io/enable-autoallocate-ip'

/** The index of ServiceEntries by the slots that their hosts may take. */
export const autoSlots = (entry: KubeObject): readonly string[] => [
  ...new Set(eligibleHosts(entry).flatMap((host) => slotsOf(claimKey(entry, host)).map(String))),
]

/** Hosts that need an address: named ones, of entries that resolve to endpoints and have no address of their own. */
function eligibleHosts(entry: KubeObject): readonly string[] {
  const spec = (entry.spec ?? {}) as ServiceEntrySpec
  if (spec.addresses?.length || (spec.resolution ?? 'NONE') === 'NONE') return []
  if ((entry.metadata.labels?.[SWITCH] ?? 'true') === 'false') return []
  return (spec.hosts ?? []).filter((host) => !isWildcard(host))
}

const claimKey = (entry: KubeObject, host: string): string => `${entry.metadata.namespace ?? ''}/${host}`

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}

const slotsOf = (claim: string): readonly number[] =>
  Array.from({ length: LEVELS }, (_, level) => hash(level === 0 ? claim : `${claim}#${level}`) % SLOTS)

/**
 * The address of a host: the first of its slots that no other host has at an earlier choice, or, at the same choice, by a smaller
 * name. So no two hosts get the same, and who comes or goes elsewhere changes nothing.
 */
export function autoAddressOf(context: Context, entries: Source<KubeObject>, entry: KubeObject, host: string): string | undefined {
  const assigned = assignedAddresses(entry, host)
  if (assigned.length > 0) return assigned[0]
  if (!eligibleHosts(entry).includes(host)) return undefined
  const claim = claimKey(entry, host)
  const slot = slotsOf(claim).find((candidate, level) => {
    const others = context
      .list(entries, 'autoSlot', String(candidate))
      .flatMap((other) => eligibleHosts(other).map((name) => claimKey(other, name)))
    return others.every((other) => {
      if (other === claim) return true
      const rank = slotsOf(other).indexOf(candidate)
      return rank < 0 || rank > level || (rank === level && claim < other)
    })
  })
  return slot === undefined ? undefined : `240.240.${Math.floor(slot / 254)}.${(slot % 254) + 1}`
}

/** Addresses that a controller has written to the status. */
function assignedAddresses(entry: KubeObject, host: string): readonly string[] {
  const addresses: unknown = typeof entry.status === 'object' && entry.status !== null ? Reflect.get(entry.status, 'addresses') : undefined
  if (!Array.isArray(addresses)) return []
  return addresses.flatMap((address: unknown) => {
    if (typeof address !== 'object' || address === null) return []
    const value: unknown = Reflect.get(address, 'value')
    return Reflect.get(address, 'host') === host && typeof value === 'string' && !value.includes(':') ? [value] : []
  })
}
