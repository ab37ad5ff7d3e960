/** Addresses in ranges. */

/** Whether an IPv4 or IPv6 address lies in `prefix/length`. */
export function inRange(address: string, prefix: string, length: number): boolean {
  const a = bits(address)
  const b = bits(prefix)
  return a !== undefined && b !== undefined && a.length === b.length && a.slice(0, length) === b.slice(0, length)
}

function bits(address: string): string | undefined {
  if (!address.includes(':')) {
    const parts = address.split('.').map(Number)
    return parts.length === 4 && parts.every((part) => part >= 0 && part < 256)
      ? parts.map((part) => part.toString(2).padStart(8, '0')).join('')
      : undefined
  }
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const missing = 8 - left.length - right.length
  if (missing < 0) return undefined
  const all = [...left, ...Array.from({ length: missing }, () => '0'), ...right].map((group) => Number.parseInt(group, 16))
  return all.every((group) => group >= 0 && group < 65_536) ? all.map((group) => group.toString(2).padStart(16, '0')).join('') : undefined
}
