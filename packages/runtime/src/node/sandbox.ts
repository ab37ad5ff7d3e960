/** The network, host name and IPC namespaces of a pod, held by files so that they outlive every process in them. */
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { familyOf } from '@lateen/base'
import { hardwareAddress } from '../network/node-network.ts'
import { runCommand } from './run-command.ts'
import { line } from './shell-text.ts'

export interface SandboxRequest {
  /** Directory for the namespace files, in the scratch tmpfs. */
  readonly directory: string
  readonly hostname: string
  /** IPv4, and on a dual-stack node IPv6. */
  readonly addresses: readonly string[]
  /** The bridge's, in the same order. */
  readonly gateways: readonly string[]
  readonly bridge: string
  /** Name of the node's end of the link, at most 15 characters. */
  readonly link: string
  readonly sysctls: readonly { readonly name: string; readonly value: string }[]
}

const FILES = ['net', 'uts', 'ipc'] as const
/** Magic number of the kernel's namespace file system. */
const NSFS = 0x6e736673

export function namespaceFile(directory: string, kind: (typeof FILES)[number]): string {
  return join(directory, kind)
}

/** The words that make `nsenter` enter the sandbox. */
export function enterSandbox(directory: string): string[] {
  return FILES.map((kind) => `--${kind}=${namespaceFile(directory, kind)}`)
}

export function sandboxExists(directory: string): boolean {
  try {
    return FILES.every((kind) => statfsSync(namespaceFile(directory, kind)).type === NSFS)
  } catch {
    return false
  }
}

/**
 * Makes the namespaces and joins them to the bridge. The pod's addresses are on no subnet, with everything routed through the bridge's address: so
 * also traffic between two pods passes the node's IP layer, where service addresses are translated back.
 */
export async function createSandbox(request: SandboxRequest): Promise<void> {
  mkdirSync(request.directory, { recursive: true })
  for (const kind of FILES) writeFileSync(namespaceFile(request.directory, kind), '')
  const batch = [
    'link set lo up',
    `link add eth0 address ${hardwareAddress(request.addresses[0] ?? '')} type veth peer name ${request.link} netns ${process.pid}`,
    ...request.addresses.map((address) => (isIpv6(address) ? `addr add ${address}/128 dev eth0 nodad` : `addr add ${address}/32 dev eth0`)),
    'link set eth0 up',
    ...request.addresses.flatMap((address, i) => routes(address, request.gateways[i] ?? '')),
  ].join('\n')
  const inside = [
    'set -e',
    line('hostname', request.hostname),
    ...request.sysctls.map(({ name, value }) => `printf %s ${line(value)} > ${line(`/proc/sys/${name.replaceAll('.', '/')}`)}`),
    // A redirect would lead around the node, which translates service addresses back.
    ...(request.addresses.some(isIpv6) ? ['for f in all default; do printf 0 > /proc/sys/net/ipv6/conf/$f/accept_redirects; done'] : []),
    // Unprivileged programs may listen on any port, as container engines allow.
    'printf 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start',
    'exec ip -batch -',
  ].join('\n')
  const namespaces = FILES.map((kind) => `--${kind}=${namespaceFile(request.directory, kind)}`)
  await runCommand('unshare', [...namespaces, 'sh', '-c', inside], { input: `${batch}\n` })
  await runCommand('ip', ['-batch', '-'], { input: `link set ${request.link} master ${request.bridge}\nlink set ${request.link} up\n` })
}

const isIpv6 = (address: string): boolean => familyOf(address) === 'IPv6'

function routes(address: string, gateway: string): string[] {
  const all = isIpv6(address) ? '::/0' : '0.0.0.0/0'
  return [`route add ${gateway} dev eth0 scope link`, `route add ${all} via ${gateway} dev eth0 src ${address}`]
}

/** Unmounts the namespace files; the kernel then removes the link. Nothing happens when there is no sandbox. */
export async function removeSandbox(directory: string): Promise<void> {
  await runCommand('umount', ['-q', ...FILES.map((kind) => namespaceFile(directory, kind))]).catch(() => undefined)
  rmSync(directory, { recursive: true, force: true })
}
