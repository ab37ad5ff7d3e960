/** Dual-stack addresses: an IPv6 address that carries an IPv4 one, so that one allocation serves both families. */

export type IpFamily = 'IPv4' | 'IPv6'

export const familyOf = (address: string): IpFamily => (address.includes(':') ? 'IPv6' : 'IPv4')

/**
 * The IPv6 address with an IPv4 address in its last 32 bits: `fd00:10:244::` and `10.244.0.7` → `fd00:10:244::af4:7`.
 *
 * @param prefix a /96 range as text that ends with `::`
 */
export function ipv6Carrying(prefix: string, ipv4: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return `${prefix}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
}

/** The IPv4 address in an address of {@link ipv6Carrying}; undefined for any other text. */
export function ipv4Within(prefix: string, ipv6: string): string | undefined {
  const url = URL.parse(`http://[${ipv6}]`)
  const text = url?.hostname.slice(1, -1)
  if (!text?.startsWith(prefix)) return undefined
  const groups = text.slice(prefix.length).split(':')
  if (groups.length !== 2 || !groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined
  return groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]).join('.')
}
