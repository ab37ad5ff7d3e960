/** CIDR lists that mix IPv4 and IPv6: split by family, in canonical form. */

export interface Ranges {
  /** The list was `*`: every address of both families. */
  readonly wildcard: boolean
  readonly v4: readonly string[]
  readonly v6: readonly string[]
  /** A range that starts at a loopback address is in the list. */
  readonly loopback: boolean
  /** Entries that are no CIDR; Istio ignores these, and so must we, but they are worth a warning. */
  readonly ignored: readonly string[]
}

/** Splits a comma separated CIDR list (or `*`). */
export function splitRanges(list: string): Ranges {
  if (list === '*') return { wildcard: true, v4: [], v6: [], loopback: false, ignored: [] }
  const v4: string[] = []
  const v6: string[] = []
  const ignored: string[] = []
  let loopback = false
  for (const entry of list.split(',').filter((part) => part !== '')) {
    if (isIPv4Cidr(entry)) {
      v4.push(entry)
      loopback ||= entry.startsWith('127.')
    } else {
      const canonical = canonicalIPv6Cidr(entry)
      if (canonical === undefined) ignored.push(entry)
      else v6.push(canonical)
      loopback ||= canonical?.startsWith('::1/') ?? false
    }
  }
  return { wildcard: false, v4, v6, loopback, ignored }
}

/** `a.b.c.d/n`, without leading zeros. */
export function isIPv4Cidr(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  return rest.length === 0 && bits !== undefined && isIPv4(address) && isBits(bits, 32)
}

/** A dotted address without leading zeros. */
export function isIPv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
}

/** The eight groups of an IPv6 address; `undefined` when it is none. Zones are not accepted. */
export function parseIPv6(text: string): number[] | undefined {
  if (text.length > 45 || text.includes(':::')) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = groups(halves[0] ?? '')
  const tail = halves.length === 2 ? groups(halves[1] ?? '') : []
  if (!head || !tail) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  return [...head, ...Array<number>(missing).fill(0), ...tail]
}

/** Lower case, longest run of zero groups as `::` (RFC 5952). */
export function formatIPv6(words: readonly number[]): string {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < 8; start++) {
    let length = 0
    while (start + length < 8 && words[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  const hex = words.map((word) => word.toString(16))
  if (best.start < 0) return hex.join(':')
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`
}

function canonicalIPv6Cidr(text: string): string | undefined {
  const [address = '', bits, ...rest] = text.split('/')
  if (rest.length > 0 || bits === undefined || !isBits(bits, 128)) return undefined
  const words = parseIPv6(address)
  return words && `${formatIPv6(words)}/${bits}`
}

function groups(text: string): number[] | undefined {
  if (text === '') return []
  const parts = text.split(':')
  const last = parts.at(-1) ?? ''
  const words: number[] = []
  for (const part of isIPv4(last) ? parts.slice(0, -1) : parts) {
    if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
    words.push(Number.parseInt(part, 16))
  }
  if (isIPv4(last)) {
    const [a = 0, b = 0, c = 0, d = 0] = last.split('.').map(Number)
    words.push(a * 256 + b, c * 256 + d)
  }
  return words
}

function isBits(text: string, max: number): boolean {
  return /^(0|[1-9][0-9]{0,2})$/.test(text) && Number(text) <= max
}
