/** IPv4 and IPv6: which of them a proxy can reach. */

export type AddressFamilies = 'v4' | 'v6' | 'both'

/** The families of a workload's own addresses; IPv4 where it has told none. */
export function familiesOf(addresses: readonly string[]): AddressFamilies {
  const v6 = addresses.some(isIpv6)
  if (!v6) return 'v4'
  return addresses.some((address) => !isIpv6(address)) ? 'both' : 'v6'
}

/** Whether an address or a range of addresses is one of IPv6. */
export const isIpv6 = (address: string): boolean => address.includes(':')

/**
 * The addresses that a client of these families can dial. Where it can dial none, all of them: a service is not lost because its
 * client does not say what it has.
 */
export function reachable(addresses: readonly string[], families: AddressFamilies): readonly string[] {
  if (families === 'both') return addresses
  const fitting = addresses.filter((address) => isIpv6(address) === (families === 'v6'))
  return fitting.length > 0 ? fitting : addresses
}
