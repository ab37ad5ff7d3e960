/** The network of the node itself: the bridge that pods hang on, and the addresses that the node answers for. */
import { readFileSync, writeFileSync } from 'node:fs'
import { ipv6Carrying, logger } from '@lateen/base'
import { messageOf } from '../kube/api-failure.ts'
import { runCommand } from '../node/run-command.ts'
import { nthAddress, parseCidr } from './address-pool.ts'

export interface NodeNetwork {
  readonly bridge: string
  readonly podCidr: string
  readonly serviceCidr: string
  readonly dnsAddress: string
  /** Of a dual-stack node: /96 ranges such as `fd00:10:244::`, in which the last 32 bits are the IPv4 address. */
  readonly ipv6?: { readonly podPrefix: string; readonly servicePrefix: string }
}

/** The node's own address: the first of the pod range. */
export function gatewayOf(network: NodeNetwork): string {
  return nthAddress(network.podCidr, 1)
}

/** All addresses of a pod or of the node, by its IPv4 address. */
export function addressesOf(network: NodeNetwork, ipv4: string): string[] {
  return network.ipv6 ? [ipv4, ipv6Carrying(network.ipv6.podPrefix, ipv4)] : [ipv4]
}

/** A hardware address made from an IPv4 address: who gets the address again later is known by the same one. */
export function hardwareAddress(address: string): string {
  return ['0a', '58', ...address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':')
}

/** Makes the bridge, unless an earlier life of this program did so in the same network namespace. */
export async function prepareNetwork(network: NodeNetwork): Promise<void> {
  const { bridge, podCidr, serviceCidr, dnsAddress } = network
  if (!/^[a-z][a-z0-9]{0,14}$/.test(bridge))
    throw new Error(`the bridge name ${JSON.stringify(bridge)} must be 1 to 15 lower-case letters and digits`)
  const { bits } = parseCidr(podCidr)
  const gateway = gatewayOf(network)
  if (!(await exists(bridge))) {
    const [, gateway6] = addressesOf(network, gateway)
    const batch = [
      'link set lo up',
      // With an address of its own the bridge keeps it; else it would change to that of whichever pod comes or goes, and be unknown a while.
      `link add ${bridge} address ${hardwareAddress(gateway)} type bridge`,
      `addr add ${gateway}/${bits} dev ${bridge}`,
      `addr add ${dnsAddress}/32 dev ${bridge}`,
      `link set ${bridge} up`,
      // Service addresses exist only in translation rules, which a packet reaches only when it has some route.
      `route replace ${serviceCidr} dev ${bridge} src ${gateway}`,
      ...(network.ipv6 && gateway6
        ? [`addr add ${gateway6}/96 dev ${bridge} nodad`, `route replace ${network.ipv6.servicePrefix}/96 dev ${bridge} src ${gateway6}`]
        : []),
    ].join('\n')
    await runCommand('ip', ['-batch', '-'], { input: `${batch}\n` })
  }
  setting('net/ipv4/ip_forward', '1')
  // Pods send everything through the bridge's address on purpose; they need not be told of a shorter way.
  for (const device of ['all', bridge]) setting(`net/ipv4/conf/${device}/send_redirects`, '0')
  if (network.ipv6) {
    setting('net/ipv6/conf/all/forwarding', '1')
    setting('net/bridge/bridge-nf-call-ip6tables', '0')
  }
  // Bridged frames must not pass the address translation a second time.
  setting('net/bridge/bridge-nf-call-iptables', '0')
}

async function exists(device: string): Promise<boolean> {
  return runCommand('ip', ['link', 'show', 'dev', device]).then(
    () => true,
    () => false,
  )
}

function setting(path: string, value: string): void {
  const file = `/proc/sys/${path}`
  try {
    if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value)
  } catch (error) {
    logger('network').debug(`${file} could not be set to ${value}: ${messageOf(error)}`)
  }
}
