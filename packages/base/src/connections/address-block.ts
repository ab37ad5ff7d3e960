/** Which addresses are taken for one caller's. */

/**
 * The IPv4 address itself, also where it stands in an IPv6 one (`::ffff:10.0.0.1`); of another IPv6 address the first 64 bits, since
 * whoever has one address of such a network has them all. Any other text is itself.
 */
export function addressBlock(address: string): string {
  const text = address.replace(/%.*$/, '').toLowerCase()
  if (!text.includes(':')) return text
  const embedded = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (embedded?.[1]) return embedded[1]
  const [head = '', tail] = text.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail ? tail.split(':') : []
  const between = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array.from({ length: between }, () => '0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
