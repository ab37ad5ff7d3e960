/** Checks of IP addresses, address ranges, ports and unix sockets. */
import type { At } from '../diagnostics/at.ts'

/** IPv4 in four decimal parts without leading zeros, or IPv6, also with a zone. */
export function isIp(text: string): boolean {
  return isIpv4(text) || isIpv6(text)
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255)
}

function isIpv6(text: string): boolean {
  if (text.length > 128) return false
  const [address = '', zone] = text.split('%')
  if (zone === '' || !address.includes(':')) return false
  const halves = address.split('::')
  if (halves.length > 2) return false
  let count = 0
  for (const [h, half] of halves.entries()) {
    if (half === '') continue
    const groups = half.split(':')
    for (const [g, group] of groups.entries()) {
      const last = h === halves.length - 1 && g === groups.length - 1
      if (last && group.includes('.')) {
        if (!isIpv4(group)) return false
        count += 2
      } else if (/^[0-9a-fA-F]{1,4}$/.test(group)) count += 1
      else return false
    }
  }
  return halves.length === 2 ? count < 8 : count === 8
}

/** An address with a prefix length, such as `10.1.0.0/16`. */
export function isCidr(text: string): boolean {
  const [address = '', bits = '', more] = text.split('/')
  if (more !== undefined || !/^(0|[1-9][0-9]{0,2})$/.test(bits) || address.includes('%')) return false
  return isIpv4(address) ? Number(bits) <= 32 : isIpv6(address) && Number(bits) <= 128
}

export function checkIp(value: string, at: At): void {
  if (!isIp(value)) at.say('NotAnIp', { value })
}

/** An address or an address range. */
export function checkIpOrCidr(value: string, at: At): void {
  if (!value.includes('/')) checkIp(value, at)
  else if (!isCidr(value)) at.say('NotACidr', { value })
}

export function checkPort(port: number | undefined, at: At): void {
  if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) at.say('BadPort', { port: port ?? 0 })
}

/** A port given as text, 0 included. */
export function checkPortText(port: string, at: At): void {
  if (!/^[0-9]{1,10}$/.test(port) || Number(port) > 65_535) at.say('BadPortText', { port })
}

const UNIX = 'unix://'

/** The path of a `unix://` address; `undefined` for any other. */
export function unixPath(address: string | undefined): string | undefined {
  return address?.startsWith(UNIX) ? address.slice(UNIX.length) : undefined
}

export function checkUnixPath(path: string, at: At): void {
  if (path.startsWith('@')) return
  if (!path.startsWith('/') || path.endsWith('/')) at.say('NotASocket', { value: path })
}
