/**
 * Addresses that nobody may make the control plane call by writing them into an object: its own machine, and services of the
 * machine's surroundings that trust whoever reaches them, such as a cloud's metadata.
 */
import { BlockList, isIP } from 'node:net'

export interface AddressRules {
  /** Ranges (CIDR) that may not be called, besides those that never may. */
  readonly blocked: readonly string[]
  /** Ranges that may be called although they are forbidden to all others. */
  readonly allowed: readonly string[]
}

/** Decides over addresses; every form of one is the same address. */
export type AddressCheck = (address: string) => boolean

const NEVER = [
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/128', '::1/128', 'fe80::/10', 'ff00::/8'],
  // A cloud's metadata service by its fixed IPv6 address.
  'fd00:ec2::254/128',
  // IPv4 addresses of the same ranges, reached through a translator.
  ...['64:ff9b::7f00:0/104', '64:ff9b::a9fe:0/112', '64:ff9b::/104'],
]

/** @throws RangeError naming a text that is no range */
export function addressCheck(rules: AddressRules): AddressCheck {
  const never = blockList(NEVER)
  const blocked = blockList(rules.blocked)
  const allowed = blockList(rules.allowed)
  return (address) => {
    const family = isIP(address)
    if (family === 0) return false
    const isIn = (list: BlockList) => list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    return isIn(allowed) || !(isIn(never) || isIn(blocked))
  }
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', length] = range.split('/')
    const family = isIP(address)
    const bits = length === undefined ? (family === 6 ? 128 : 32) : Number(length)
    if (family === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 6 ? 128 : 32)) {
      throw new RangeError(`"${range}" is not a range of addresses such as 10.0.0.0/8 or fd00::/8`)
    }
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4')
  }
  return list
}
