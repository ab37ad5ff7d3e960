/** Whether a mesh's pods and Services have IPv4 addresses only or both families: what the user says, else what it had before. */
import { existsSync } from 'node:fs'
import { CommandError } from '../shell/exit-codes.ts'
import { type Home, readSettings, writeSettings } from './home.ts'

export const IP_FAMILIES = ['ipv4', 'dual'] as const
export type IpFamilies = (typeof IP_FAMILIES)[number]

export const isIpFamilies = (value: unknown): value is IpFamilies => IP_FAMILIES.some((one) => one === value)

/** @throws CommandError when both are asked of a kernel without IPv6 */
export function chooseIpFamilies(home: Home, given: string | undefined): IpFamilies {
  const before = readSettings(home)['ipFamily']
  const chosen = isIpFamilies(given) ? given : isIpFamilies(before) ? before : 'ipv4'
  if (chosen === 'dual' && !existsSync('/proc/sys/net/ipv6'))
    throw new CommandError('--ip-family dual: this machine has IPv6 switched off; use --ip-family ipv4, or boot without ipv6.disable=1')
  writeSettings(home, { ipFamily: chosen })
  return chosen
}
