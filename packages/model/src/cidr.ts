/** Address ranges. */

/**
 * The range that a text names, with insignificant bits cleared, so that equal ranges have equal texts: `10.1.2.3/8` →
 * `10.0.0.0/8`. Undefined when the text is no range.
 */
export function canonicalRange(text: string): string | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const address = text.slice(0, slash)
  const length = Number(text.slice(slash + 1))
  const bytes = address.includes(':') ? parseIpv6(address) : parseIpv4(address)
  if (!bytes || !Number.isInteger(length) || length < 0 || length > bytes.length * 8) return undefined
  const masked = bytes.map((byte, i) => byte & maskByte(length - i * 8))
  return `${masked.length === 4 ? masked.join('.') : printIpv6(masked)}/${length}`
}

/**
 * An address so written that equal addresses have equal texts: IPv6 as RFC 5952 has it (`FD00:0::1` → `fd00::1`). What is no IPv6
 * address stays as it is.
 */
export function canonicalAddress(text: string): string {
  const bytes = text.includes(':') ? parseIpv6(text) : undefined
  if (!bytes) return text
  const groups = printIpv6(bytes).split(':')
  const { start, length } = longestZeros(groups)
  if (length < 2) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

/** The first of the longest runs of groups that are zero. */
function longestZeros(groups: readonly string[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (const [i, group] of groups.entries()) {
    if (group !== '0') start = i + 1
    else if (i + 1 - start > best.length) best = { start, length: i + 1 - start }
  }
  return best
}

const maskByte = (bits: number): number => (bits >= 8 ? 0xff : bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff)

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined
  return parts.map(Number)
}

function parseIpv6(text: string): number[] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups = (half: string | undefined) => (half ? half.split(':') : [])
  const head = groups(halves[0])
  const tail = groups(halves[1])
  const missing = 8 - head.length - tail.length
  if (missing < 0 || (halves.length === 1 && missing !== 0)) return undefined
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...tail]
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff])
}

/** Full form without leading zeros: Envoy reads it, and equal addresses print alike. */
function printIpv6(bytes: readonly number[]): string {
  return Array.from({ length: 8 }, (_, i) => (((bytes[i * 2] ?? 0) << 8) | (bytes[i * 2 + 1] ?? 0)).toString(16)).join(':')
}
