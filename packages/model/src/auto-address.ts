/**
 * Addresses for hosts of ServiceEntries that have none, so that an agent that answers DNS can give out one for each, and bytes can
 * be told apart by the address dialled. They depend on the namespace and the host alone, but for collisions, and are the same as
 * Istio's where no controller assigns them (`PILOT_ENABLE_IP_AUTOALLOCATE=false`).
 */
import type { KubeObject } from '@lateen/api'
import type { Context, Source } from '@lateen/graph'
import { isWildcard } from './host.ts'
import type { ServiceEntrySpec } from './views.ts'

/** Addresses in the network that Istio uses, `240.240.0.0/16`. */
const SLOTS = 256 * 254

/** The largest prime below, which the step to a further choice is made with. */
const PRIME = 65011

/** Further choices where another host has the first. */
const LEVELS = 4

/** Entries for one host in one namespace; what is beyond counts no more. */
const MOST_CLAIMS = 8

/** `enable-autoallocate-ip: "false"` keeps an entry out. */
const SWITCH = 'networking.istio.io/enable-autoallocate-ip'

/** The index of ServiceEntries by the slots that their hosts may take, by the hosts that need an address, and by the addresses in their status. */
export const autoSlots = (entry: KubeObject): readonly string[] => [
  ...new Set(
    eligibleHosts(entry).flatMap((host) => {
      const claim = claimKey(entry, host)
      return [claim, ...choicesOf(claim, MOST_CLAIMS + LEVELS).map(String)]
    }),
  ),
  ...writtenAddresses(entry).map(({ value }) => value),
]

/** Hosts that need an address: named ones, of entries that resolve to endpoints and have no address of their own. */
function eligibleHosts(entry: KubeObject): readonly string[] {
  const spec = (entry.spec ?? {}) as ServiceEntrySpec
  if (spec.addresses?.length || (spec.resolution ?? 'NONE') === 'NONE') return []
  if (isOptedOut(entry)) return []
  return [...new Set((spec.hosts ?? []).map((host) => host.toLowerCase()))].filter((host) => !isWildcard(host))
}

const isOptedOut = (entry: KubeObject): boolean => (entry.metadata.labels?.[SWITCH] ?? 'true').toLowerCase() === 'false'

const claimKey = (entry: KubeObject, host: string): string => `${entry.metadata.namespace ?? ''}/${host}`

/** FNV-1a, of 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0
  return value
}

/** Slots in the order in which a claim asks for them: double hashing, on numbers of 32 bits. */
function choicesOf(claim: string, count: number): readonly number[] {
  const first = hash(claim)
  const step = PRIME - (first % PRIME)
  return Array.from({ length: count }, (_, i) => (i === 0 ? first % SLOTS : ((first + Math.imul(i, step)) >>> 0) % (SLOTS - 1)))
}

/**
 * The addresses of a host, IPv4 first: those that a controller has written to the status, else one of its slots. A slot is taken by
 * the host to which it is the earlier choice, or, at the same choice, by the smaller name; so no two hosts get the same, and who
 * comes or goes elsewhere changes nothing. Where several entries name a host, each takes a slot, and the lowest is the address.
 */
export function autoAddressesOf(context: Context, entries: Source<KubeObject>, entry: KubeObject, host: string): readonly string[] {
  const spec = (entry.spec ?? {}) as ServiceEntrySpec
  if (isOptedOut(entry) || spec.addresses?.length) return []
  const assigned = assignedAddresses(context, entries, entry, host)
  if (assigned.length > 0) return assigned
  if (!eligibleHosts(entry).includes(host)) return []
  const claim = claimKey(entry, host)
  const claims = Math.min(MOST_CLAIMS, context.list(entries, 'autoSlot', claim).length)
  const free = choicesOf(claim, claims + LEVELS).filter(
    (slot, choice) => isMine(context, entries, claim, slot, choice) && !isWritten(context, entries, addressOf(slot), claim),
  )
  const taken = free.slice(0, claims)
  if (taken.length === 0) return []
  const address = addressOf(Math.min(...taken))
  const [, , third = 0, fourth = 0] = address.split('.').map(Number)
  return [address, `2001:2::f0f0:${third === 0 ? '' : third.toString(16)}${fourth.toString(16)}`]
}

const addressOf = (slot: number): string => `240.240.${octetsOf(slot).join('.')}`

/** Whether the status of another claim's entry has an address. */
function isWritten(context: Context, entries: Source<KubeObject>, address: string, claim: string): boolean {
  return context
    .list(entries, 'autoSlot', address)
    .some((entry) => writtenAddresses(entry).some(({ host, value }) => value === address && claimKey(entry, host) !== claim))
}

function isMine(context: Context, entries: Source<KubeObject>, claim: string, slot: number, choice: number): boolean {
  return context
    .list(entries, 'autoSlot', String(slot))
    .flatMap((other) => eligibleHosts(other).map((name) => claimKey(other, name)))
    .every((other) => {
      if (other === claim) return true
      const theirs = choicesOf(other, MOST_CLAIMS + LEVELS).indexOf(slot)
      return theirs < 0 || theirs > choice || (theirs === choice && claim < other)
    })
}

/** No address ends in 0 or 255. */
function octetsOf(slot: number): readonly [number, number] {
  const number = (slot + 1) % 255 === 0 ? slot + 2 : slot + 1
  return [Math.floor(number / 255), number % 255]
}

/** Addresses that a controller has given a host; one that two claims have is that of the older entry. */
function assignedAddresses(context: Context, entries: Source<KubeObject>, entry: KubeObject, host: string): readonly string[] {
  const claim = claimKey(entry, host)
  const isOlder = (other: KubeObject) => ageKey(other) < ageKey(entry)
  return writtenAddresses(entry)
    .filter((written) => written.host === host)
    .map(({ value }) => value)
    .filter((value) => {
      const others = context.list(entries, 'autoSlot', value).filter(isOlder)
      return !others.some((other) =>
        writtenAddresses(other).some((written) => written.value === value && claimKey(other, written.host) !== claim),
      )
    })
    .sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
}

const ageKey = ({ metadata }: KubeObject) => `${metadata.creationTimestamp ?? ''} ${metadata.namespace ?? ''}/${metadata.name}`

/** What a status says of addresses. */
function writtenAddresses({ status }: KubeObject): readonly { readonly host: string; readonly value: string }[] {
  const addresses: unknown = typeof status === 'object' && status !== null ? Reflect.get(status, 'addresses') : undefined
  if (!Array.isArray(addresses)) return []
  return addresses.flatMap((address: unknown) => {
    if (typeof address !== 'object' || address === null) return []
    const host: unknown = Reflect.get(address, 'host')
    const value: unknown = Reflect.get(address, 'value')
    return typeof host === 'string' && typeof value === 'string' ? [{ host, value }] : []
  })
}
